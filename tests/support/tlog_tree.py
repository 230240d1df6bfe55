"""Merkle trees, their proofs, and their tiles: RFC 6962, RFC 9162 and C2SP tlog-tiles."""
import hashlib
import re

from tlog_note import HASH_BYTES, Refused, require

TILE_WIDTH = 256
EMPTY_ROOT = hashlib.sha256(b"").digest()


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


GAP = re.compile(r"(0|[1-9][0-9]{0,18}) (0|[1-9][0-9]{0,18}) (journal-[0-9]{20}\.archive)")


def parse_gaps(text, size):
    """(begin, end, archive) of each stretch of entries that the file `gaps` says are absent."""
    gaps, at = [], 0
    require(text.endswith("\n"), "gaps: its last line is not whole")
    for line in text[:-1].split("\n"):
        match = GAP.fullmatch(line)
        require(match, f"gaps: '{line}' names no entries")
        begin, end = int(match[1]), int(match[2])
        require(at <= begin < end <= size, f"gaps: '{line}' names no entries")
        gaps.append((begin, end, match[3]))
        at = end
    return gaps


class Tree:
    """The static tree of files of one log, read once and derived anew from its bundles; where
    `gaps` says that entries are absent, from their hashes in the tiles of level 0."""

    def __init__(self, folder, size):
        self.folder = folder
        self.size = size
        self.gaps = []
        self.levels = []   # per level the index of its next tile, and the hashes of that so far
        self.files = set()   # what has been read and compared

    def read(self, path):
        self.files.add(path)
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from error

    def read_gaps(self):
        if (self.folder / "gaps").exists():
            self.gaps = parse_gaps(self.read("gaps").decode("ascii", "replace"), self.size)

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

    def bundle(self, path, width):
        try:
            return parse_bundle(self.read(path), width)
        except Refused as error:
            raise Refused(f"{path}: {error}") from error

    def leaves(self, begin, width):
        """The index, the bytes and the hash of each entry of a bundle; no bytes in a gap."""
        cut = [gap for gap in self.gaps if gap[0] < begin + width and gap[1] > begin]
        if not cut:
            path = tile_path("entries", begin // TILE_WIDTH, width)
            for index, entry in enumerate(self.bundle(path, width), begin):
                yield index, entry, leaf_hash(entry)
            return
        hashes = self.read(tile_path(0, begin // TILE_WIDTH, width))
        require(len(hashes) == width * HASH_BYTES, f"tile of entries {begin} on: another length")
        at = begin
        for gap_begin, gap_end, _ in [*cut, (begin + width, begin + width, "")]:
            if at < gap_begin:
                entries = self.bundle(f"at-hand/{at}-{gap_begin}", gap_begin - at)
                for index, entry in enumerate(entries, at):
                    yield index, entry, leaf_hash(entry)
            for index in range(max(at, gap_begin), min(gap_end, begin + width)):
                offset = (index - begin) * HASH_BYTES
                yield index, None, hashes[offset:offset + HASH_BYTES]
            at = max(at, gap_end)

    def root(self, take=lambda index, entry: None):
        """The root over all entries; every tile was compared on the way. Calls `take` with each
        that is not in a gap."""
        for begin in range(0, self.size, TILE_WIDTH):
            for index, entry, hash in self.leaves(begin, min(TILE_WIDTH, self.size - begin)):
                self.append(0, hash)
                if entry is not None:
                    take(index, entry)
        parts = []
        for level, (_, hashes) in enumerate(self.levels):
            if hashes:
                self.compare(level)
            parts = complete_parts(hashes) + parts
        return joined_root(parts)

    def root_at(self, size):
        """The root that the first `size` entries have, from tiles that were compared."""
        parts, level = [], 0
        while count := size >> (8 * level):
            index, width = divmod(count, TILE_WIDTH)
            if width:
                whole = min((self.size >> (8 * level)) - index * TILE_WIDTH, TILE_WIDTH)
                data = self.read(tile_path(level, index, whole))[:width * HASH_BYTES]
                parts = complete_parts([data[at:at + HASH_BYTES]
                                        for at in range(0, len(data), HASH_BYTES)]) + parts
            level += 1
        return joined_root(parts)
