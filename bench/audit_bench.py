"""The audit log's speed: from a plain loop of write and fdatasync to all of auditd, and what a
large log costs to start on, to prove from and to verify.
"""

import dataclasses
import json
import pathlib
import shutil
import subprocess
import tempfile

import deployment as d
import machine
import plot
import report
from load import BenchError, say

# (figure, at least or at most, value), as issue and design ask, on a machine of two cores.
TARGETS = {
    "entries per second": (">=", 100_000),
    "added to a tokenization": ("<=", 1),
    "start": ("<=", 5),
    "proof": ("<=", 5),
    "verification": (">=", 500_000),
    "growth of memory": ("<=", 16),
}
ENTRY_BYTES_ON_DISK = 900  # frame, hash and place, with room to spare
RUN_SECONDS_MAX = 900  # a measurement that takes longer hangs


@dataclasses.dataclass
class Plan:
    rounds: int = 5
    seconds: float = 2.5  # through the socket; half of it for the disk alone
    entries: int = 10_000_000
    proofs: int = 2_000
    writers: tuple = (1, 4, 16, 64, 256, 1024)
    rates: tuple = (500, 2_000, 5_000)  # tokenizations per second

    @staticmethod
    def quick():
        return Plan(rounds=2, seconds=1, entries=1_000_000, proofs=500)


def audit_load(folder, *arguments):
    """What one run of audit_load has measured."""
    command = [d.BIN / "audit_load", folder, *arguments]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True,
                          timeout=RUN_SECONDS_MAX)
    if done.returncode != 0:
        raise BenchError(f"audit_load {' '.join(map(str, arguments))} "
                         f"exited with {done.returncode}")
    return json.loads(done.stdout)


def one_round(number, folder, plan):
    """The disk and auditd, one directly after the other, for each number of writers."""
    def disk(what, group):
        return audit_load(folder, what, "--group", group, "--seconds", plan.seconds / 2)

    figures = {"loop": disk("plain", 1), "plain": {}, "journal": {}, "socket": {}, "rate": {}}
    for count in plan.writers:
        figures["plain"][count] = disk("plain", count)
        figures["journal"][count] = disk("journal", count)
        figures["socket"][count] = audit_load(folder, "socket", "--writers", count,
                                              "--seconds", plan.seconds)
    for rate in plan.rates:
        figures["rate"][rate] = audit_load(folder, "socket", "--rate", rate,
                                           "--seconds", plan.seconds)
    say(f"round {number}: " + ", ".join(
        f"{run['entries_per_second']:,.0f}/s with {count}"
        for count, run in figures["socket"].items()))
    return figures


def large_log(folder, plan):
    needed = plan.entries * ENTRY_BYTES_ON_DISK
    if shutil.disk_usage(folder).free < needed:
        raise BenchError(f"{folder} has no room for a log of {needed >> 20} MiB")
    log = pathlib.Path(folder) / "log"
    log.mkdir()
    say(f"a log of {plan.entries:,} entries")
    result = {"make": audit_load(log, "make", "--entries", plan.entries)}
    say("start, proofs and verification")
    result["start"] = audit_load(log, "start")
    result["prove"] = audit_load(log, "prove", "--count", plan.proofs)
    result["verify"] = audit_load(log, "verify")
    return result


def measure(folder, plan):
    """Everything that is measured, in a folder of its own below `folder`."""
    with tempfile.TemporaryDirectory(prefix="strongroom-audit-", dir=folder) as own:
        rounds = [one_round(number, own, plan) for number in range(1, plan.rounds + 1)]
        return {"rounds": rounds, "large": large_log(own, plan)}


def _verdict(name, value):
    return report.verdict(TARGETS[name], value)


def _spread(rounds, what, key, figure):
    return report.Spread([figures[what][key][figure] for figures in rounds])


def best_writers(rounds, plan):
    """The number of writers that auditd takes most entries of."""
    return max(plan.writers,
               key=lambda count: _spread(rounds, "socket", count, "entries_per_second").median)


def writer_rows(result, plan):
    """(writers, loop of groups, journal, auditd, group, p50, p99, CPU), a row per number."""
    rounds = result["rounds"]
    for count in plan.writers:
        rates = [_spread(rounds, what, count, "entries_per_second").text()
                 for what in ("plain", "journal", "socket")]
        rest = [format(_spread(rounds, "socket", count, name).median / unit, form)
                for name, unit, form in (("entries_per_group", 1, ",.0f"), ("p50_us", 1000, ".2f"),
                                         ("p99_us", 1000, ".2f"),
                                         ("auditd_cpu_us_per_entry", 1, ".1f"))]
        yield [f"{count:,}", *rates, *rest]


