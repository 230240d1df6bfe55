#!/usr/bin/python3
"""A second verifier of audit logs, written from the published formats alone (C2SP signed-note,
tlog-checkpoint, tlog-tiles, tlog-cosignature and tlog-proof, RFC 6962, RFC 9162): it shares
nothing with the product that it checks, and needs Python 3 and its package cryptography only.

    tlog.py export FOLDER VKEY [--witness WVKEY]... [--continues CHECKPOINT]...
    tlog.py proof PROOF ENTRY VKEY [--record PROOF ENTRY] [--witness WVKEY]...

VKEY and WVKEY are files with one verifier key each. A witness that is named must have cosigned:
the checkpoint of a proof, and of an export the newest of the operator's logs, through which it
stands for the others. A --record is the operator's entry that tells of the tree of the proof, and
its own proof, whose checkpoint then is the one that witnesses cosigned. A CHECKPOINT is one that
you have from before or from somebody else, such as a witness: the export must hold that log, grown
from it. Exits 0 when all is as it was signed; 1 when something is not, and names it; 4 when all
that is there is as it was signed, but an export's file `gaps` says that entries are absent, and
names them.
"""
import argparse
import base64
import dataclasses
import json
import pathlib
import sys
import time

from tlog_note import (COSIGNATURE, ED25519, Checkpoint, Key, Refused, decimal, open_checkpoint,
                       parse_hash, parse_note, parse_vkey, require, unbase64)
from tlog_tree import Tree, leaf_hash, verify_inclusion

PROOF_HEADER = "c2sp.org/tlog-proof@v1"


# --- logs as files ------------------------------------------------------------------------------

def verify_log(folder, key, witnesses=(), take=lambda index, entry: None):
    """The checkpoint of the log in `folder`, times of its cosignatures, and its tree. Calls `take`
    with the index and the bytes of each entry."""
    checkpoint, times = open_checkpoint((folder / "checkpoint").read_bytes(), key, witnesses)
    tree = Tree(folder, checkpoint.size)
    tree.read_gaps()
    require(tree.root(take) == checkpoint.root, "checkpoint: another root than the entries give")
    return checkpoint, times, tree


def recorded_checkpoint(entry):
    """The checkpoint of a log that an entry log.checkpoint or log.break tells of, or None."""
    if b'"tree_root"' not in entry:
        return None
    try:
        record = json.loads(entry)
        if record["unmapped"]["event_type"] not in ("log.checkpoint", "log.break"):
            return None
        return Checkpoint(record["resources"][0]["uid"], record["unmapped"]["tree_size"],
                          parse_hash(record["unmapped"]["tree_root"]))
    except (ValueError, LookupError, TypeError) as error:
        raise Refused("an entry tells of a log in another form") from error


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


