"""Searches files and memory for a card number in every form in which software leaves one.

Prints never hold the number: a finding names the place and the form only.
"""

import base64
import pathlib
import random

# First six digits from the processors' published test ranges; the rest is random, so a canary
# stands in no source and no earlier log.
TEST_BIN = "424242"

# What people and programs put between the groups of a number (src/base/pan_scan.h knows them all).
SEPARATORS = {"spaces": " ", "dashes": "-", "dots": ".", "slashes": "/", "underscores": "_",
              "commas": ",", "two spaces": "  ", "tabs": "\t", "line ends": "\n",
              "no-break spaces": "\u00a0", "en dashes": "\u2013"}


def check_digit(digits):
    """The digit that completes `digits` (ISO/IEC 7812-1 annex B)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)


def generate_pan(bin_digits=TEST_BIN, length=16):
    body = bin_digits + "".join(random.choice("0123456789")
                                for _ in range(length - 1 - len(bin_digits)))
    return body + check_digit(body)


def forms(pan):
    """Each form of `pan`: (name, bytes)."""
    groups = [pan[i:i + 4] for i in range(0, len(pan), 4)]
    packed = pan if len(pan) % 2 == 0 else "0" + pan
    found = {
        "digits": pan.encode(),
        "full-width digits": "".join(chr(0xff10 + int(digit)) for digit in pan).encode(),
        "UTF-16": pan.encode("utf-16-le"),
        "reversed": pan[::-1].encode(),
        "packed decimal": bytes.fromhex(packed),
        "64-bit integer": int(pan).to_bytes(8, "little"),
        "64-bit integer, big-endian": int(pan).to_bytes(8, "big"),
        "hex of the digits": pan.encode().hex().encode(),
    }
    for name, separator in SEPARATORS.items():
        found[f"groups with {name}"] = separator.join(groups).encode()
    for shift in range(3):  # base64 of a text that holds the number looks different by its offset
        encoded = base64.b64encode(b"\0" * shift + pan.encode())
        clean = encoded[4 if shift else 0:len(encoded) // 4 * 4 - 4]
        found[f"base64, offset {shift}"] = clean
    return found.items()


def scan_bytes(data, pan):
    """(form, offset) of each form of `pan` in `data`."""
    return [(name, data.find(form)) for name, form in forms(pan) if form in data]


def scan_folder(folder, pan):
    """(path, form, offset) for every file below `folder`, also where a name holds the number."""
    findings = []
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if pan in path.name:
            findings.append((path.parent, "file name", 0))
        if path.is_file() and not path.is_symlink():
            findings += [(path, form, offset)
                         for form, offset in scan_bytes(path.read_bytes(), pan)]
    return findings
