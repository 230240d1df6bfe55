"""The vault under load for long, and under more than it can take, through all processes on
PostgreSQL: whether memory stays flat, and what becomes of the requests that are too many.
"""

import contextlib
import dataclasses
import statistics
import threading
import time

import machine
import plot
import processes
import report
from fresh import check_alive, pids, running_deployment
from load import Loadgen, say

SHARE = 0.7     # of the highest rate, for the soak
TIMES = 3       # the highest rate, for the overload
PLACES = 12     # of the plot and the table
FLAT_SHARE = 1.05  # what memory may grow to from the middle to the end ...
FLAT_KIB = 2048    # ... or by
SAMPLE_SECONDS = 1
CONNECT_SECONDS = 4  # for as many handshakes, before it is measured


@dataclasses.dataclass
class Plan:
    rounds: int = 3
    seconds: int = 5
    warmup: float = 1
    connections: int = 64
    many_connections: int = 900   # so that not the load generator is where requests wait
    overload_seconds: int = 10
    soak_seconds: int = 600
    pool: int = 500

    @staticmethod
    def quick():
        return Plan(rounds=1, seconds=2, warmup=0.3, overload_seconds=3, soak_seconds=20, pool=50)


class Load(Loadgen):
    """Whose requests may be answered in any way: the report shows how."""

    def _is_fair(self, result):
        return True


def measure(plan, target):
    say("making a deployment on PostgreSQL")
    with running_deployment("postgres") as (deployment, supervisor):
        loadgen = Load(deployment, pids(supervisor))
        loadgen.run(target, 0.5, plan)  # caches and connections
        highest = statistics.median(loadgen.run(target, plan.seconds, plan)["requests_per_second"]
                                    for _ in range(plan.rounds))
        say(f"the highest rate is {highest:.0f}/s; at {SHARE} of it for {plan.soak_seconds} s")
        with Memory(loadgen.pids) as memory:
            soak = loadgen.run(target, plan.soak_seconds, plan, rate=SHARE * highest)
        result = {"highest": highest, "soak": soak, "memory": memory.samples,
                  "overload": overload(loadgen, plan, target, highest)}
        check_alive(supervisor)
    return result


def overload(loadgen, plan, target, highest):
    """Before, while and right after more comes than can be done."""
    many, seconds = plan.many_connections, plan.overload_seconds
    say(f"{TIMES} times as much over {many} connections for {seconds} s")
    connected = dataclasses.replace(plan, warmup=CONNECT_SECONDS)
    before = loadgen.run(target, seconds, connected, rate=SHARE * highest, connections=many)
    during = loadgen.run(target, seconds, connected, rate=TIMES * highest, connections=many)
    closed = loadgen.run(target, seconds, connected, connections=many)
    at_once = dataclasses.replace(plan, warmup=0)
    after = loadgen.run(target, plan.seconds, at_once, rate=SHARE * highest)
    return {"before": before, "during": during, "closed": closed, "after": after}


class Memory:
    """Samples the memory of processes while it is entered; of PostgreSQL's what is not shared."""

    def __init__(self, pids):
        self._pids = pids
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.samples = []  # {"at": seconds, name: KiB}

    def _sample(self):
        begin = time.monotonic()
        while not self._stopping.wait(SAMPLE_SECONDS):
            with contextlib.suppress(OSError):  # a backend that has just ended
                kib = {name: processes.own_kib(pid) for name, pid in self._pids.items()}
                self.samples.append({"at": time.monotonic() - begin, **kib})

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()


def by_place(samples, name):
    """The medians of as many equal parts of the time as there are places."""
    last = samples[-1]["at"]
    parts = [[] for _ in range(PLACES)]
    for sample in samples:
        parts[min(PLACES - 1, int(PLACES * sample["at"] / last))].append(sample[name])
    return [statistics.median(part or [samples[0][name]]) for part in parts]


