"""Rotations of `pan-encryption` on a filled vault: how fast the keys of cards move to the new
version when nothing else is to be done, what that costs requests at half load, and whether any
fails while the version changes under full load.
"""

import contextlib
import dataclasses
import statistics
import threading
import time

import fresh
import machine
import report
from load import BenchError, Loadgen, say

KEY = "/v1/keys/pan-encryption"
POLL_SECONDS = 0.02
QUIET_SECONDS = 2  # after the last request the job no longer counts as beside work
EMPTIED_SECONDS_MAX = 1800
MOVED = "strongroom_deks_moved_total"
RATE_TARGET = (">=", 15_000)
P99_TARGET = ("<=", 1.33)
# As in vault_bench: a card that waited for 100 ms in memory is shed, whatever made it wait.
SHED_MAX = 0.05


@dataclasses.dataclass
class Plan:
    rounds: int = 5
    seconds: float = 10
    warmup: float = 0.5
    connections: int = 64
    pool: int = 500
    cards: int = 150_000
    fill_seconds: float = 5

    @staticmethod
    def quick():
        return Plan(rounds=2, seconds=4, cards=30_000, fill_seconds=3, pool=100)


class Rotations:
    """Rotations by the admin socket, and what became of them."""

    def __init__(self, deployment):
        self._deployment = deployment
        self.version = 1  # that is active when the latest is through

    def _ask(self, method, path):
        status, answer = self._deployment.admin("vaultd", method, path)
        if status != 200:
            raise BenchError(f"vaultd answered {method} {path} with {status}: {answer}")
        return answer

    def moved(self):
        text = self._ask("GET", "/metrics")
        return next(float(line.removeprefix(MOVED)) for line in text.splitlines()
                    if line.startswith(f"{MOVED} "))

    def begin(self):
        self.version = self._ask("POST", f"{KEY}/rotate")["version"]

    def is_emptied(self):
        """Whether nothing stands under the version before any more."""
        return self._ask("GET", f"{KEY}/{self.version - 1}")["emptied_at"] is not None

    def is_active(self):
        return self._ask("GET", f"{KEY}/{self.version}")["state"] == "active"

    def wait_until(self, reached):
        end = time.monotonic() + EMPTIED_SECONDS_MAX
        while not reached():
            if time.monotonic() > end:
                raise BenchError("a rotation did not come to its end")
            time.sleep(POLL_SECONDS)

    def wait_until_moving(self):
        before = self.moved()
        self.wait_until(lambda: self.moved() != before)

    def rate_until_emptied(self):
        """DEKs per second, from the first that is moved to the last."""
        self.wait_until_moving()
        first, began = self.moved(), time.monotonic()
        last, ended = first, began
        while not self.is_emptied():
            now = self.moved()
            if now != last:
                last, ended = now, time.monotonic()
            time.sleep(POLL_SECONDS)
        return (last - first) / (ended - began)


def measure(database, plan):
    """{"cards", "capacity", "idle": [rate], "half": [{"alone", "beside", "rate"}], "full"}"""
    say(f"{database}: a deployment with {plan.cards:,} cards")
    with fresh.running_deployment(database) as (deployment, supervisor):
        loadgen = Loadgen(deployment, fresh.pids(supervisor), shed_max=SHED_MAX)
        rotations = Rotations(deployment)
        fills = []
        while sum(run["requests"] for run in fills) < plan.cards:
            fills.append(loadgen.run("vault", plan.fill_seconds, plan))
        rate = statistics.median(run["requests_per_second"] for run in fills)
        result = {"cards": sum(run["requests"] for run in fills), "capacity": rate,
                  "idle": [idle_round(number, rotations) for number in range(1, plan.rounds + 1)],
                  "half": [half_round(number, rotations, loadgen, rate / 2, plan)
                           for number in range(1, plan.rounds + 1)],
                  "full": full_round(rotations, loadgen, plan)}
        fresh.check_alive(supervisor)
    return result


