"""The second verifier on exports whose logs do not fit together, though the key signed for each."""
import base64
import json
import shutil
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import tlog
import tlog_tree
from golden_log import root_of

PLACE = "test.example/auditd"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes(serialization.Encoding.Raw,
                                           serialization.PublicFormat.Raw)
LONG = [f"entry {number}".encode() for number in range(300)]


def key_of(log):
    return tlog.Key(f"{PLACE}/{log}", PUBLIC)


def told(log, entries, event="log.checkpoint"):
    root = root_of([tlog.leaf_hash(entry) for entry in entries])
    return json.dumps({"resources": [{"uid": f"{PLACE}/{log}"}], "unmapped": {
        "event_type": event, "tree_size": len(entries),
        "tree_root": base64.b64encode(root).decode()}}).encode()


OPERATORS = [b"b", told("mer_1/2026", LONG[:257]), told("mer_2/2026", [b"a"]),
             told("mer_1/2026", LONG)]


def signed(log, entries):
    root = root_of([tlog.leaf_hash(entry) for entry in entries])
    text = f"{PLACE}/{log}\n{len(entries)}\n{base64.b64encode(root).decode()}\n"
    line = base64.b64encode(key_of(log).id + PRIVATE.sign(text.encode())).decode()
    return f"{text}\n\u2014 {PLACE}/{log} {line}\n"


def tiles(entries):
    """Path and bytes of every tile and bundle."""
    hashes, level = [tlog.leaf_hash(entry) for entry in entries], 0
    while hashes:
        for at in range(0, len(hashes), 256):
            tile = hashes[at:at + 256]
            yield tlog_tree.tile_path(level, at // 256, len(tile)), b"".join(tile)
            if level == 0:
                bundle = (len(entry).to_bytes(2, "big") + entry for entry in entries[at:at + 256])
                yield tlog_tree.tile_path("entries", at // 256, len(tile)), b"".join(bundle)
        whole = len(hashes) // 256
        hashes = [root_of(hashes[256 * index:256 * index + 256]) for index in range(whole)]
        level += 1


class Folder:
    def __init__(self, path):
        self.path = path
        self.write("mer_1/2026", LONG)
        self.write("mer_2/2026", [b"a"])
        self.write("operator/2026", OPERATORS)
        (path / "audit.vkey").write_text(key_of("operator/2026").text + "\n")

    def write(self, log, entries):
        """Leaves nothing of an earlier one."""
        self.remove(log)
        files = {**dict(tiles(entries)), "checkpoint": signed(log, entries).encode(),
                 "vkey": key_of(log).text.encode() + b"\n"}
        for name, data in files.items():
            path = self.path / log / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def remove(self, log):
        shutil.rmtree(self.path / log, ignore_errors=True)

    def verify(self):
        export = tlog.Export(self.path, key_of("operator/2026"))
        export.verify()
        return export

    def refused(self):
        with pytest.raises(tlog.Refused) as refused:
            self.verify()
        return str(refused.value).removeprefix(f"{PLACE}/")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_what_the_operators_log_tells_is_accepted(folder):
    export = folder.verify()
    assert export.complete
    assert [checkpoint.size for checkpoint, _ in export.checkpoints] == [300, 1, 4]


def test_log_that_is_missing_is_named(folder):
    folder.remove("mer_2/2026")
    assert folder.refused() == ("mer_2/2026: is missing, though operator/2026, entry 2,"
                                " tells of a tree of 1 entries")


@pytest.mark.parametrize("size, entry, recorded", [(299, 3, 300), (256, 1, 257)])
def test_log_that_was_cut_and_signed_for_again_is_named(folder, size, entry, recorded):
    folder.write("mer_1/2026", LONG[:size])
    assert folder.refused() == (f"mer_1/2026: has lost entries, though operator/2026, entry"
                                f" {entry}, tells of a tree of {recorded} entries")


@pytest.mark.parametrize("place, entry", [(258, 3), (0, 1)])
def test_log_of_another_history_is_named(folder, place, entry):
    folder.write("mer_1/2026", [*LONG[:place], b"another", *LONG[place + 1:]])
    assert folder.refused().startswith(
        f"mer_1/2026: holds other entries, though operator/2026, entry {entry},")


@pytest.mark.parametrize("event", ["log.checkpoint", "log.break"])
def test_operators_logs_are_held_against_each_other(folder, event):
    later = "operator/2026b20261122T150000Z"
    folder.write(later, [told("operator/2026", OPERATORS[:1], event)])
    folder.verify()
    folder.write(later, [told("operator/2026", [b"c"], event)])
    assert folder.refused().startswith("operator/2026: holds other entries")
    folder.write(later, [told("operator/2025", [b"c"], event)])
    assert folder.refused().startswith("operator/2025: is missing")
    folder.write(later, [b'{"tree_root"'])
    assert "tells of a log in another form" in folder.refused()


def test_logs_of_one_merchant_may_stand_for_themselves(folder):
    folder.remove("operator")
    assert folder.refused().startswith("operator: the operator's logs")
    folder.remove("mer_2")
    assert not folder.verify().complete
    folder.write("mer_1/2027", [told("mer_1/2026", LONG)])
    folder.verify()
    folder.write("mer_1/2027", [told("mer_1/2026", [b"a"])])
    assert folder.refused().startswith("mer_1/2026: holds other entries")
    folder.remove("mer_1/2026")
    folder.verify()


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 300])
def test_root_of_any_smaller_tree_comes_from_the_tiles(folder, size):
    tree = tlog.Tree(folder.path / "mer_1/2026", len(LONG))
    assert tree.root_at(size) == root_of([tlog.leaf_hash(entry) for entry in LONG[:size]])


