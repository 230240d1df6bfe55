"""The second verifier of audit logs, on vectors that others' tools have confirmed, and on every
small tree.
"""
import os
import pathlib
import shutil

import pytest

import tlog
import tlog_tree
from golden_log import (CHECKPOINT, COSIGNED_AT, ENTRIES, KEY, ROOT_3, VKEY, WITNESS, WITNESS_KEY,
                        consistency_proof, inclusion_proof, proof_file, root_of)

VECTORS = pathlib.Path(os.environ.get("STRONGROOM_VECTORS") or
                       pathlib.Path(__file__).resolve().parents[3] / "shared/vectors") / "audit"
TREE_SIZE_MAX = 70


@pytest.fixture
def vectors():
    if not VECTORS.is_dir():
        pytest.skip(f"no {VECTORS}: the trees of files are not checked")
    return VECTORS


def flips(data):
    for place in range(len(data)):
        yield place, data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]


def test_checkpoint_of_the_vectors_opens_with_both_keys():
    checkpoint, times = tlog.open_checkpoint(CHECKPOINT, KEY, [WITNESS_KEY])
    assert (checkpoint.origin, checkpoint.size) == ("vault.example/audit", 4)
    assert checkpoint.root == root_of([tlog.leaf_hash(entry) for entry in ENTRIES])
    assert times == {"witness.example/w1": COSIGNED_AT}
    assert (KEY.text, WITNESS_KEY.text) == (VKEY, WITNESS)


def test_any_flipped_byte_of_a_checkpoint_is_refused():
    for place, damaged in flips(CHECKPOINT):
        with pytest.raises(tlog.Refused):
            tlog.open_checkpoint(damaged, KEY, [WITNESS_KEY])
            pytest.fail(f"byte {place}")


def test_any_flipped_byte_of_a_proof_file_is_refused():
    leaves = [tlog.leaf_hash(entry) for entry in ENTRIES]
    data = proof_file(2, leaves)
    assert tlog.verify_proof(data, ENTRIES[2], KEY, [WITNESS_KEY])[0].index == 2
    for place, damaged in flips(data):
        with pytest.raises(tlog.Refused):
            tlog.verify_proof(damaged, ENTRIES[2], KEY, [WITNESS_KEY])
            pytest.fail(f"byte {place}")


@pytest.mark.parametrize("entry", [ENTRIES[1], b"", b" "])
def test_proof_is_of_its_entry_only(entry):
    data = proof_file(3, [tlog.leaf_hash(each) for each in ENTRIES])
    with pytest.raises(tlog.Refused, match="entry 3"):
        tlog.verify_proof(data, entry, KEY)


def test_key_of_another_place_is_refused():
    data = proof_file(0, [tlog.leaf_hash(entry) for entry in ENTRIES])
    with pytest.raises(tlog.Refused, match="not a log beside"):
        tlog.verify_proof(data, ENTRIES[0], tlog.Key("other.example/a/b", KEY.public))


def test_every_small_proof_verifies_and_no_other_does():
    leaves = [tlog.leaf_hash(bytes([number])) for number in range(TREE_SIZE_MAX)]
    for size in range(1, TREE_SIZE_MAX + 1):
        tree, root = leaves[:size], root_of(leaves[:size])
        for index in range(size):
            proof = inclusion_proof(index, tree)
            tlog.verify_inclusion(leaves[index], index, size, proof, root)
            with pytest.raises(tlog.Refused):
                tlog.verify_inclusion(leaves[index], (index + 1) % (size + 1), size, proof, root)
        for old_size in range(size + 1):
            proof = consistency_proof(old_size, tree) if old_size else []
            old_root = root_of(leaves[:old_size])
            tlog_tree.verify_consistency(old_size, old_root, size, root, proof)
            with pytest.raises(tlog.Refused):
                tlog_tree.verify_consistency(old_size, leaves[0][::-1], size, root, proof)


def test_consistency_proof_of_the_vectors_verifies():
    leaves = [tlog.leaf_hash(entry) for entry in ENTRIES]
    proof = [leaves[2], leaves[3], tlog_tree.node_hash(leaves[0], leaves[1])]
    tlog_tree.verify_consistency(3, ROOT_3, 4, root_of(leaves), proof)


@pytest.mark.parametrize("index, width, path", [
    (5, 256, "tile/0/005"), (1234067, 256, "tile/0/x001/x234/067"), (0, 4, "tile/0/000.p/4")])
def test_tiles_have_their_published_paths(index, width, path):
    assert tlog_tree.tile_path(0, index, width) == path


def test_trees_of_files_of_the_vectors_verify(vectors):
    assert tlog.read_key(vectors / "vkey") == KEY
    assert tlog.read_key(vectors / "wvkey", tlog.COSIGNATURE) == WITNESS_KEY
    small, times, _ = tlog.verify_log(vectors / "log", KEY, [WITNESS_KEY])
    assert (small.size, list(times.values())) == (4, [COSIGNED_AT])
    big, _, tree = tlog.verify_log(vectors / "big", KEY)
    assert big.size == 70_000
    assert tree.files | {"checkpoint"} == tlog.files_below(vectors / "big")


def test_any_flipped_byte_of_the_small_tree_is_refused(vectors, tmp_path):
    shutil.copytree(vectors / "log", tmp_path / "log")
    for name in tlog.files_below(tmp_path / "log"):
        path = tmp_path / "log" / name
        data = path.read_bytes()
        for place, damaged in flips(data):
            path.write_bytes(damaged)
            with pytest.raises(tlog.Refused):
                tlog.verify_log(tmp_path / "log", KEY, [WITNESS_KEY])
                pytest.fail(f"byte {place} of {name}")
        path.write_bytes(data)
