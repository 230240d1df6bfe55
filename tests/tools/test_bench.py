"""What the benchmark tells pgbench, whom it charges for CPU time, what it reports."""
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "bench")]

import machine  # noqa: E402
import pay_bench  # noqa: E402
import pgbench  # noqa: E402
import processes  # noqa: E402
import report  # noqa: E402
import vault_bench  # noqa: E402


def test_insert_keeps_sizes_and_makes_keys_new():
    script = pgbench.insert_script(
        ["token_id", "fingerprint_odd", "fingerprint_even", "card_sealed", "created_at"],
        [b"i" * 16, b"f" * 32, None, b"\x01\xff", 7])
    assert script.splitlines()[:2] == pgbench.RANDOM.splitlines()
    assert pgbench.NEW_BYTES["token_id"] in script
    assert pgbench.NEW_BYTES["fingerprint_odd"] in script
    assert "NULL, '\\x01ff', 7)" in script


def test_rate_is_read_and_failures_are_not_hidden():
    good = "number of failed transactions: 0 (0.000%)\ntps = 1234.5 (without initial connection)\n"
    assert pgbench.transactions_per_second(good) == 1234.5
    with pytest.raises(pgbench.PgbenchError):
        pgbench.transactions_per_second(good.replace("transactions: 0", "transactions: 3"))
    with pytest.raises(pgbench.PgbenchError):
        pgbench.transactions_per_second("")


def test_tree_holds_children_of_children_only():
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1}
    assert processes.tree(10, parents) == {10, 11, 12}


def test_cpu_time_of_a_live_process_grows():
    before = processes.cpu_us({"me": os.getpid()})["me"]
    deadline = before + 50_000
    while processes.cpu_us({"me": os.getpid()})["me"] < deadline:
        sum(range(10_000))
    assert processes.resident_kib(os.getpid()) > 1000


def figures(vault, edge, bench):
    def run(rate):
        return {"requests_per_second": rate, "loadgen_cpu_us_per_request": 20.0,
                "latency_us": {"p50": 4000, "p99": 9000, "p99_9": 12000, "max": 15000},
                "cpu_us": {"vaultd": 55.0, "edged": 12.0}}
    return {"pgbench": bench, "vault": run(vault), "edge": run(edge)}


def a_result():
    rounds = [figures(9000, 6000, 10000), figures(8000, 6000, 10000), figures(8500, 6000, 10000)]
    opened = dict(rounds[0]["vault"], rate=4500)
    return {"rounds": rounds, "pgbench_connections": 16, "pgbench_rates": {16: 10000.0},
            "row_bytes": 500, "idle_kib": {"vaultd": 20480},
            "open": {"vault": opened, "edge": opened},
            "other": {"duplicate": rounds[0]["vault"], "lookup": rounds[0]["vault"]}}


def test_report_gives_median_minimum_and_maximum():
    text = report.markdown({"CPU": "x"}, vault_bench.Plan(rounds=3), {"postgres": a_result()})
    assert "new_cards_per_truncation_hourly" in text
    assert "| 8,500 (8,000 to 9,000) |" in text
    assert "| vault / pgbench | 0.85 (0.80 to 0.90) | >= 0.8: reached |" in text
    assert "vault: the fastest of 3 rounds is 1.12 x the slowest" in text


def test_report_says_which_target_is_missed():
    result = a_result()
    for round_ in result["rounds"]:
        round_["vault"]["cpu_us"]["vaultd"] = 61.0
    text = report.markdown({}, vault_bench.Plan(rounds=3), {"postgres": result})
    assert "| CPU of vaultd, us per request | 61.0 (61.0 to 61.0) | <= 60: MISSED |" in text


def test_report_without_pgbench():
    result = a_result()
    del result["pgbench_connections"], result["pgbench_rates"]
    text = report.markdown({}, vault_bench.Plan(rounds=3), {"sqlite": result})
    assert "pgbench" not in text


def test_a_disk_faster_than_its_medium_has_a_cache():
    assert "at best, 300 us at the median: the disk acknowledges from a cache" in \
        machine.fsync_text([120.0, 300.0, 9000.0])
    assert "writes before it acknowledges" in machine.fsync_text([800.0, 900.0])


def test_state_names_what_figures_depend_on():
    state = machine.describe()
    assert {"CPU", "cores", "kernel", "compiler", "OpenSSL", "PostgreSQL", "commit"} <= set(state)
    assert "unknown" not in state.values()


def a_sale(rate):
    return {"requests_per_second": rate, "loadgen_cpu_us_per_request": 20.0,
            "latency_us": {"p50": 4000, "p90": 6000, "p99": 9000, "p99_9": 12000, "max": 15000},
            "cpu_us": {"gatewayd": 80.0, "psp-sim": 40.0},
            "per_sale": {"transactions": 0.2, "requests": 1.0}}


@pytest.mark.parametrize("rates, judged", [((2500, 1000, 2000), "reached"),
                                           ((2500, 1000, 1999), "MISSED")])
def test_sales_are_judged_by_their_median(rates, judged):
    result = {"rounds": [{"sale": a_sale(rate), "processor": a_sale(8000)} for rate in rates],
              "open": dict(a_sale(1000), rate=1000)}
    rows = list(pay_bench.rows(result, pay_bench.Plan()))
    assert rows[0][2] == f">= 2000: {judged}"
    assert ("CPU of gatewayd, us per sale", "80.0 (80.0 to 80.0)", "") in rows
    assert ("requests to the processor, per sale", "1.000 (1.000 to 1.000)", "1") in rows
    assert "4.00 / 9.00 / 12.00 / 15.00" in rows[-1][1]
