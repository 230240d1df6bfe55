"""The vault under load, in rounds that set the figures to compare side by side."""

import dataclasses
import statistics

import connections
import fresh
import large_table
import machine
import pgbench
import processes
import resolves
import vault_flames
import vault_report
from load import Loadgen, say

PGBENCH_CHOICES = (1, 4, 16, 64)
STARTS = 5
# Of a run's requests: a card that waited for 100 ms in memory is shed, and a stall of the disk can
# be as long, as can a turn with 256 connections. The report counts them.
SHED_MAX = 0.05
LOADS = {  # of a round: name -> loadgen's target and mix
    "vault": ("vault", "new"),
    "edge": ("edge", "new"),
    "resolve": ("vault", "resolve"),
    "hand-over": ("vault", "hand-over"),
    "mixed": ("vault", "mixed"),
}


@dataclasses.dataclass
class Plan:
    rounds: int = 7
    seconds: float = 4
    warmup: float = 0.5
    connections: int = 64
    pgbench_search_seconds: float = 2
    connection_rounds: int = 3
    connection_seconds: float = 2
    open_seconds: float = 10
    large_rounds: int = 5
    large_seconds: float = 2
    cards: int = 5_000_000  # in the large table
    flame: bool = False
    flame_seconds: float = 5
    pool: int = 500  # cards made before anything but new cards is measured

    @staticmethod
    def quick():
        return Plan(rounds=3, seconds=2, warmup=0.3, pgbench_search_seconds=1, connection_rounds=1,
                    connection_seconds=1, open_seconds=3, large_rounds=1, large_seconds=1,
                    cards=200_000, pool=100)


def measure(database, plan, folder):
    """Everything that is measured with one kind of database, as the report takes it. Flame graphs
    go to `folder`."""
    say(f"{database}: making a deployment")
    with fresh.running_deployment(database, resolves.start) as (deployment, supervisor):
        result = {"start_s": [fresh.start_again(deployment, supervisor, "vaultd")
                              for _ in range(STARTS)]}
        pids = fresh.pids(supervisor)
        result["idle_kib"] = {name: processes.resident_kib(pid) for name, pid in pids.items()}
        loadgen = Loadgen(deployment, pids, resolves.gateway_options(deployment), SHED_MAX)
        loadgen.run("vault", 0.5, plan)  # caches, connections, and a row for pgbench to copy
        rival = None
        if database == "postgres":
            rival = start_pgbench(deployment, plan, result)
        result["rounds"] = [one_round(number, rival, loadgen, plan, result)
                            for number in range(1, plan.rounds + 1)]
        result["connections"] = connections.measure(loadgen, plan)
        measure_rest(loadgen, plan, result)
        if plan.flame:
            result["flames"] = vault_flames.draw(database, loadgen, plan, folder)
        fresh.check_alive(supervisor)
        result["requests"], result["shed"] = loadgen.requests, loadgen.shed
    result["large"] = large_table.measure(database, plan, SHED_MAX)
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
    """pgbench, then each kind of load whose rate is set beside another's, directly one after the
    other."""
    figures = {}
    if rival:
        figures["pgbench"] = rival.run(result["pgbench_connections"], plan.seconds)
    for name, (target, mix) in LOADS.items():
        figures[name] = loadgen.run(target, plan.seconds, plan, mix=mix)
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


def run(folder, plan, databases):
    """Measures, and writes vault.md, .json and the pictures to `folder`."""
    state = machine.describe()
    results = {database: measure(database, plan, folder) for database in databases}
    vault_report.write(folder, state, plan, results)
