"""./dev bench: measures, with the state of the machine in the report.

`./dev bench vault` loads a fresh deployment with new cards and sets the rate beside pgbench, which
puts the same rows into the same PostgreSQL server one per transaction; each figure is the median of
interleaved rounds with its minimum and maximum. The report goes to build/bench/vault.md and
vault.json. Exits 1 when a request failed or something could not be measured; a target that is
missed is in the report, not in the exit status.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))

import deployment as d  # noqa: E402
import machine  # noqa: E402
import pgbench  # noqa: E402
import report  # noqa: E402
import vault_bench  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="what", required=True)
    vault = verbs.add_parser("vault", help="tokenize, look up, through edged, open model")
    vault.add_argument("--pairs", type=int, metavar="N", help="rounds (default 7, --quick 3)")
    vault.add_argument("--db", choices=("sqlite", "postgres", "both"), default="both")
    vault.add_argument("--connections", type=int, default=64, metavar="N", help="default 64")
    vault.add_argument("--quick", action="store_true", help="shorter and fewer runs, under 90 s")
    vault.add_argument("--output", type=pathlib.Path, default=d.ROOT / "build" / "bench",
                       metavar="DIR", help="where the report goes (default build/bench)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    plan = vault_bench.Plan.quick() if arguments.quick else vault_bench.Plan()
    plan.connections = arguments.connections
    plan.rounds = arguments.pairs or plan.rounds
    databases = ("postgres", "sqlite") if arguments.db == "both" else (arguments.db,)
    try:
        d.build_programs("loadgen")
        state = machine.describe()
        results = {database: vault_bench.measure(database, plan) for database in databases}
    except (vault_bench.BenchError, pgbench.PgbenchError, d.DeploymentError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    report.write(arguments.output, state, plan, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