def is_flat(medians):
    """From the middle on: until then caches and windows fill."""
    middle = medians[PLACES // 2]
    return medians[-1] <= max(FLAT_SHARE * middle, middle + FLAT_KIB)


def memory_rows(samples):
    """(process, MiB after a twelfth, in the middle, at the end, highest, verdict)"""
    for name in samples[0]:
        if name == "at":
            continue
        medians = by_place(samples, name)
        highest = max(sample[name] for sample in samples)
        shown = [medians[1], medians[PLACES // 2], medians[-1], highest]
        yield (name, *(f"{kib / 1024:.1f}" for kib in shown),
               "flat" if is_flat(medians) else "GROWS")


def picture(samples, names):
    minutes = samples[-1]["at"] / 60
    places = [round(minutes * (place + 1) / PLACES, 1) for place in range(PLACES)]
    series = {name: [max(kib, 1) / 1024 for kib in by_place(samples, name)] for name in names}
    return plot.lines("Memory under load, MiB by minutes", places, series)


def overload_row(name, run):
    latency = run["latency_us"]
    statuses = run["statuses"]
    admitted = run["requests_per_second"]
    shed = statuses.get("503", 0) / run["seconds"]
    others = {status: count for status, count in {**statuses, **run["failures"]}.items()
              if status not in ("200", "201", "503")}
    p50, p99, most = (f"{latency[key] / 1000:.1f}" for key in ("p50", "p99", "max"))
    due = f"{run['rate']:,.0f}" if run.get("rate") else "as many as are answered"
    return (f"| {name} | {due} | {admitted:,.0f} | {shed:,.0f} | {others or 'none'}"
            f" | {p50} / {p99} / {most} |")


def markdown(state, plan, target, result):
    soak = result["soak"]
    lines = ["# Soak and overload", "",
             f"New cards at {target}, PostgreSQL; load generator, database and daemons share the"
             f" machine. Highest rate, closed model, {plan.connections} connections:"
             f" {result['highest']:,.0f}/s.", "",
             f"## {plan.soak_seconds} s at {SHARE} of it", "",
             f"{soak['requests']:,} requests, {soak['errors']} errors; p50"
             f" {soak['latency_us']['p50'] / 1000:.1f} ms, p99"
             f" {soak['latency_us']['p99'] / 1000:.1f} ms.", "",
             "| process | MiB after a sixth | in the middle | at the end | highest | |",
             "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in memory_rows(result["memory"])]
    lines += ["", "Of `postgres` what its processes do not share.", "",
              "![Memory under load](soak.svg)", "", f"## {TIMES} times the highest rate", "",
              f"Open model, {plan.many_connections} connections (after: {plan.connections})."
              " Latency of what was admitted counts from when it was due, with its wait for a"
              " connection; in the closed model, where each sends the next as soon as it has an"
              " answer, from when it was sent.",
              "", "| | due per s | admitted per s | 503 per s | other answers |"
              " p50 / p99 / max, ms |", "|---|---|---|---|---|---|"]
    names = {"before": f"{SHARE} of the highest rate", "during": f"{TIMES} times the highest rate",
             "closed": f"{plan.many_connections} connections, closed model",
             "after": "at once after it"}
    lines += [overload_row(names[name], run) for name, run in result["overload"].items()]
    lines += ["", "## Machine", "", *(f"- {name}: {value}" for name, value in state.items())]
    return "\n".join(lines) + "\n"


def run(folder, plan, target):
    state = machine.describe()
    result = measure(plan, target)
    folder.mkdir(parents=True, exist_ok=True)
    shown = [name for name in ("vaultd", "edged", "auditd", "postgres", "audit-relay")
             if name in result["memory"][0]]
    (folder / "soak.svg").write_text(picture(result["memory"], shown))
    report.write_files(folder, "soak", markdown(state, plan, target, result),
                       {"machine": state, "plan": dataclasses.asdict(plan), "target": target,
                        "result": result})
