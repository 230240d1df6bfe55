"""The report of ./dev bench vault: what was measured, beside what design section 10 asks for."""

import dataclasses

import connections
import large_table
import report

# On a machine of two cores that load generator, database and vault share.
TARGETS = {
    "vault / pgbench": (">=", 1.2),
    "edge / vault": (">=", 0.65),
    "resolve / vault": (">=", 1.5),
    "hand-over / vault": (">=", 1.0),
    "vaultd CPU": ("<=", 60),
    "open p99": ("<=", 10),
    "start": ("<=", 1),
    "idle": ("<=", 64),
}
LOADS = {  # in the rounds: name -> what it is
    "vault": "new cards",
    "edge": "new cards through edged",
    "resolve": "resolves, processor token kept",
    "hand-over": "resolves, card to a null connector",
    "mixed": "four resolves of the first kind to one new card",
}


def judge(name, value):
    return report.verdict(TARGETS[name], value)


def rates(rounds, name):
    return report.Spread([figures[name]["requests_per_second"] for figures in rounds])


def ratio(rounds, name, other):
    return report.Spread([figures[name]["requests_per_second"]
                          / figures[other]["requests_per_second"] for figures in rounds])


def _pgbench_rows(result):
    rounds = result["rounds"]
    beside = report.Spread([figures["vault"]["requests_per_second"] / figures["pgbench"]
                            for figures in rounds])
    yield (f"pgbench, one card per transaction, {result['pgbench_connections']} connections, per s",
           report.Spread([figures["pgbench"] for figures in rounds]).text(), "")
    yield "vault / pgbench", beside.text(".2f"), judge("vault / pgbench", beside.median)


def _tokenize_rows(result, plan):
    rounds = result["rounds"]
    yield (f"new cards at vaultd, {plan.connections} connections, per s",
           rates(rounds, "vault").text(), "")
    if "pgbench_connections" in result:
        yield from _pgbench_rows(result)
    for name in ("p50", "p99"):
        time = report.Spread([figures["vault"]["latency_us"][name] / 1000 for figures in rounds])
        yield f"latency {name}, ms", time.text(".2f"), ""
    used = report.Spread([figures["vault"]["cpu_us"]["vaultd"] for figures in rounds])
    yield "CPU of vaultd per card, us", used.text(".1f"), judge("vaultd CPU", used.median)
    yield "new cards through edged, per s", rates(rounds, "edge").text(), ""
    through = ratio(rounds, "edge", "vault")
    yield "edge / vault", through.text(".2f"), judge("edge / vault", through.median)


def _resolve_rows(result):
    rounds = result["rounds"]
    for name in ("resolve", "hand-over", "mixed"):
        yield f"{LOADS[name]}, per s", rates(rounds, name).text(), ""
        beside = ratio(rounds, name, "vault")
        target = f"{name} / vault"
        yield target, beside.text(".2f"), judge(target, beside.median) if target in TARGETS else ""


def _open_rows(result):
    """The target is one of the vault alone, on PostgreSQL."""
    for target, opened in result["open"].items():
        latency = opened["latency_us"]
        text = " / ".join(f"{latency[name] / 1000:.2f}" for name in ("p50", "p99", "p99_9", "max"))
        judged = judge("open p99", latency["p99"] / 1000) \
            if target == "vault" and "pgbench_connections" in result else ""
        yield (f"open model at {opened['rate']:,.0f}/s, {target}: p50 / p99 / p99.9 / max, ms",
               text, judged)


def _idle_rows(result):
    start = report.Spread(result["start_s"])
    yield "start of vaultd to ready, s", start.text(".2f"), judge("start", start.median)
    idle = result["idle_kib"]["vaultd"] / 1024
    yield "memory of an idle vaultd, MiB", f"{idle:.0f}", judge("idle", idle)
    others = ", ".join(f"{name} {kib / 1024:.0f}" for name, kib in result["idle_kib"].items()
                       if name != "vaultd")
    yield "of the others, MiB", others, ""


