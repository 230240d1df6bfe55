"""What the benchmark tells pgbench, whom it charges for CPU time, what it reports."""
import os
import pathlib
import sys
from xml.etree import ElementTree

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "bench")]

import audit_bench  # noqa: E402
import machine  # noqa: E402
import pay_bench  # noqa: E402
import pgbench  # noqa: E402
import plot  # noqa: E402
import processes  # noqa: E402
import soak_bench  # noqa: E402


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
    assert rows[0][2] == f">= 2,000: {judged}"
    assert ("CPU of gatewayd, us per sale", "80.0 (80.0 to 80.0)", "") in rows
    assert ("requests to the processor, per sale", "1.000 (1.000 to 1.000)", "1") in rows
    assert "4.00 / 9.00 / 12.00 / 15.00" in rows[-1][1]


def an_audit_result(best=120_000, verified=600_000.0):
    def disk(rate):
        return {"entries_per_second": rate, "p50_us": 100, "p99_us": 200, "max_us": 300}

    def socket(rate):
        return dict(disk(rate), entries_per_group=12.5, auditd_cpu_us_per_entry=4.0,
                    client_cpu_us_per_entry=2.0)
    rounds = [{"loop": disk(5000), "plain": {1: disk(5000), 64: disk(300_000)},
               "journal": {1: disk(4800), 64: disk(250_000)},
               "socket": {1: socket(3000), 64: socket(rate)},
               "rate": {2000: dict(socket(4000), p50_us=400, p99_us=900)}}
              for rate in (best - 10, best, best + 10)]
    return {"rounds": rounds, "large": {
        "make": {"entries": 10_000_000, "entries_per_second": 150_000.0, "entry_bytes": 813.0,
                 "resident_mib_at_a_tenth": 30.0, "resident_mib": 33.0},
        "start": {"after_crash_ms": 1900.0, "after_stop_ms": 60.0, "resident_mib": 20.0},
        "prove": {"p50_us": 300, "p99_us": 900, "max_us": 5000},
        "verify": {"entries_per_second": verified}}}


AUDIT_PLAN = audit_bench.Plan(rounds=3, writers=(1, 64), rates=(2000,))


def test_audit_report_judges_and_shows_the_limit_beside():
    text = audit_bench.markdown({"CPU": "x"}, AUDIT_PLAN, an_audit_result())
    assert "| durable entries through auditd, 64 writers, per s | 120,000 (119,990 to 120,010) " \
        "| >= 100,000: reached |" in text
    assert "p50, ms | 0.40 (0.40 to 0.40) | <= 1: reached |" in text
    assert "| 0.30 / 0.90 / 5.00 | <= 5: reached |" in text
    assert "| 1.90 | <= 5: reached |" in text
    assert "MiB: 30; what the rest adds | 3 | <= 16: reached |" in text
    assert "| 64 | 300,000 (300,000 to 300,000) | 250,000 (250,000 to 250,000) " \
        "| 120,000 (119,990 to 120,010) | 12 | 0.10 | 0.20 | 4.0 |" in text


def test_audit_report_says_what_is_missed():
    text = audit_bench.markdown({}, AUDIT_PLAN, an_audit_result(99_000, 499_000.0))
    assert ">= 100,000: MISSED" in text and ">= 500,000: MISSED" in text


def test_picture_has_a_line_for_each_series():
    picture = ElementTree.fromstring(audit_bench.picture(an_audit_result(), AUDIT_PLAN))
    lines = picture.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 4
    for line in lines:
        assert len(line.get("points").split()) == len(AUDIT_PLAN.writers)


def test_a_line_leaves_out_what_was_not_measured():
    picture = ElementTree.fromstring(plot.lines("rates", (1, 4, 16), {"a": [10, None, 1000]}))
    points = picture.find("{http://www.w3.org/2000/svg}polyline").get("points").split()
    assert [point.split(",")[0] for point in points] == ["80.0", "700.0"]


def soaked(end_kib):
    """Samples of two processes, of which one rises to `end_kib` after caches have filled."""
    return [{"at": second, "vaultd": 10_000 if second < 5 else 20_000,
             "auditd": 30_000 + (end_kib - 30_000) * second / 60} for second in range(1, 61)]


@pytest.mark.parametrize("end_kib, verdict", [(30_000, "flat"), (31_000, "flat"),
                                              (45_000, "GROWS")])
def test_memory_that_grows_is_told_from_caches_that_fill(end_kib, verdict):
    rows = {name: row for name, *row in soak_bench.memory_rows(soaked(end_kib))}
    assert rows["vaultd"] == ["19.5", "19.5", "19.5", "19.5", "flat"]
    assert rows["auditd"][-1] == verdict


def test_soak_report_shows_what_was_shed_and_what_else_was_answered():
    latency = {"p50": 4000, "p99": 9000, "max": 15000}
    run = {"rate": 700.0, "seconds": 10, "requests": 7000, "errors": 20, "latency_us": latency,
           "requests_per_second": 698.0, "failures": {"unavailable": 3},
           "statuses": {"201": 6980, "503": 15, "500": 2}}
    result = {"highest": 1000.0, "soak": run, "memory": soaked(30_000),
              "overload": {"before": run, "during": run, "after": run}}
    text = soak_bench.markdown({"cores": 2}, soak_bench.Plan.quick(), "edge", result)
    assert "| 3 times the highest rate | 700 | 698 | 2 | {'500': 2, 'unavailable': 3} |" in text
    assert "4.0 / 9.0 / 15.0" in text and "- cores: 2" in text
    ElementTree.fromstring(soak_bench.picture(result["memory"], ["vaultd", "auditd"]))
