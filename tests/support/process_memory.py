"""The memory of another process, as root on the same machine can see it."""
import re
from dataclasses import dataclass, field

PAGE_BYTES = 4096
_EMPTY_PAGE = bytes(PAGE_BYTES)
_HEADER = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ *(.*)")
_KERNEL_OWN = ("[vvar]", "[vvar_vclock]", "[vsyscall]")  # neither ours nor readable
# MADV_DONTDUMP and MADV_DONTFORK together are the secret arena's alone.
_ARENA_FLAGS = {"wr", "dd", "dc"}


@dataclass(frozen=True)
class Region:
    """A run of pages that are not all zeros."""
    begin: int
    name: str
    is_arena: bool
    data: bytes


@dataclass
class Memory:
    """What could be read, and how much could not (memfd_secret refuses everybody)."""
    regions: list = field(default_factory=list)
    read_bytes: int = 0
    arena_bytes: int = 0  # of those
    refused_bytes: int = 0

    @property
    def arena(self):
        return [region for region in self.regions if region.is_arena]

    @property
    def outside(self):
        """All that is not the arena."""
        return [region for region in self.regions if not region.is_arena]


def _mappings(pid):
    """(begin, end, name, is_arena) of each readable mapping."""
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            if header := _HEADER.fullmatch(line.rstrip("\n")):
                begin, end, mode, name = header.groups()
            elif line.startswith("VmFlags:") and "r" in mode and name not in _KERNEL_OWN:
                yield int(begin, 16), int(end, 16), name, _ARENA_FLAGS <= set(line.split())


def _read(memory, begin, size):
    memory.seek(begin)
    parts = []
    while size > 0 and (part := memory.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _runs(data):
    """(offset, bytes) of the runs of pages that are not empty, as many are."""
    begin = None
    for at in range(0, len(data) + PAGE_BYTES, PAGE_BYTES):
        empty = at >= len(data) or data[at:at + PAGE_BYTES] == _EMPTY_PAGE
        if not empty and begin is None:
            begin = at
        elif empty and begin is not None:
            yield begin, data[begin:at]
            begin = None


def read(pid):
    """All memory of process `pid`. Needs root: the daemons let nobody else look."""
    found = Memory()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end, name, is_arena in _mappings(pid):
            try:
                data = _read(memory, begin, end - begin)
            except OSError:
                found.refused_bytes += end - begin
                continue
            found.read_bytes += len(data)
            found.arena_bytes += len(data) if is_arena else 0
            found.regions += [Region(begin + offset, name, is_arena, run)
                              for offset, run in _runs(data)]
    return found