def rows(result, plan):
    """(what, figure, target) for one database."""
    yield from _tokenize_rows(result, plan)
    yield from _resolve_rows(result)
    yield from _open_rows(result)
    for mix, measured in result["other"].items():
        yield f"{mix}s, per s", f"{measured['requests_per_second']:,.0f}", ""
    yield from _idle_rows(result)


def cpu_rows(result):
    """CPU time per request of each process, a row per kind of load."""
    rounds = result["rounds"]
    for load, what in LOADS.items():
        yield [what, *(f"{report.Spread([use(figures[load]) for figures in rounds]).median:.1f}"
                       for use in _uses(result))]
    for mix, measured in result["other"].items():
        yield [f"{mix}s", *(f"{use(measured):.1f}" for use in _uses(result))]


def _processes(result):
    return list(result["rounds"][0]["vault"]["cpu_us"])


def _uses(result):
    """How to find each process's time in what loadgen reports; loadgen's own is the last."""
    for name in _processes(result):
        yield lambda run, name=name: run["cpu_us"][name]
    yield lambda run: run["loadgen_cpu_us_per_request"]


def _noises(result):
    rounds = result["rounds"]
    yield report.noise(rounds, "vault", lambda figures: figures["vault"]["requests_per_second"])
    if "pgbench_connections" in result:
        yield report.noise(rounds, "pgbench", lambda figures: figures["pgbench"])


def _database(result, plan):
    yield from report.table(("what", "figure", "to reach"), rows(result, plan))
    yield ""
    if "pgbench_rates" in result:
        yield (f"pgbench puts rows of {result['row_bytes']} bytes, with the keys and indexes of "
               "`cards`, over TLS.")
        yield ""
    yield "CPU time per request, us, by process:"
    yield ""
    yield from report.table(("load", *_processes(result), "loadgen"), cpu_rows(result))
    yield ""
    yield "New cards by connections:"
    yield ""
    yield from connections.markdown(result)
    yield ""
    yield "Where many cards stand already:"
    yield ""
    yield from large_table.markdown(result["large"])
    yield ""
    requests, shed = (sum(part[name] for part in (result, result["large"]))
                      for name in ("requests", "shed"))
    yield f"Shed with 503, as they had waited for too long: {shed:,} of {requests:,} requests."
    yield ""
    for name in result.get("flames", ()):
        yield f"![Where vaultd's CPU time goes]({name})"
        yield ""
    yield "Noise: " + "; ".join(_noises(result)) + "."
    yield ""


def markdown(state, plan, results):
    lines = ["# Vault benchmark", "",
             f"Median of {plan.rounds} interleaved rounds of {plan.seconds} s, minimum to maximum; "
             f"by connections of {plan.connection_rounds} of {plan.connection_seconds} s, "
             f"beside a large table of {plan.large_rounds} of {plan.large_seconds} s. "
             "Load generator, database and daemons share the machine. One merchant adds all cards, "
             "of one BIN: `new_cards_per_truncation_daily` is raised to 60000, and its budgets to "
             "60 million a minute, so that these guards count and let them pass. Resolves are "
             "asked for as gatewayd does: of a processor token that the vault keeps sealed with "
             "the card, or for an account without one, for which it opens the card and hands it to "
             "a connector that drops it, and keeps the processor token that comes back. A large "
             "table is filled with copies of a row under other keys, in SQL; beside it runs "
             "another deployment on an empty one.", ""]
    for database, result in results.items():
        lines += [f"## {report.DATABASES[database]}", "", *_database(result, plan)]
    lines += ["![New cards per second, by connections](vault_connections.svg)", "",
              "![Latency of a new card, by connections](vault_latency.svg)", "",
              "## Machine", "", *(f"- {name}: {value}" for name, value in state.items())]
    return "\n".join(lines) + "\n"


def write(folder, state, plan, results):
    """Writes vault.md, vault.json and the pictures to `folder` and prints the first."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in connections.pictures(results).items():
        (folder / name).write_text(picture)
    report.write_files(folder, "vault", markdown(state, plan, results),
                       {"machine": state, "plan": dataclasses.asdict(plan), "results": results})