def idle_round(number, rotations):
    time.sleep(QUIET_SECONDS)
    rotations.begin()
    rate = rotations.rate_until_emptied()
    say(f"idle, round {number}: {rate:.0f} DEKs/s")
    return rate


def half_round(number, rotations, loadgen, rate, plan):
    """The open model without the job and beside it, directly one after the other."""
    alone = loadgen.run("vault", plan.seconds, plan, rate=rate)
    rotations.begin()
    rotations.wait_until_moving()
    figures = {}

    def begin():
        figures["moved"], figures["at"] = rotations.moved(), time.monotonic()

    beside = loadgen.run("vault", plan.seconds, plan, rate=rate, on_begin=begin)
    moved, took = rotations.moved() - figures["moved"], time.monotonic() - figures["at"]
    if rotations.is_emptied():
        raise BenchError("the job was through before the load was: take more cards (--cards)")
    rotations.wait_until(rotations.is_emptied)
    say(f"half load, round {number}: p99 {alone['latency_us']['p99'] / 1000:.2f} ms alone,"
        f" {beside['latency_us']['p99'] / 1000:.2f} ms beside {moved / took:.0f} DEKs/s")
    return {"alone": alone, "beside": beside, "rate": moved / took}


def full_round(rotations, loadgen, plan):
    """As many requests as there can be while one version goes and the next one comes."""
    seconds = 3 * plan.seconds
    with contextlib.ExitStack() as stack:
        def begin():
            thread = threading.Timer(plan.seconds / 4, rotations.begin)
            thread.start()
            stack.callback(thread.join)

        run = loadgen.run("vault", seconds, plan, on_begin=begin)
    if not rotations.is_active():
        raise BenchError("the version did not become active under full load")
    rotations.wait_until(rotations.is_emptied)
    say(f"full load: {run['requests']} requests, {run['errors']} failed")
    return run


def rows(result):
    """(what, figure, target)"""
    idle = report.Spread(result["idle"])
    yield "DEKs moved, service idle, per s", idle.text(), report.verdict(RATE_TARGET, idle.median)
    half = result["half"]
    for name in ("p50", "p99"):
        alone, beside = ([figures[which]["latency_us"][name] / 1000 for figures in half]
                         for which in ("alone", "beside"))
        yield f"{name} at half load, without the job, ms", report.Spread(alone).text(".2f"), ""
        yield f"{name} at half load, beside the job, ms", report.Spread(beside).text(".2f"), ""
        times = report.Spread([two / one for one, two in zip(alone, beside)])
        yield (f"times as much, {name}", times.text(".2f"),
               report.verdict(P99_TARGET, times.median) if name == "p99" else "")
    moved = report.Spread([figures["rate"] for figures in half])
    yield "DEKs moved at half load, per s", moved.text(), ""
    full = result["full"]
    failed = full["errors"] - full["statuses"].get("503", 0)
    yield (f"failed of {full['requests']:,} requests under full load, in which the version changed",
           str(failed), "0")
    yield "of these, shed", str(full["statuses"].get("503", 0)), ""


def markdown(state, plan, results):
    lines = ["# Rotation benchmark", "",
             f"Median of {plan.rounds} rounds, minimum to maximum; rounds of load of"
             f" {plan.seconds:g} s. Load generator, database and all daemons share the machine.",
             ""]
    for database, result in results.items():
        lines += [f"## {report.DATABASES[database]}, {result['cards']:,} cards, half load"
                  f" {result['capacity'] / 2:,.0f}/s", "",
                  *report.table(("what", "figure", "to reach"), rows(result)), ""]
    lines += ["## Machine", "", *(f"- {name}: {value}" for name, value in state.items())]
    return "\n".join(lines) + "\n"


def run(folder, plan, databases):
    """Measures, and writes keys.md and keys.json to `folder`."""
    state = machine.describe()
    results = {database: measure(database, plan) for database in databases}
    report.write_files(folder, "keys", markdown(state, plan, results),
                       {"machine": state, "plan": dataclasses.asdict(plan), "result": results})
