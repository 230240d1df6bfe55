#!/usr/bin/python3
"""A second verifier of audit logs, written from the published formats alone (C2SP signed-note,
tlog-checkpoint, tlog-tiles, tlog-cosignature and tlog-proof, RFC 6962, RFC 9162): it shares
nothing with the product that it checks, and needs Python 3 and its package cryptography only.

    tlog.py export FOLDER VKEY [--witness WVKEY]...
    tlog.py proof PROOF ENTRY VKEY [--witness WVKEY]...

VKEY and WVKEY are files with one verifier key each. A witness that is named must have cosigned.
Exits 0 when all is as it was signed, 1 when something is not, and names it.
"""
import argparse
import base64
import binascii
import dataclasses
import hashlib
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE = 0x01, 0x04   # what a key of a note signs: its text; its text and a time
TILE_WIDTH = 256
HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
PROOF_HEADER = "c2sp.org/tlog-proof@v1"


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


# --- Merkle trees -------------------------------------------------------------------------------

def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def complete_parts(hashes):
    """The roots of the complete subtrees side by side over `hashes`, the largest first."""
    parts = []
    while hashes:
        width = 1 << (len(hashes).bit_length() - 1)
        level, hashes = hashes[:width], hashes[width:]
        while len(level) > 1:
            level = [node_hash(*pair) for pair in zip(level[::2], level[1::2])]
        parts += level
    return parts


def joined_root(parts):
    """The root over complete subtrees, given the largest first."""
    if not parts:
        return EMPTY_ROOT
    root = parts[-1]
    for part in reversed(parts[:-1]):
        root = node_hash(part, root)
    return root


def verify_inclusion(leaf, index, size, proof, root):
    """RFC 9162, section 2.1.3.2."""
    require(index < size, f"entry {index} is not among {size}")
    fn, sn, result = index, size - 1, leaf
    for sibling in proof:
        require(sn > 0, "the proof is too long")
        if fn & 1 or fn == sn:
            result = node_hash(sibling, result)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and result == root, f"the proof does not lead from entry {index} to the root")


def verify_consistency(old_size, old_root, size, root, proof):
    """RFC 9162, section 2.1.4.2."""
    require(old_size <= size, "the old tree is larger")
    if old_size in (0, size):
        require(not proof, "no proof is needed here")
        require(old_root == (root if old_size == size else EMPTY_ROOT), "the roots differ")
        return
    require(proof, "the proof is empty")
    if old_size & (old_size - 1) == 0:
        proof = [old_root, *proof]
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old_result = result = proof[0]
    for sibling in proof[1:]:
        require(sn > 0, "the proof is too long")
        if fn & 1 or fn == sn:
            old_result, result = node_hash(sibling, old_result), node_hash(sibling, result)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and (old_result, result) == (old_root, root),
            f"the tree of {size} does not begin with the one of {old_size}")


# --- tiles --------------------------------------------------------------------------------------

