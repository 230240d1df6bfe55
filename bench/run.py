"""./dev bench: measures, with the state of the machine in the report.

`./dev bench vault` loads a fresh deployment with new cards and sets the rate beside pgbench, which
puts the same rows into the same PostgreSQL server one per transaction, through edged, and beside
resolves; then by 1 to 256 connections, in the open model, with duplicates and look-ups, and beside
a table of 5 million cards. `./dev bench keys` rotates `pan-encryption` with nothing else to do, at
half load and under full load. `./dev bench pay` sells by token through all processes, beside the
processor's stand-in called directly. `./dev bench audit` fills the audit log, beside a plain loop
of write and fdatasync, and makes a large one to start on, prove from and verify. `./dev bench soak`
loads all processes for ten minutes and tells what memory they need, then sends three times what
they can take. Each figure of the others is the median of interleaved rounds with its minimum and
maximum. The reports go to build/bench, as vault.md, keys.md, pay.md, audit.md, soak.md and the same
as JSON, with pictures. Exits 1 when a request failed or something could not be measured; a target
that is missed is in the report, not in the exit status.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

import audit_bench  # noqa: E402
import deployment as d  # noqa: E402
import keys_bench  # noqa: E402
import load  # noqa: E402
import pay_bench  # noqa: E402
import pgbench  # noqa: E402
import soak_bench  # noqa: E402
import vault_bench  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="what", required=True)
    vault = verbs.add_parser("vault", help="tokenize, resolve, look up, through edged, open model")
    vault.add_argument("--cards", type=int, metavar="N",
                       help="in the large table (default 5 million, --quick 200,000)")
    vault.add_argument("--flame", action="store_true",
                       help="flame graphs of vaultd as well, by perf (linux-perf; needs root)")
    keys = verbs.add_parser("keys", help="rotation and re-wrapping, idle and under load")
    keys.add_argument("--cards", type=int, metavar="N",
                      help="to move (default 150,000, --quick 30,000)")
    for verb in (vault, keys):
        verb.add_argument("--db", choices=("sqlite", "postgres", "both"), default="both")
    pay = verbs.add_parser("pay", help="sales by token, on PostgreSQL")
    audit = verbs.add_parser("audit", help="durable entries, start, proofs, verification")
    audit.add_argument("--entries", type=int, metavar="N",
                       help="of the large log (default 10 million, --quick 1 million)")
    audit.add_argument("--disk", default=tempfile.gettempdir(), metavar="DIR",
                       help="whose file system is measured (default %(default)s)")
    soak = verbs.add_parser("soak", help="memory over ten minutes, and overload, on PostgreSQL")
    soak.add_argument("--minutes", type=float, metavar="N", help="default 10; --quick a third")
    soak.add_argument("--target", choices=("edge", "vault"), default="edge",
                      help="through edged (default), or vaultd itself")
    for verb in (vault, keys, pay, soak):
        verb.add_argument("--connections", type=int, default=64, metavar="N", help="default 64")
    for verb in (vault, keys, pay, audit, soak):
        verb.add_argument("--pairs", type=int, metavar="N",
                          help="rounds (default 7, keys and audit 5, soak 3; --quick 3, keys and "
                               "audit 2, soak 1)")
        verb.add_argument("--quick", action="store_true",
                          help="shorter and fewer runs, 2 to 3 minutes")
        verb.add_argument("--output", type=pathlib.Path, default=d.ROOT / "build" / "bench",
                          metavar="DIR", help="where the report goes (default build/bench)")
    return parser.parse_args()


def plan_of(bench, arguments):
    plan = bench.Plan.quick() if arguments.quick else bench.Plan()
    plan.rounds = arguments.pairs or plan.rounds
    return plan


def databases_of(arguments):
    return ("postgres", "sqlite") if arguments.db == "both" else (arguments.db,)


def run_vault(arguments):
    plan = plan_of(vault_bench, arguments)
    plan.connections = arguments.connections
    plan.cards = arguments.cards or plan.cards
    plan.flame = arguments.flame
    d.build_programs("loadgen", "null_connector")
    vault_bench.run(arguments.output, plan, databases_of(arguments))


def run_keys(arguments):
    plan = plan_of(keys_bench, arguments)
    plan.connections = arguments.connections
    plan.cards = arguments.cards or plan.cards
    d.build_programs("loadgen")
    keys_bench.run(arguments.output, plan, databases_of(arguments))


def run_pay(arguments):
    plan = plan_of(pay_bench, arguments)
    plan.connections = arguments.connections
    d.build_programs("loadgen")
    pay_bench.run(arguments.output, plan)


def run_soak(arguments):
    plan = plan_of(soak_bench, arguments)
    plan.connections = arguments.connections
    if arguments.minutes:
        plan.soak_seconds = round(60 * arguments.minutes)
    d.build_programs("loadgen")
    soak_bench.run(arguments.output, plan, arguments.target)


def run_audit(arguments):
    plan = plan_of(audit_bench, arguments)
    plan.entries = arguments.entries or plan.entries
    d.build("audit_load")
    audit_bench.run(arguments.output, plan, arguments.disk)


def main():
    arguments = parse_arguments()
    try:
        {"vault": run_vault, "keys": run_keys, "pay": run_pay, "audit": run_audit,
         "soak": run_soak}[arguments.what](arguments)
    except (load.BenchError, pgbench.PgbenchError, d.DeploymentError,
            subprocess.TimeoutExpired, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
