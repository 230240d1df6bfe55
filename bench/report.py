"""Writes reports: a table for the terminal, Markdown and JSON. Here that of ./dev bench vault."""

import dataclasses
import json
import statistics

# What design and measurement ask for, on a machine of two cores that load generator, database and
# vault share: (figure, at least or at most, value).
TARGETS = {
    "vault / pgbench": (">=", 0.8),
    "edge / vault": (">=", 0.65),
    "vaultd CPU": ("<=", 60),
    "open p99": ("<=", 10),
}


class Spread:
    """The median of repeats, with what it lies between."""

    def __init__(self, values):
        self.median, self.low, self.high = statistics.median(values), min(values), max(values)

    def text(self, form=",.0f"):
        return (f"{format(self.median, form)} ({format(self.low, form)} to "
                f"{format(self.high, form)})")


def verdict(name, value):
    comparison, limit = TARGETS[name]
    reached = value >= limit if comparison == ">=" else value <= limit
    return f"{comparison} {limit}: {'reached' if reached else 'MISSED'}"


def _rates(rounds, name):
    return [figures[name]["requests_per_second"] for figures in rounds]


def _latency(result):
    latency = result["latency_us"]
    return " / ".join(f"{latency[name] / 1000:.2f}" for name in ("p50", "p99", "p99_9", "max"))


def _cpu_rows(rounds, target):
    names = rounds[0][target]["cpu_us"]
    for name in names:
        spread = Spread([figures[target]["cpu_us"][name] for figures in rounds])
        judged = verdict("vaultd CPU", spread.median) \
            if name == "vaultd" and target == "vault" else ""
        yield f"CPU of {name}, us per request", spread.text(".1f"), judged
    own = Spread([figures[target]["loadgen_cpu_us_per_request"] for figures in rounds])
    yield "CPU of loadgen, us per request", own.text(".1f"), ""


def _pgbench_rows(result):
    rounds = result["rounds"]
    ratio = Spread([figures["vault"]["requests_per_second"] / figures["pgbench"]
                    for figures in rounds])
    yield (f"pgbench, one card per transaction, {result['pgbench_connections']} connections, per s",
           Spread([figures["pgbench"] for figures in rounds]).text(), "")
    yield "vault / pgbench", ratio.text(".2f"), verdict("vault / pgbench", ratio.median)


def rows(result, plan):
    """(what, figure, target) for one database."""
    rounds = result["rounds"]
    edge = Spread([figures["edge"]["requests_per_second"]
                   / figures["vault"]["requests_per_second"] for figures in rounds])
    yield (f"tokenize new cards at vaultd, {plan.connections} connections, per s",
           Spread(_rates(rounds, "vault")).text(), "")
    if "pgbench_connections" in result:
        yield from _pgbench_rows(result)
    closed = {name: Spread([figures["vault"]["latency_us"][name] / 1000 for figures in rounds])
              for name in ("p50", "p99")}
    yield "latency p50, ms", closed["p50"].text(".2f"), ""
    yield "latency p99, ms", closed["p99"].text(".2f"), ""
    yield from _cpu_rows(rounds, "vault")
    yield "tokenize through edged, per s", Spread(_rates(rounds, "edge")).text(), ""
    yield "edge / vault", edge.text(".2f"), verdict("edge / vault", edge.median)
    edged = Spread([figures["edge"]["cpu_us"]["edged"] for figures in rounds])
    yield "CPU of edged, us per request", edged.text(".1f"), ""
    for target, opened in result["open"].items():
        p99 = opened["latency_us"]["p99"] / 1000
        yield (f"open model at {opened['rate']:,.0f}/s, {target}: p50 / p99 / p99.9 / max, ms",
               _latency(opened), verdict("open p99", p99))
    for mix, measured in result["other"].items():
        yield (f"{mix}s, per s; CPU of vaultd, us",
               f"{measured['requests_per_second']:,.0f}; {measured['cpu_us']['vaultd']:.1f}", "")
    resident = ", ".join(f"{name} {kib / 1024:.0f}" for name, kib in result["idle_kib"].items())
    yield "memory of the idle processes, MiB", resident, ""


def noise(rounds, name, rate):
    """How far apart repeats of the same measurement lie, as a sentence."""
    values = [rate(figures) for figures in rounds]
    return f"{name}: the fastest of {len(values)} rounds is {max(values) / min(values):.2f} x " \
           "the slowest"


def _noises(result):
    rounds = result["rounds"]
    yield noise(rounds, "vault", lambda figures: figures["vault"]["requests_per_second"])
    if "pgbench_connections" in result:
        yield noise(rounds, "pgbench", lambda figures: figures["pgbench"])


def markdown(state, plan, results):
    lines = ["# Vault benchmark", "",
             f"Median of {plan.rounds} interleaved rounds of {plan.seconds} s, minimum to maximum. "
             "Load generator, database and daemons share the machine. One merchant adds all cards, "
             "of one BIN: `new_cards_per_truncation_daily` is raised to 60000, and its budgets to "
             "60 million a minute, so that these guards count and let them pass.", ""]
    for database, result in results.items():
        lines += [f"## {database}", "", "| what | figure | to reach |", "|---|---|---|"]
        lines += [f"| {what} | {figure} | {target} |" for what, figure, target
                  in rows(result, plan)]
        lines += [""]
        if "pgbench_rates" in result:
            rates = ", ".join(f"{rate:,.0f} at {count}"
                              for count, rate in result["pgbench_rates"].items())
            lines += [f"pgbench by connections, per s: {rates}. Rows of {result['row_bytes']} "
                      "bytes, the keys and indexes of `cards`, TLS.", ""]
        lines += ["Noise: " + "; ".join(_noises(result)) + ".", ""]
    lines += ["## Machine", ""]
    lines += [f"- {name}: {value}" for name, value in state.items()]
    return "\n".join(lines) + "\n"


def write(folder, state, plan, results):
    """Writes vault.md and vault.json to `folder` and prints the former."""
    write_files(folder, "vault", markdown(state, plan, results),
                {"machine": state, "plan": dataclasses.asdict(plan), "results": results})


def write_files(folder, name, text, record):
    """NAME.md and NAME.json; the former is printed, too."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"\n{text}\n{folder / name}.md, {folder / name}.json")