def tile_path(level, index, width):
    """`level` is a number, or "entries"."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_bundle(data, width):
    entries, at = [], 0
    for _ in range(width):
        require(at + 2 <= len(data), "the bundle is too short")
        end = at + 2 + int.from_bytes(data[at:at + 2], "big")
        require(end <= len(data), "the bundle is too short")
        entries.append(data[at + 2:end])
        at = end
    require(at == len(data), "bytes follow the bundle")
    return entries


class Tree:
    """The static tree of files of one log, read once and derived anew from its bundles."""

    def __init__(self, folder, size):
        self.folder = folder
        self.size = size
        self.levels = []   # per level the index of its next tile, and the hashes of that so far
        self.files = set()   # what has been read and compared

    def read(self, path):
        self.files.add(path)
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from error

    def compare(self, level):
        """The tile at the end of `level` with what the bundles give."""
        index, hashes = self.levels[level]
        path = tile_path(level, index, len(hashes))
        require(self.read(path) == b"".join(hashes), f"{path}: is not what the entries give")

    def append(self, level, hash):
        if level == len(self.levels):
            self.levels.append((0, []))
        index, hashes = self.levels[level]
        hashes.append(hash)
        if len(hashes) == TILE_WIDTH:
            self.compare(level)
            self.levels[level] = (index + 1, [])
            self.append(level + 1, complete_parts(hashes)[0])

    def entries(self):
        for index in range(0, self.size, TILE_WIDTH):
            width = min(TILE_WIDTH, self.size - index)
            path = tile_path("entries", index // TILE_WIDTH, width)
            try:
                yield from parse_bundle(self.read(path), width)
            except Refused as error:
                raise Refused(f"{path}: {error}") from error

    def root(self):
        """The root over all entries; every tile was compared on the way."""
        for entry in self.entries():
            self.append(0, leaf_hash(entry))
        parts = []
        for level, (_, hashes) in enumerate(self.levels):
            if hashes:
                self.compare(level)
            parts = complete_parts(hashes) + parts
        return joined_root(parts)


def verify_log(folder, key, witnesses=()):
    """The checkpoint of the log in `folder`, times of its cosignatures, and the files it is of."""
    checkpoint, times = open_checkpoint((folder / "checkpoint").read_bytes(), key, witnesses)
    tree = Tree(folder, checkpoint.size)
    require(tree.root() == checkpoint.root, "checkpoint: another root than the entries give")
    return checkpoint, times, tree.files | {"checkpoint"}


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def verify_export(folder, key, witnesses=()):
    """The checkpoints of all logs in an export, which holds no other file than theirs: log by log
    as OWNER/SHARD, the key of each beside its checkpoint, and the operator's as audit.vkey. Only
    the operator's logs are cosigned: who cosigned one of them has seen the others' checkpoints."""
    place = key.name.rsplit("/", 2)[0]
    require((folder / "audit.vkey").read_text() == key.text + "\n", "audit.vkey: another key")
    checkpoints, known = [], {"audit.vkey"}
    for found in sorted(folder.glob("*/*/checkpoint")):
        name = str(found.parent.relative_to(folder))
        log_key = Key(f"{place}/{name}", key.public)
        cosigners = witnesses if name.startswith("operator/") else ()
        try:
            require((found.parent / "vkey").read_text() == log_key.text + "\n",
                    "vkey: another key")
            checkpoint, times, files = verify_log(found.parent, log_key, cosigners)
        except Refused as error:
            raise Refused(f"{name}/{error}") from error
        checkpoints.append((checkpoint, times))
        known |= {f"{name}/{file}" for file in files | {"vkey"}}
    require(checkpoints, "no log: an export that was not finished has no checkpoint")
    strange = files_below(folder) - known
    require(not strange, f"{min(strange, default='')}: belongs to no checkpoint")
    return checkpoints


# --- proof files --------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Proof:
    index: int
    hashes: list
    checkpoint: bytes   # the signed note


def parse_proof(data):
    head, empty_line, checkpoint = data.partition(b"\n\n")
    require(empty_line, "not a proof file")
    lines = head.decode("ascii", "replace").split("\n")
    require(lines.pop(0) == PROOF_HEADER, "not a proof file of version 1")
    if lines and lines[0].startswith("extra "):
        unbase64(lines.pop(0).removeprefix("extra "))
    require(lines and lines[0].startswith("index "), "the proof has no index")
    index = decimal(lines.pop(0).removeprefix("index "))
    require(len(lines) <= 63, "the proof is too long")
    return Proof(index, [parse_hash(line) for line in lines], checkpoint)


def verify_proof(data, entry, key, witnesses=()):
    """The proof, its checkpoint and the times of the cosignatures. `key` is one of the log itself,
    or of another log at the same place: all of them have one public key."""
    proof = parse_proof(data)
    origin = parse_note(proof.checkpoint).text.split("\n")[0]
    require(origin.rsplit("/", 2)[0] == key.name.rsplit("/", 2)[0],
            f"'{origin}' is not a log beside {key.name}")
    checkpoint, times = open_checkpoint(proof.checkpoint, Key(origin, key.public), witnesses)
    verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return proof, checkpoint, times


def recorded_checkpoint(entry):
    """The checkpoint of another log, as an entry `log.checkpoint` of the operator's log has it."""
    record = json.loads(entry)
    require(record["unmapped"]["event_type"] == "log.checkpoint", "not an entry log.checkpoint")
    return Checkpoint(record["resources"][0]["uid"], record["unmapped"]["tree_size"],
                      parse_hash(record["unmapped"]["tree_root"]))


# --- the command --------------------------------------------------------------------------------

def say(checkpoint, times):
    print(f"  {checkpoint.origin}: {checkpoint.size} entries,"
          f" root {base64.b64encode(checkpoint.root).decode()}")
    for name, seconds in times.items():
        print(f"    cosigned by {name} at {seconds} seconds since 1970")


def read_key(path, kind=ED25519):
    return parse_vkey(pathlib.Path(path).read_text(), kind)


def run(arguments):
    key = read_key(arguments.vkey)
    witnesses = [read_key(path, COSIGNATURE) for path in arguments.witness]
    if arguments.what == "export":
        checkpoints = verify_export(pathlib.Path(arguments.folder), key, witnesses)
        print("intact")
        for checkpoint, times in checkpoints:
            say(checkpoint, times)
        return
    entry = pathlib.Path(arguments.entry).read_bytes()
    data = pathlib.Path(arguments.proof).read_bytes()
    proof, checkpoint, times = verify_proof(data, entry, key, witnesses)
    print(f"entry {proof.index} is in the log, signed by {key.text}")
    say(checkpoint, times)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="what", required=True)
    export = kinds.add_parser("export", help="a folder of logs as static files")
    export.add_argument("folder")
    proof = kinds.add_parser("proof", help="one entry and its proof file")
    proof.add_argument("proof")
    proof.add_argument("entry")
    for kind in (export, proof):
        kind.add_argument("vkey")
        kind.add_argument("--witness", action="append", default=[], metavar="WVKEY")
    try:
        run(parser.parse_args())
    except Refused as error:
        print(f"NOT INTACT: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