class Export:
    """The logs of an export, which holds no other file than theirs: log by log as OWNER/SHARD, the
    key of each beside its checkpoint, and the operator's as audit.vkey.

    Witnesses cosign the operator's log that grows: who cosigned its newest checkpoint has seen the
    checkpoints of the others that its entries tell of, the operator's earlier logs among them, and
    what those tell of. So each of those is held against the log that it is of, which must be
    there, unless all logs are one merchant's: then nothing shows that none is missing.
    """

    def __init__(self, folder, key, witnesses=()):
        self.folder = folder
        self.key = key
        self.witnesses = witnesses
        self.place = key.name.rsplit("/", 2)[0]
        self.trees = {}         # by origin, of the logs verified so far
        self.told = {}          # by origin: (index, checkpoint) of each entry that tells of a log
        self.checkpoints = []   # and the times of their cosignatures
        self.witnessed = {}     # by origin: of how many entries the witnesses have seen the root
        self.gaps = []          # log, begin, end, archive: what entries there tell was not seen
        self.known = {"audit.vkey"}
        names = {str(found.parent.relative_to(folder)) for found in folder.glob("*/*/checkpoint")}
        # The operator's last; a shard's name sorts by time, so the newest of theirs is last of all.
        self.names = sorted(names, key=lambda name: (name.startswith("operator/"), name))
        self.complete = any(name.startswith("operator/") for name in names)

    def verify(self):
        require(not (self.folder / "unfinished").exists(),
                "unfinished export: run strongroom audit export again")
        require((self.folder / "audit.vkey").read_text() == self.key.text + "\n",
                "audit.vkey: another key")
        require(self.names, "no log: an export that was not finished has no checkpoint")
        require(self.complete or len({name.split("/")[0] for name in self.names}) == 1,
                "operator: the operator's logs, which tell of the others, are missing")
        require(self.complete or not self.witnesses,
                "operator: its logs, the only ones that witnesses cosign, are missing")
        for name in self.names:
            self.verify_log(name)
        for origin, told in self.told.items():
            for index, recorded in told:
                self.compare(recorded, f"{origin.removeprefix(self.place + '/')}, entry {index}")
        strange = files_below(self.folder) - self.known
        require(not strange, f"{min(strange, default='')}: belongs to no checkpoint")
        if self.witnesses:
            self.follow_witnesses()

    def verify_log(self, name):
        folder, key = self.folder / name, Key(f"{self.place}/{name}", self.key.public)
        told = []

        def take(index, entry):
            if recorded := recorded_checkpoint(entry):
                told.append((index, recorded))

        try:
            require((folder / "vkey").read_text() == key.text + "\n", "vkey: another key")
            checkpoint, times, tree = verify_log(
                folder, key, self.witnesses if name == self.names[-1] else (), take)
        except Refused as error:
            raise Refused(f"{name}/{error}") from error
        self.told[key.name] = told
        self.trees[key.name] = tree
        self.gaps += [(name, *gap) for gap in tree.gaps]
        self.checkpoints.append((checkpoint, times))
        self.known |= {f"{name}/{file}" for file in tree.files | {"checkpoint", "vkey"}}

    def compare(self, recorded, where):
        """What an entry tells of a log with what there is of it."""
        tree = self.trees.get(recorded.origin)
        told = f"though {where}, tells of a tree of {recorded.size} entries"
        if tree is None:
            require(not self.complete, f"{recorded.origin}: is missing, {told}")
            return
        require(recorded.size <= tree.size, f"{recorded.origin}: has lost entries, {told}")
        require(tree.root_at(recorded.size) == recorded.root,
                f"{recorded.origin}: holds other entries, {told} with another root")

    def require_continues(self, note):
        """That the export has the log of this checkpoint, as it was and perhaps more."""
        origin = parse_note(note).text.split("\n")[0]
        require(origin.rsplit("/", 2)[0] == self.place, f"'{origin}' is no log of {self.place}")
        kept, _ = open_checkpoint(note, Key(origin, self.key.public))
        told = f"though a checkpoint of {kept.size} entries was given"
        tree = self.trees.get(origin)
        require(tree, f"{origin}: is missing, {told}")
        require(kept.size <= tree.size, f"{origin}: has only {tree.size} entries, {told}")
        require(tree.root_at(kept.size) == kept.root, f"{origin}: holds other entries, {told}")

    def follow_witnesses(self):
        """From the newest operator's log, which they cosigned, to what its entries tell of, and so
        on: an entry counts when it is itself among those that the witnesses have seen the root of.
        """
        self.witnessed = dict.fromkeys(self.trees, 0)
        origins = [f"{self.place}/{name}" for name in self.names if name.startswith("operator/")]
        self.witnessed[origins[-1]] = self.trees[origins[-1]].size
        told_in_gap = False
        for origin in reversed(origins):
            require(self.witnessed[origin] or told_in_gap, f"{origin}: no witness stands for it")
            # What tells of an earlier one may be in a gap among the entries that the witnesses have
            # seen: then it is said that no witness is seen to.
            told_in_gap |= any(f"{self.place}/{name}" == origin and begin < self.witnessed[origin]
                               for name, begin, *_ in self.gaps)
            for index, recorded in self.told[origin]:
                if index < self.witnessed[origin]:
                    self.witnessed[recorded.origin] = max(self.witnessed[recorded.origin],
                                                          recorded.size)


