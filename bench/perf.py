"""Samples of where a running process spends its CPU time, with whole stacks, by perf."""

import re
import shutil
import subprocess

from load import BenchError

HERTZ = 1499  # not in step with anything that comes every millisecond
STACK_BYTES = 16_384  # copied for each sample: coroutines stand on deep stacks of templates

_FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^()]*)\)$")


def record(pid, seconds, data):
    """Begins to sample the process into the file `data`."""
    if shutil.which("perf") is None:
        raise BenchError("perf is not installed: apt-get install linux-perf")
    return subprocess.Popen(
        ["perf", "record", "--quiet", "--freq", str(HERTZ), "--call-graph", f"dwarf,{STACK_BYTES}",
         "--pid", str(pid), "--output", str(data), "--", "sleep", str(seconds)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def read(recording, data):
    """The stacks, when `recording` has ended."""
    trouble = recording.communicate()[1]
    done = subprocess.run(["perf", "script", "--input", str(data), "--no-inline",
                           "--fields", "ip,sym,dso"], capture_output=True, text=True)
    found = list(stacks(done.stdout))
    if not found:
        raise BenchError(f"perf gave no stacks: {(trouble + done.stderr).strip()[-300:]}")
    return found


def stacks(text):
    """What `perf script` printed -> stacks, the outermost frame first, as (name, file). Frames
    without a name are one where they follow each other in a file."""
    for sample in text.split("\n\n"):
        stack = []
        for frame in filter(None, map(_FRAME.match, reversed(sample.splitlines()))):
            named = (short_name(frame[1]), frame[2])
            if named[0] != "?" or named not in stack[-1:]:
                stack.append(named)
        if stack:
            yield stack


def _without_nested(text, opening, closing):
    """`text` without what stands between these, however deep."""
    depth, kept = 0, []
    for letter in text:
        depth += letter == opening
        if depth == 0:
            kept.append(letter)
        depth -= letter == closing and depth > 0
    return "".join(kept)


def short_name(symbol):
    """Without offset, parameters and template arguments; "?" for one that is not known."""
    symbol = re.sub(r"\+0x[0-9a-f]+$", "", symbol)
    symbol = symbol.replace("operator()", "call").replace("(anonymous namespace)::", "")
    symbol = re.sub(r"operator(<=>|<<|>>|->|<|>)", "operator", symbol)
    for pair in ("<>", "()", "[]"):
        symbol = _without_nested(symbol, *pair)
    symbol = symbol.replace("strongroom::", "").replace("boost::asio::", "asio::").strip()
    return re.sub(r"( const|\.actor)$", "", symbol).split(" ")[-1] or "?"
