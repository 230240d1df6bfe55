"""Card data that stands in no source, and where it has been left behind.

A card is looked for in every form of tools/leak_scan.py, and by its last twelve digits: malloc
overwrites the first bytes of a freed block. A verification code is too short to be looked for by
itself; it counts as the JSON member, and where the words of a card request stand beside it.
"""
import datetime
import random
import re
import secrets
import string

import leak_scan

CVC_NEIGHBORS = (b'"card"', b'"cvc"', b'"number"', b"exp_month")
CVC_REACH_BYTES = 160
AMEX_BIN, AMEX_DIGITS = "378282", 15


def _random_name():
    return " ".join("".join(random.choices(string.ascii_letters, k=9)) for _ in range(2))


def _random_cvc(pan):
    """Four digits that a year, the card number or a status code cannot be taken for."""
    while True:
        code = f"{secrets.randbelow(10_000):04}"
        if code not in pan and not code.startswith(("19", "20")) and len(set(code)) > 2:
            return code


class Canary:
    """One card with all that a client may send beside it."""

    def __init__(self):
        self.pan = leak_scan.generate_pan(AMEX_BIN, AMEX_DIGITS)  # whose codes have four digits
        self.cvc = _random_cvc(self.pan)
        self.name = _random_name()
        self.metadata = {"order": secrets.token_hex(12)}

    @property
    def card(self):
        return {"number": self.pan, "exp_month": 12,
                "exp_year": datetime.date.today().year + 2, "cvc": self.cvc, "name": self.name}

    @property
    def request(self):
        return {"card": self.card, "metadata": self.metadata}

    def found_in(self, data):
        """(what, offset) of everything of this card in `data`; never the card itself."""
        found = [(f"card number, {form}", at) for form, at in leak_scan.scan_bytes(data, self.pan)]
        for what, text in (("card number, last twelve digits", self.pan[-12:]),
                           ("cardholder name", self.name),
                           ("metadata", self.metadata["order"])):
            if (at := data.find(text.encode())) >= 0:
                found.append((what, at))
        return found + [("verification code", at) for at in self._cvc_offsets(data)]

    def _cvc_offsets(self, data):
        code = self.cvc.encode()
        yield from (match.start() for match in re.finditer(rb'cvc[\\"\s:]{1,8}' + code, data))
        at = data.find(code)
        while at >= 0:
            near = data[max(0, at - CVC_REACH_BYTES):at + CVC_REACH_BYTES]
            beside = data[max(0, at - 1):at] + data[at + 4:at + 5]
            alone = not re.search(rb"[0-9A-Za-z]", beside)
            if alone and any(word in near for word in CVC_NEIGHBORS):
                yield at
            at = data.find(code, at + 1)
