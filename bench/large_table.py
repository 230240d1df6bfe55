"""What a card costs where millions stand already: two deployments side by side, one of them filled,
measured one directly after the other.
"""

import dataclasses
import shutil
import tempfile

import fresh
import many_cards
import report
from children import stop
from load import BenchError, Loadgen, say

ROW_BYTES_ON_DISK = 2_500  # with its indexes and the database's own log
DEARER_MAX = ("<=", 1.5)
LOOKUP_POOL = 5_000  # tokens, so that as many places of the index are read
MIXES = {"new": "new cards", "lookup": "look-ups"}


def measure(database, plan, shed_max):
    """{"cards", "rounds": [{"empty"|"large": {"new"|"lookup": what loadgen reports}}], "requests",
    "shed"}"""
    folder = tempfile.gettempdir()
    if shutil.disk_usage(folder).free < plan.cards * ROW_BYTES_ON_DISK:
        raise BenchError(f"{folder} has no room for {plan.cards:,} cards: take fewer (--cards)")
    say(f"{database}: two deployments, one of them for {plan.cards:,} cards")
    with fresh.running_deployment(database) as empty, fresh.running_deployment(database) as large:
        loadgens = {name: Loadgen(deployment, fresh.pids(supervisor), shed_max=shed_max)
                    for name, (deployment, supervisor) in (("empty", empty), ("large", large))}
        for loadgen in loadgens.values():
            loadgen.run("vault", 0.5, plan)  # a row to copy
        fill(*large, plan)
        loadgens["large"].pids = fresh.pids(large[1])
        rounds = [one_round(number, loadgens, plan) for number in range(1, plan.large_rounds + 1)]
        for _, supervisor in (empty, large):
            fresh.check_alive(supervisor)
    return {"cards": plan.cards, "rounds": rounds,
            "requests": sum(loadgen.requests for loadgen in loadgens.values()),
            "shed": sum(loadgen.shed for loadgen in loadgens.values())}


def fill(deployment, supervisor, plan):
    stop(supervisor.processes["vaultd"])
    many_cards.fill(deployment.state()["databases"]["vault"], plan.cards)
    fresh.start_again(deployment, supervisor, "vaultd")


def one_round(number, loadgens, plan):
    figures = {"empty": {}, "large": {}}
    for mix in MIXES:
        pool = LOOKUP_POOL if mix == "lookup" else plan.pool
        for name, loadgen in loadgens.items():
            figures[name][mix] = loadgen.run(
                "vault", plan.large_seconds, dataclasses.replace(plan, pool=pool), mix=mix)
    say(f"large table, round {number}: " + ", ".join(
        f"{mix} {figures['empty'][mix]['requests_per_second']:.0f}/s"
        f" and {figures['large'][mix]['requests_per_second']:.0f}/s" for mix in MIXES))
    return figures


def rows(result):
    """(what, empty, large, times dearer, target)"""
    rounds = result["rounds"]
    for mix, what in MIXES.items():
        rates = [[figures[name][mix]["requests_per_second"] for figures in rounds]
                 for name in ("empty", "large")]
        dearer = report.Spread([empty / large for empty, large in zip(*rates)])
        yield [f"{what}, per s", *(report.Spread(values).text() for values in rates),
               dearer.text(".2f"), report.verdict(DEARER_MAX, dearer.median)]
        for process in ("vaultd", "postgres"):
            if process in rounds[0]["empty"][mix]["cpu_us"]:
                yield [f"{what}, CPU of {process}, us",
                       *(f"{_cpu(rounds, name, mix, process):.1f}" for name in ("empty", "large")),
                       "", ""]


def _cpu(rounds, name, mix, process):
    return report.Spread([figures[name][mix]["cpu_us"][process] for figures in rounds]).median


def markdown(result):
    return report.table(("", "empty table", f"{result['cards']:,} cards", "times dearer",
                         "to reach"), rows(result))