WITNESS_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
WITNESS = tlog.Key("w.example/1", WITNESS_PRIVATE.public_key().public_bytes(
    serialization.Encoding.Raw, serialization.PublicFormat.Raw), tlog.COSIGNATURE)


def cosign(folder, log):
    path = folder.path / log / "checkpoint"
    note = path.read_text()
    text = note.partition("\n\n")[0] + "\n"
    signature = WITNESS_PRIVATE.sign(f"cosignature/v1\ntime 1700000000\n{text}".encode())
    blob = WITNESS.id + (1_700_000_000).to_bytes(8, "big") + signature
    path.write_text(f"{note}\u2014 {WITNESS.name} {base64.b64encode(blob).decode()}\n")


def witnessed(folder):
    """Per log of how many entries the witness has seen the root."""
    export = tlog.Export(folder.path, key_of("operator/2026"), [WITNESS])
    export.verify()
    return {origin.removeprefix(f"{PLACE}/"): size for origin, size in export.witnessed.items()}


def test_witness_of_the_newest_log_stands_for_what_it_tells_of(folder):
    """Of last year's log it has seen three entries; the fourth tells of what it has not seen."""
    folder.write("operator/2027", [told("operator/2026", OPERATORS[:3]), b"c"])
    with pytest.raises(tlog.Refused, match="operator/2027/no cosignature by w.example/1"):
        witnessed(folder)
    cosign(folder, "operator/2026")
    with pytest.raises(tlog.Refused, match="operator/2027/no cosignature by w.example/1"):
        witnessed(folder)
    cosign(folder, "operator/2027")
    assert witnessed(folder) == {"mer_1/2026": 257, "mer_2/2026": 1, "operator/2026": 3,
                                 "operator/2027": 2}


def test_operators_log_that_no_witness_stands_for_is_named(folder):
    folder.write("operator/2027", [b"c"])
    cosign(folder, "operator/2027")
    with pytest.raises(tlog.Refused, match="operator/2026: no witness stands for it"):
        witnessed(folder)


def test_log_is_held_against_one_that_is_verified_later(folder):
    """Late entries of a past year, after a break: that shard's name sorts before the other's."""
    earlier, later = "mer_1/2025b20261122T150000Z", "mer_1/2026b20261122T150000Z"
    folder.write(earlier, [told(later, [b"c"])])
    folder.write(later, [b"c", b"d"])
    folder.verify()
    folder.write(later, [b"d", b"c"])
    assert folder.refused().startswith(f"{later}: holds other entries, though {earlier}, entry 0,")


@pytest.mark.parametrize("log, entries, why", [
    ("operator/2027", [b"c"], "operator/2027: is missing, though a checkpoint of 1 "),
    ("operator/2026", [*OPERATORS, b"c"], "operator/2026: has only 4 entries, though "),
    ("operator/2026", [b"c"], "operator/2026: holds other entries, though ")])
