"""The vault under load, in rounds that set the figures to compare side by side."""

import contextlib
import dataclasses
import json
import pathlib
import statistics
import subprocess
import tempfile

import deployment as d
import pgbench
import processes
from immutable import remove_folder

PGBENCH_CHOICES = (1, 4, 16, 64)


class BenchError(Exception):
    """What could not be measured, in words for the person who typed the command."""


@dataclasses.dataclass
class Plan:
    rounds: int = 7
    seconds: int = 5
    warmup: float = 1
    connections: int = 64
    pgbench_search_seconds: int = 2
    open_seconds: int = 10
    pool: int = 500  # cards made one by one before duplicates and look-ups are measured

    @staticmethod
    def quick():
        return Plan(rounds=3, seconds=2, warmup=0.3, pgbench_search_seconds=2, open_seconds=3,
                    pool=100)


class Loadgen:
    """Runs loadgen on a deployment, each run with cards that no run before it has used."""

    def __init__(self, deployment, pids):
        self._state = deployment.state_file
        self._pids = pids
        self._next_card = 0

    def run(self, target, seconds, plan, mix="new", rate=None):
        """loadgen's report, with "cpu_us": name of a process -> CPU time per request."""
        command = [d.BIN / "loadgen", "--state", self._state, "--json", "--target", target,
                   "--mix", mix, "--connections", plan.connections, "--seconds", seconds,
                   "--warmup", plan.warmup, "--pool", plan.pool, "--first", self._next_card]
        if rate:
            command += ["--rate", rate]
        with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                              text=True) as process:
            cpu, result = self._follow(process.stdout)
        if process.returncode != 0 or result is None:
            raise BenchError(f"loadgen exited with {process.returncode}")
        self._next_card = result["next_card"]
        if result["errors"]:
            raise BenchError(f"{result['errors']} of {result['requests']} requests to {target} "
                             f"failed: {result['statuses']} {result['failures']}")
        result["cpu_us"] = {name: (cpu["end"][name] - cpu["begin"][name]) / result["requests"]
                            for name in self._pids}
        return result

    def _follow(self, lines):
        cpu, result = {}, None
        for line in lines:
            event = json.loads(line)
            if event["event"] == "result":
                result = event
            else:
                cpu[event["event"]] = processes.cpu_us(self._pids)
        return cpu, result


def allow_all_from_one(deployment):
    """One merchant adds a million cards of one BIN here, which the guard against trying numbers
    would stop at a hundred per last four digits, and its budget at a thousand a second. Both count
    all the same."""
    limits = ("new_cards_per_truncation_daily = 60000\n"
              "tokenizes_per_minute = 60000000\n"
              "resolves_per_minute = 60000000\n")
    text = deployment.config.read_text()
    deployment.config.write_text(text.replace("[vaultd]\n", "[vaultd]\n" + limits, 1))


@contextlib.contextmanager
def running_deployment(database):
    """A fresh deployment that runs, and its Supervisor; both are gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    folder.chmod(0o711)  # PostgreSQL runs as a user of its own
    deployment = d.Deployment(folder / "deployment")
    supervisor = d.Supervisor(deployment)
    try:
        deployment.create(database)
        allow_all_from_one(deployment)
        supervisor.start_all()
        yield deployment, supervisor
    finally:
        supervisor.stop_all()
        remove_folder(folder)


def say(text):
    print(f"bench: {text}", flush=True)


def measure(database, plan):
    """Everything that is measured with one kind of database, as the report takes it."""
    say(f"{database}: making a deployment")
    with running_deployment(database) as (deployment, supervisor):
        pids = {name: process.pid for name, process in supervisor.processes.items()}
        result = {"idle_kib": {name: processes.resident_kib(pid) for name, pid in pids.items()}}
        loadgen = Loadgen(deployment, pids)
        loadgen.run("vault", 0.5, plan)  # caches, connections, and a row for pgbench to copy
        rival = None
        if database == "postgres":
            rival = start_pgbench(deployment, plan, result)
        result["rounds"] = [one_round(number, rival, loadgen, plan, result)
                            for number in range(1, plan.rounds + 1)]
        measure_rest(loadgen, plan, result)
        check_alive(supervisor)
    return result


def start_pgbench(deployment, plan, result):
    rival = pgbench.Pgbench(deployment.postgres.programs(),
                            deployment.state()["databases"]["vault"], deployment.dir)
    rates = rival.best_connections(PGBENCH_CHOICES, plan.pgbench_search_seconds)
    result["pgbench_rates"] = rates
    result["pgbench_connections"] = max(rates, key=rates.get)
    result["row_bytes"] = rival.row_bytes
    say("pgbench: " + ", ".join(f"{rate:.0f}/s at {connections}"
                                for connections, rate in rates.items()))
    return rival


def one_round(number, rival, loadgen, plan, result):
    """pgbench, the vault and the way through edged, one directly after the other."""
    figures = {}
    if rival:
        figures["pgbench"] = rival.run(result["pgbench_connections"], plan.seconds)
    figures["vault"] = loadgen.run("vault", plan.seconds, plan)
    figures["edge"] = loadgen.run("edge", plan.seconds, plan)
    say(f"round {number}: " + ", ".join(
        f"{name} {value if name == 'pgbench' else value['requests_per_second']:.0f}/s"
        for name, value in figures.items()))
    return figures


def measure_rest(loadgen, plan, result):
    half = {target: statistics.median(figures[target]["requests_per_second"]
                                      for figures in result["rounds"]) / 2
            for target in ("vault", "edge")}
    say(f"open model at {half['vault']:.0f}/s, through edged at {half['edge']:.0f}/s")
    result["open"] = {target: loadgen.run(target, plan.open_seconds, plan, rate=rate)
                      for target, rate in half.items()}
    say("duplicates and look-ups")
    result["other"] = {mix: loadgen.run("vault", plan.seconds, plan, mix=mix)
                       for mix in ("duplicate", "lookup")}


def check_alive(supervisor):
    for name, process in supervisor.processes.items():
        if process.poll() is not None:
            raise BenchError(f"{name} exited with {process.returncode} under load")
