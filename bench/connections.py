"""New cards by the number of connections: a row each, and pictures of both databases."""

import dataclasses

import plot
import report
from load import say

COUNTS = (1, 4, 16, 64, 256)
PERCENTILES = ("p50", "p99")
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


def latency_ms(run, name):
    return run["latency_us"][name] / 1000


def rows(result):
    """(connections, cards per s, pgbench, p50, p99, CPU of vaultd), a row per number."""
    rounds = result["connections"]
    for count in COUNTS:
        beside = result.get("pgbench_rates", {}).get(count)
        times = [spread(rounds, count, lambda run, name=name: latency_ms(run, name))
                 for name in PERCENTILES]
        used = spread(rounds, count, lambda run: run["cpu_us"]["vaultd"])
        yield [f"{count}", spread(rounds, count, rate).text(),
               f"{beside:,.0f}" if beside else "", *(time.text(".2f") for time in times),
               used.text(".0f")]


def markdown(result):
    return report.table(("connections", "new cards per s", "pgbench, per s", "p50, ms", "p99, ms",
                         "CPU of vaultd, us"), rows(result))


def pictures(results):
    """File name -> SVG; `results`: database -> result."""
    return {"vault_connections.svg": _rates(results), "vault_latency.svg": _latencies(results)}


def _rates(results):
    series = {}
    for database, result in results.items():
        series[f"vaultd on {report.DATABASES[database]}"] = [
            spread(result["connections"], count, rate).median for count in COUNTS]
        if "pgbench_rates" in result:
            series["pgbench, one card per transaction"] = [
                result["pgbench_rates"].get(count) for count in COUNTS]
    return plot.lines("New cards per second, by connections", COUNTS, series)


def _latencies(results):
    series = {f"{name} on {report.DATABASES[database]}": [
        spread(result["connections"], count, lambda run: latency_ms(run, name)).median
        for count in COUNTS] for database, result in results.items() for name in PERCENTILES}
    return plot.lines("Latency of a new card in ms, by connections", COUNTS, series)