def verify_export(folder, key, witnesses=()):
    """The checkpoints of all logs in an export, and the times of their cosignatures."""
    export = Export(folder, key, witnesses)
    export.verify()
    return export.checkpoints


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


def verify_record(checkpoint, data, entry, key, witnesses=()):
    """As verify_proof(), of an entry of the operator's log that tells of `checkpoint`."""
    proof, told_by, times = verify_proof(data, entry, key, witnesses)
    require(told_by.origin.split("/")[-2] == "operator", f"{told_by.origin}: not the operator's")
    require(recorded_checkpoint(entry) == checkpoint, "the record tells of another tree")
    return proof, told_by, times


# --- the command --------------------------------------------------------------------------------

INTACT, NOT_INTACT, GAPS = 0, 1, 4


def say(checkpoint, times):
    print(f"  {checkpoint.origin}: {checkpoint.size} entries,"
          f" root {base64.b64encode(checkpoint.root).decode()}")
    for name, seconds in times.items():
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
        print(f"    cosigned by {name} at {when}")


def read_key(path, kind=ED25519):
    return parse_vkey(pathlib.Path(path).read_text(), kind)


def run(arguments):
    key = read_key(arguments.vkey)
    witnesses = [read_key(path, COSIGNATURE) for path in arguments.witness]
    if arguments.what == "export":
        export = Export(pathlib.Path(arguments.folder), key, witnesses)
        export.verify()
        for path in arguments.continues:
            export.require_continues(pathlib.Path(path).read_bytes())
        print("intact as far as it goes" if export.gaps else "intact")
        for checkpoint, times in export.checkpoints:
            say(checkpoint, times)
            seen = export.witnessed.get(checkpoint.origin, checkpoint.size)
            if seen < checkpoint.size:
                print(f"    no witness stands for the last {checkpoint.size - seen} of them")
        if export.complete:
            print(f"  {checkpoint.origin} is the operator's newest log here; that there is none"
                  " after it,\n  and no more of it, only a checkpoint from elsewhere shows"
                  " (--continues)")
        else:
            print("  logs of one merchant: without the operator's, nothing shows that none is"
                  " missing")
        for name, begin, end, archive in export.gaps:
            print(f"  not in it: entries {begin} to {end - 1} of {name}, said to be in {archive}")
        return GAPS if export.gaps else INTACT
    entry = pathlib.Path(arguments.entry).read_bytes()
    data = pathlib.Path(arguments.proof).read_bytes()
    proof, checkpoint, times = verify_proof(data, entry, key, () if arguments.record else witnesses)
    record = arguments.record and verify_record(
        checkpoint, *(pathlib.Path(path).read_bytes() for path in arguments.record), key, witnesses)
    print(f"entry {proof.index} is in the log, signed by {key.text}")
    say(checkpoint, times)
    if record:
        print(f"entry {record[0].index} of the operator's log tells of that tree")
        say(*record[1:])
    return INTACT


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="what", required=True)
    export = kinds.add_parser("export", help="a folder of logs as static files")
    export.add_argument("folder")
    export.add_argument("--continues", action="append", default=[], metavar="CHECKPOINT")
    proof = kinds.add_parser("proof", help="one entry and its proof file")
    proof.add_argument("proof")
    proof.add_argument("entry")
    proof.add_argument("--record", nargs=2, metavar=("PROOF", "ENTRY"))
    for kind in (export, proof):
        kind.add_argument("vkey")
        kind.add_argument("--witness", action="append", default=[], metavar="WVKEY")
    try:
        return run(parser.parse_args())
    except Refused as error:
        print(f"NOT INTACT: {error}")
        return NOT_INTACT


if __name__ == "__main__":
    sys.exit(main())
