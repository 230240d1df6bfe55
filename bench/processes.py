"""CPU time of running processes, from /proc/PID/stat (proc(5))."""

import os
import pathlib

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PPID, UTIME, STIME = 1, 11, 12  # fields behind the command name, which may hold blanks


def _stat(pid):
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2:].split()


def _stats():
    """pid -> fields, of every process that lives."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found[int(entry)] = _stat(entry)
            except (OSError, ValueError):
                continue  # ended meanwhile
    return found


def tree(pid, parents):
    """`pid` and all below it. `parents`: pid -> parent's pid."""
    members = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in members} - members
        if not more:
            return members
        members |= more


def cpu_us(pids):
    """name -> CPU time used so far, user and system, of that process and those below it."""
    stats = _stats()
    parents = {pid: int(fields[PPID]) for pid, fields in stats.items()}
    result = {}
    for name, pid in pids.items():
        ticks = sum(int(stats[member][UTIME]) + int(stats[member][STIME])
                    for member in tree(pid, parents) if member in stats)
        result[name] = ticks * 1_000_000 / TICKS_PER_SECOND
    return result


def resident_kib(pid, field="VmRSS"):
    """Memory of one process that is in RAM, in KiB."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


def own_kib(pid):
    """The same of a process that stands alone; of one with others below it, what each has for
    itself."""
    parents = {member: int(fields[PPID]) for member, fields in _stats().items()}
    members = tree(pid, parents)
    if len(members) == 1:
        return resident_kib(pid)
    return sum(resident_kib(member, "RssAnon") for member in members)