def rows(result, plan):
    """(what, figure, target)"""
    rounds, large = result["rounds"], result["large"]
    loop = report.Spread([figures["loop"]["entries_per_second"] for figures in rounds])
    yield "loop of write and fdatasync, one entry each, per s", loop.text(), ""
    best = best_writers(rounds, plan)
    entries = _spread(rounds, "socket", best, "entries_per_second")
    yield (f"durable entries through auditd, {best} writers, per s", entries.text(),
           _verdict("entries per second", entries.median))
    for rate in plan.rates:
        waited = _spread(rounds, "rate", rate, "p50_us")
        tail = _spread(rounds, "rate", rate, "p99_us")
        yield (f"a tokenization waits for its intent, {rate:,} per s: p50, ms",
               report.Spread([us / 1000 for us in (waited.low, waited.median, waited.high)])
               .text(".2f"), _verdict("added to a tokenization", waited.median / 1000))
        yield "the same: p99, ms", f"{tail.median / 1000:.2f}", ""
    start, prove, verify, make = (large[name] for name in ("start", "prove", "verify", "make"))
    yield (f"start on {make['entries']:,.0f} entries, after a crash at the worst time, s",
           f"{start['after_crash_ms'] / 1000:.2f}",
           _verdict("start", start["after_crash_ms"] / 1000))
    yield "the same after a stop, s", f"{start['after_stop_ms'] / 1000:.2f}", ""
    yield ("inclusion proof from there: p50 / p99 / max, ms",
           " / ".join(f"{prove[name] / 1000:.2f}" for name in ("p50_us", "p99_us", "max_us")),
           _verdict("proof", prove["p99_us"] / 1000))
    yield ("verification of all of it, entries per s", f"{verify['entries_per_second']:,.0f}",
           _verdict("verification", verify["entries_per_second"]))
    early = make["resident_mib_at_a_tenth"]
    growth = make["resident_mib"] - early
    yield (f"memory at a tenth of the log, MiB: {early:.0f}; what the rest adds",
           f"{growth:.0f}", _verdict("growth of memory", growth))


def picture(result, plan):
    """Entries per second by writers, as SVG."""
    rounds = result["rounds"]
    series = {title: [_spread(rounds, what, count, "entries_per_second").median
                      for count in plan.writers]
              for what, title in (("plain", "plain loop, as many entries per fdatasync"),
                                  ("journal", "journal alone"),
                                  ("socket", "auditd through its socket"))}
    loop = report.Spread([figures["loop"]["entries_per_second"] for figures in rounds]).median
    series["plain loop, one entry per fdatasync"] = [loop] * len(plan.writers)
    return plot.lines("Durable audit entries per second, by writers", plan.writers, series)


def markdown(state, plan, result):
    best = best_writers(result["rounds"], plan)
    lines = ["# Audit log benchmark", "",
             f"Median of {plan.rounds} interleaved rounds, minimum to maximum. An entry has "
             f"{result['large']['make']['entry_bytes']:.0f} bytes in the journal. Writers and "
             "auditd share the machine; each writer waits until its entry is durable. A "
             "tokenization is an intent that is waited for and an outcome that follows, on a "
             "schedule. The large log was made by one process, in groups of 256; start and proofs "
             "find none of it in memory.", "",
             "| what | figure | to reach |", "|---|---|---|",
             *(f"| {what} | {figure} | {target} |" for what, figure, target
               in rows(result, plan)), "",
             "| writers | plain loop of such groups, per s | journal alone, per s "
             "| auditd, per s | entries per fdatasync | p50, ms | p99, ms "
             "| CPU of auditd per entry, us |", "|---|---|---|---|---|---|---|---|",
             *("| " + " | ".join(row) + " |" for row in writer_rows(result, plan)), "",
             "![Durable entries per second](audit.svg)", "",
             "Noise: " + "; ".join(
                 report.noise(result["rounds"], name, rate) for name, rate in (
                     ("auditd", lambda f: f["socket"][best]["entries_per_second"]),
                     ("plain loop", lambda f: f["loop"]["entries_per_second"]))) + ".", "",
             "## Machine", "", *(f"- {name}: {value}" for name, value in state.items())]
    return "\n".join(lines) + "\n"


def run(folder, plan, disk):
    """Measures on the file system of `disk`, and writes audit.md, .json and .svg to `folder`."""
    state = machine.describe()
    result = measure(disk, plan)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "audit.svg").write_text(picture(result, plan))
    report.write_files(folder, "audit", markdown(state, plan, result),
                       {"machine": state, "plan": dataclasses.asdict(plan), "result": result})
