"""New cards by the number of connections: a row each, and a picture of both databases."""

import dataclasses

import plot
import report
from load import say

COUNTS = (1, 4, 16, 64, 256)
WARMUP_SECONDS = 1  # in which 256 connections are made


def measure(loadgen, plan):
    """Rounds of: connections -> what loadgen reports."""
    plan = dataclasses.replace(plan, warmup=WARMUP_SECONDS)
    rounds = []
    for number in range(1, plan.connection_rounds + 1):
        rounds.append({count: loadgen.run("vault", plan.connection_seconds, plan, connections=count)
                       for count in COUNTS})
        say(f"by connections, round {number}: " + ", ".join(
            f"{run['requests_per_second']:.0f}/s with {count}"
            for count, run in rounds[-1].items()))
    return rounds


def spread(rounds, count, figure):
    return report.Spread([figure(figures[count]) for figures in rounds])


def rate(run):
    return run["requests_per_second"]


def rows(result):
    """(connections, cards per s, pgbench, p50, p99, CPU of vaultd), a row per number."""
    rounds = result["connections"]
    for count in COUNTS:
        beside = result.get("pgbench_rates", {}).get(count)
        times = [spread(rounds, count, lambda run, name=name: run["latency_us"][name] / 1000)
                 for name in ("p50", "p99")]
        used = spread(rounds, count, lambda run: run["cpu_us"]["vaultd"])
        yield [f"{count}", spread(rounds, count, rate).text(),
               f"{beside:,.0f}" if beside else "", *(time.text(".2f") for time in times),
               used.text(".0f")]


def markdown(result):
    return report.table(("connections", "new cards per s", "pgbench, per s", "p50, ms", "p99, ms",
                         "CPU of vaultd, us"), rows(result))


def picture(results):
    """New cards per second by connections, as SVG; `results`: database -> result."""
    names = {"postgres": "vaultd on PostgreSQL", "sqlite": "vaultd on SQLite"}
    series = {}
    for database, result in results.items():
        series[names[database]] = [spread(result["connections"], count, rate).median
                                   for count in COUNTS]
        if "pgbench_rates" in result:
            series["pgbench, one card per transaction"] = [
                result["pgbench_rates"].get(count) for count in COUNTS]
    return plot.lines("New cards per second, by connections", COUNTS, series)
