"""A log of four entries that others' tools have confirmed, and proofs made as RFC 6962
has them.
"""
import base64

import tlog
import tlog_tree

VKEY = "vault.example/audit+99f33cb1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
WITNESS = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"
KEY, WITNESS_KEY = tlog.parse_vkey(VKEY), tlog.parse_vkey(WITNESS, tlog.COSIGNATURE)
COSIGNED_AT = 1_700_000_000
ENTRIES = [b"a", b"bc", b"", b'{"event":"token.create"}']
CHECKPOINT = """vault.example/audit
4
AB4F1h9ssDJBpWo5eoMnN/MVZtbrtaBLrGa3kPjJhNM=

\u2014 vault.example/audit mfM8sUF7e9tQBQi4GHCcTOLMRnB487/OKavxcWu7rcl9xYGe8nPeJ2ms4iJooDToEAbB+11fPkE6dX69q/8+njLDMg8=
\u2014 witness.example/w1 IDJKvgAAAABlU/EA0pCmKp3VlZeIiyTOVxE5W1c+Eee7NzFZS+itA5CeNuMUIl01qkZVYC0mu9FUsmGwujxAmbX4E93qmUBIfFJsBg==
""".encode()
ROOT_3 = bytes.fromhex("6015403706ae97dcea776e594364d037bbafc168547028106301c9ef9742b0e6")


def root_of(leaves):
    return tlog_tree.joined_root(tlog_tree.complete_parts(leaves))


def split(size):
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index, leaves):
    """RFC 6962, section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*inclusion_proof(index, leaves[:k]), root_of(leaves[k:])]
    return [*inclusion_proof(index - k, leaves[k:]), root_of(leaves[:k])]


def consistency_proof(old_size, leaves, whole=True):
    """RFC 6962, section 2.1.2, word for word."""
    if old_size == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = split(len(leaves))
    if old_size <= k:
        return [*consistency_proof(old_size, leaves[:k], whole), root_of(leaves[k:])]
    return [*consistency_proof(old_size - k, leaves[k:], False), root_of(leaves[:k])]


def proof_file(index, leaves, checkpoint=CHECKPOINT):
    lines = [base64.b64encode(hash).decode() for hash in inclusion_proof(index, leaves)]
    head = "\n".join([tlog.PROOF_HEADER, f"index {index}", *lines])
    return f"{head}\n\n".encode() + checkpoint