def test_export_continues_the_checkpoint_that_was_kept(folder, log, entries, why):
    export = folder.verify()
    export.require_continues(signed("operator/2026", OPERATORS[:3]).encode())
    with pytest.raises(tlog.Refused) as refused:
        export.require_continues(signed(log, entries).encode())
    assert str(refused.value).removeprefix(f"{PLACE}/").startswith(why)


ARCHIVE = "journal-00000000000000000001.archive"


class CutFolder(Folder):
    """Of mer_1's log the entries 0, 1 and from 10 to 258 are in an archive."""

    def __init__(self, path):
        super().__init__(path)
        self.log = path / "mer_1/2026"
        (self.log / "at-hand").mkdir()
        (self.log / "tile/entries/000").unlink()
        (self.log / "tile/entries/001.p/44").unlink()
        for begin, end in ((2, 10), (258, 300)):
            self.run(begin, end).write_bytes(b"".join(
                len(entry).to_bytes(2, "big") + entry for entry in LONG[begin:end]))
        self.write_gaps(f"0 2 {ARCHIVE}\n10 258 {ARCHIVE}\n")

    def run(self, begin, end):
        return self.log / f"at-hand/{begin}-{end}"

    def write_gaps(self, text):
        (self.log / "gaps").write_text(text)


@pytest.fixture
def cut(tmp_path):
    return CutFolder(tmp_path)


def run_tool(folder):
    return subprocess.run([sys.executable, tlog.__file__, "export", folder.path,
                           folder.path / "audit.vkey"], capture_output=True, text=True)


def test_gap_excuses_no_log_that_its_entries_cannot_tell_of(cut):
    cut.write("operator/2027", [b"c"])
    cosign(cut, "operator/2027")
    with pytest.raises(tlog.Refused, match="operator/2026: no witness stands for it"):
        witnessed(cut)
    cut.write("operator/2027", [told("operator/2026", OPERATORS), b"c"])
    cosign(cut, "operator/2027")
    assert witnessed(cut)["operator/2026"] == len(OPERATORS)
    log = cut.path / "operator/2027"
    (log / "tile/entries/000.p/2").unlink()
    (log / "at-hand").mkdir()
    (log / "at-hand/1-2").write_bytes(b"\0\1c")
    (log / "gaps").write_text(f"0 1 {ARCHIVE}\n")
    assert witnessed(cut)["operator/2026"] == 0, "the entry that tells of it is in the gap"


def test_entries_in_gaps_are_named_and_the_others_verified(cut):
    assert cut.verify().gaps == [("mer_1/2026", 0, 2, ARCHIVE), ("mer_1/2026", 10, 258, ARCHIVE)]
    done = run_tool(cut)
    assert done.returncode == 4
    assert f"not in it: entries 10 to 257 of mer_1/2026, said to be in {ARCHIVE}" in done.stdout


def test_a_whole_export_is_told_from_one_with_gaps(folder):
    done = run_tool(folder)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "intact")


@pytest.mark.parametrize("text", ["", "0 2\n", f"0 2 {ARCHIVE}", f"2 2 {ARCHIVE}\n",
                                  f"0 301 {ARCHIVE}\n", f"5 9 {ARCHIVE}\n0 2 {ARCHIVE}\n",
                                  "0 2 elsewhere\n", f"0 02 {ARCHIVE}\n"])
def test_gaps_in_another_form_are_refused(cut, text):
    cut.write_gaps(text)
    assert cut.refused().startswith("mer_1/2026/gaps: ")


def test_what_gaps_leave_is_compared(cut):
    bytes = cut.run(2, 10).read_bytes()
    cut.run(2, 10).write_bytes(bytes[:-1] + b"x")
    assert cut.refused() == "mer_1/2026/tile/0/000: is not what the entries give"
    cut.run(2, 10).unlink()
    assert cut.refused().startswith("mer_1/2026/at-hand/2-10: ")


def test_hash_of_an_absent_entry_is_bound_by_the_root(cut):
    tile = cut.log / "tile/0/000"
    hashes = bytearray(tile.read_bytes())
    hashes[32 * 20] ^= 1
    tile.write_bytes(hashes)
    assert cut.refused().startswith("mer_1/2026/")


def test_entry_that_gaps_leave_out_without_a_word_is_missed(cut):
    cut.write_gaps(f"0 2 {ARCHIVE}\n10 257 {ARCHIVE}\n")
    assert cut.refused().startswith("mer_1/2026/at-hand/257-300: ")
