"""Keys, signed notes, cosignatures and checkpoints: C2SP signed-note, tlog-cosignature and
tlog-checkpoint.
"""
import base64
import binascii
import dataclasses
import hashlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE = 0x01, 0x04   # what a key of a note signs: its text; its text and a time
HASH_BYTES = 32


class Refused(Exception):
    """What was given is not what was signed, or not of the published form."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def decimal(text):
    require(re.fullmatch("0|[1-9][0-9]{0,18}", text), f"'{text[:40]}' is no decimal number")
    return int(text)


def unbase64(text):
    """Standard alphabet, padded, and the one canonical form of its bytes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"'{text[:40]}' is no base64") from error
    require(base64.b64encode(data).decode() == text, f"'{text[:40]}' is not canonical base64")
    return data


def parse_hash(text):
    data = unbase64(text)
    require(len(data) == HASH_BYTES, f"'{text}' is no hash")
    return data


# --- signed notes -------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Key:
    """Who signs. The same public key has another id under another name."""
    name: str
    public: bytes
    kind: int = ED25519

    @property
    def id(self):
        signed = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(signed).digest()[:4]

    @property
    def text(self):
        data = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{data}"

    def verifies(self, signature, message):
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def parse_vkey(text, kind=ED25519):
    parts = text.strip("\n").split("+", 2)
    require(len(parts) == 3, "not a verifier key")
    data = unbase64(parts[2])
    require(len(data) == 33 and data[0] == kind, f"not an Ed25519 key of type {kind:#04x}")
    key = Key(parts[0], data[1:], kind)
    require(key.id.hex() == parts[1], f"the key id of '{key.name}' does not belong to the key")
    return key


@dataclasses.dataclass(frozen=True)
class Note:
    text: str           # ends in a newline
    signatures: tuple   # (name, id, bytes behind the id)


def parse_note(data):
    try:
        note = data.decode()
    except UnicodeDecodeError as error:
        raise Refused("note is not UTF-8") from error
    require(all(c == "\n" or c >= " " for c in note), "note holds a control character")
    text, empty_line, lines = note.rpartition("\n\n")
    require(empty_line and lines.endswith("\n"), "note has no signatures")
    signatures = []
    for line in lines[:-1].split("\n"):
        parts = line.split(" ")
        require(len(parts) == 3 and parts[0] == "\u2014" and parts[1] and "+" not in parts[1],
                f"'{line[:60]}' is no signature line")
        signed = unbase64(parts[2])
        require(len(signed) > 4, "signature is too short")
        signatures.append((parts[1], signed[:4], signed[4:]))
    return Note(text + "\n", tuple(signatures))


def signatures_of(note, key):
    ours = (key.name, key.id)
    return [signature for name, id, signature in note.signatures if (name, id) == ours]


def verify_note(note, key):
    """Every signature of `key` verifies, and there is one."""
    found = signatures_of(note, key)
    require(found, f"no signature by {key.text}")
    for signature in found:
        require(len(signature) == 64 and key.verifies(signature, note.text.encode()),
                f"the signature by {key.name} does not verify")


def verify_cosignature(note, witness):
    """POSIX seconds of the newest cosignature of `witness`; each of them verifies."""
    times = []
    for signature in signatures_of(note, witness):
        require(len(signature) == 72, f"the cosignature by {witness.name} has another length")
        seconds = int.from_bytes(signature[:8], "big")
        message = f"cosignature/v1\ntime {seconds}\n{note.text}".encode()
        require(witness.verifies(signature[8:], message),
                f"the cosignature by {witness.name} does not verify")
        times.append(seconds)
    require(times, f"no cosignature by {witness.text}")
    return max(times)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


def open_checkpoint(data, key, witnesses=()):
    """The checkpoint in a note that `key` has signed, whose name is the log's origin, and the time
    of each witness's cosignature."""
    note = parse_note(data)
    verify_note(note, key)
    lines = note.text.split("\n")
    require(len(lines) >= 4 and all(lines[:-1]), "checkpoint has not origin, size and root")
    checkpoint = Checkpoint(lines[0], decimal(lines[1]), parse_hash(lines[2]))
    require(checkpoint.origin == key.name, f"checkpoint of '{checkpoint.origin}', not {key.name}")
    return checkpoint, {witness.name: verify_cosignature(note, witness) for witness in witnesses}
