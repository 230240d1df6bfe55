"""Sales by token through all processes on PostgreSQL, beside the processor's stand-in called
directly by the load generator.
"""

import dataclasses
import http.client
import json
import ssl
import statistics

import psycopg2

import machine
import report
from fresh import check_alive, pids, running_deployment
from load import Loadgen, say

SALES_PER_SECOND = 2000  # to reach, on a machine of two cores that all processes share


@dataclasses.dataclass
class Plan:
    rounds: int = 7
    seconds: int = 5
    warmup: float = 1
    connections: int = 64
    pool: int = 200  # cards, each of which has paid once before

    @staticmethod
    def quick():
        return Plan(rounds=3, seconds=2, warmup=0.3, pool=50)


def measure(plan):
    say("making a deployment on PostgreSQL")
    with running_deployment("postgres") as (deployment, supervisor):
        loadgen = Loadgen(deployment, pids(supervisor))
        loadgen.run("edge", 0.5, plan, mix="sale")  # caches and connections
        counters = Counters(deployment)
        rounds = [one_round(number, loadgen, counters, plan)
                  for number in range(1, plan.rounds + 1)]
        rate = statistics.median(figures["sale"]["requests_per_second"] for figures in rounds) / 2
        say(f"open model at {rate:.0f}/s")
        opened = loadgen.run("edge", plan.seconds, plan, mix="sale", rate=rate)
        check_alive(supervisor)
    return {"rounds": rounds, "open": opened}


class Counters:
    """What can be counted beside sales: transactions that write, requests to the processor."""

    def __init__(self, deployment):
        self._database = psycopg2.connect(deployment.state()["databases"]["core"])
        self._database.autocommit = True
        host, port = deployment.simulator_address()
        trust = ssl.create_default_context(cafile=deployment.dir / "tls/ca/ca.crt")
        self._processor = http.client.HTTPSConnection(host, port, context=trust)

    def read(self):
        """So far: (payments, transactions that wrote to any database, requests about charges)."""
        with self._database.cursor() as cursor:
            cursor.execute("SELECT (SELECT count(*) FROM payments),"
                           " pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            payments, transactions = cursor.fetchone()
        self._processor.request("GET", "/_sim/requests")
        by_route = json.load(self._processor.getresponse())["by_route"]
        requests = sum(count for route, count in by_route.items()
                       if "/v1/payment_intents" in route)  # not the handing over of new cards
        return payments, transactions, requests

    def per_sale(self, before):
        payments, transactions, requests = (after - start for after, start
                                            in zip(self.read(), before))
        return {"transactions": transactions / payments, "requests": requests / payments}


def one_round(number, loadgen, counters, plan):
    before = counters.read()
    sale = loadgen.run("edge", plan.seconds, plan, mix="sale")
    sale["per_sale"] = counters.per_sale(before)
    figures = {"sale": sale,
               "processor": loadgen.run("processor", plan.seconds, plan, mix="sale")}
    say(f"round {number}: " + ", ".join(
        f"{name} {run['requests_per_second']:.0f}/s" for name, run in figures.items()))
    return figures


def rows(result, plan):
    """(what, figure, target)"""
    rounds = result["rounds"]

    def spread(name, figure):
        return report.Spread([figure(figures[name]) for figures in rounds])

    sales = spread("sale", lambda run: run["requests_per_second"])
    yield (f"sales through edged, gatewayd, vaultd and connectord, {plan.connections} connections,"
           " per s", sales.text(), report.verdict((">=", SALES_PER_SECOND), sales.median))
    for name in ("p50", "p90", "p99"):
        latency = spread("sale", lambda run, name=name: run["latency_us"][name] / 1000)
        yield f"latency {name}, ms", latency.text(".2f"), ""
    writing = spread("sale", lambda run: run["per_sale"]["transactions"])
    yield "transactions that write, both databases, per sale", writing.text(".2f"), "<= 2"
    asked = spread("sale", lambda run: run["per_sale"]["requests"])
    yield "requests to the processor, per sale", asked.text(".3f"), "1"
    for process in rounds[0]["sale"]["cpu_us"]:
        used = spread("sale", lambda run, process=process: run["cpu_us"][process])
        yield f"CPU of {process}, us per sale", used.text(".1f"), ""
    own = spread("sale", lambda run: run["loadgen_cpu_us_per_request"])
    yield "CPU of loadgen, us per sale", own.text(".1f"), ""
    direct = spread("processor", lambda run: run["requests_per_second"])
    yield "the stand-in called directly, charges per s", direct.text(), ""
    used = spread("processor", lambda run: run["cpu_us"]["psp-sim"])
    yield "CPU of psp-sim then, us per charge", used.text(".1f"), ""
    opened = result["open"]
    percentiles = " / ".join(f"{opened['latency_us'][name] / 1000:.2f}"
                             for name in ("p50", "p99", "p99_9", "max"))
    yield (f"open model at {opened['rate']:,.0f}/s: p50 / p99 / p99.9 / max, ms", percentiles, "")


def markdown(state, plan, result):
    lines = ["# Payment benchmark", "",
             f"Median of {plan.rounds} interleaved rounds of {plan.seconds} s, minimum to maximum. "
             "Load generator, PostgreSQL, the processor's stand-in and all daemons share the "
             f"machine. {plan.pool} cards, which the processor has already; each sale has its own "
             "Idempotency-Key and must come back captured.", "",
             "| what | figure | to reach |", "|---|---|---|"]
    lines += [f"| {what} | {figure} | {target} |" for what, figure, target in rows(result, plan)]
    lines += ["", "## Machine", "", *(f"- {name}: {value}" for name, value in state.items())]
    return "\n".join(lines) + "\n"


def run(folder, plan):
    """Measures, and writes pay.md and pay.json to `folder`."""
    state = machine.describe()
    result = measure(plan)
    report.write_files(folder, "pay", markdown(state, plan, result),
                       {"machine": state, "plan": dataclasses.asdict(plan), "result": result})
