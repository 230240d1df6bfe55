"""What ./dev bench vault makes of what it has measured: rows, verdicts, pictures."""
import pathlib
import sys
import tomllib
import types
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "bench")]

import connections  # noqa: E402
import load  # noqa: E402
import resolves  # noqa: E402
import vault_bench  # noqa: E402
import vault_report  # noqa: E402

PLAN = vault_bench.Plan(rounds=3)


def a_run(rate, vaultd_us=55.0):
    return {"requests_per_second": rate, "loadgen_cpu_us_per_request": 20.0,
            "latency_us": {"p50": 4000, "p99": 9000, "p99_9": 12000, "max": 15000},
            "cpu_us": {"auditd": 7.0, "vaultd": vaultd_us, "edged": 12.0}}


def a_large_result():
    return {"cards": 5_000_000, "requests": 10_000, "shed": 5, "rounds": [
        {name: {mix: a_run(5000) for mix in ("new", "lookup")} for name in ("empty", "large")}]}


def a_result(vaultd_us=55.0, pgbench=7000):
    rounds = [{"pgbench": pgbench, "vault": a_run(vault, vaultd_us), "edge": a_run(6000),
               "resolve": a_run(12_000), "hand-over": a_run(9000), "mixed": a_run(10_000)}
              for vault in (9000, 8000, 8500)]
    by_connections = [{count: a_run(100 * count) for count in connections.COUNTS}]
    opened = dict(a_run(4500), rate=4500)
    return {"rounds": rounds, "connections": by_connections, "start_s": [0.1, 0.2, 0.3],
            "pgbench_connections": 16, "pgbench_rates": {1: 900.0, 16: 10000.0}, "row_bytes": 500,
            "requests": 90_000, "shed": 2, "large": a_large_result(),
            "idle_kib": {"auditd": 10240, "vaultd": 20480},
            "open": {"vault": opened, "edge": opened},
            "other": {"duplicate": a_run(9000), "lookup": a_run(9000)}}


class _Folder:
    """A deployment as far as its configuration."""

    def __init__(self, path):
        self.config = path / "strongroom.toml"


def test_the_null_connector_becomes_one_of_vaultds(tmp_path):
    deployment = _Folder(tmp_path)
    deployment.config.write_text('[gatewayd]\nconnectors = { stripe = "a:1" }\n'
                                 '[vaultd]\nlisten = "b:2"\nconnectors = { stripe = "a:1" }\n')
    resolves.add_to_config(deployment, 7)
    settings = tomllib.loads(deployment.config.read_text())
    assert settings["vaultd"]["connectors"] == {"null": "127.0.0.1:7", "stripe": "a:1"}
    assert settings["gatewayd"]["connectors"] == {"stripe": "a:1"}


def without_pgbench(result):
    del result["pgbench_connections"], result["pgbench_rates"]
    return result


def text_of(result, database="postgres"):
    return vault_report.markdown({"CPU": "x"}, PLAN, {database: result})


def test_report_gives_median_minimum_and_maximum():
    text = text_of(a_result())
    assert "new_cards_per_truncation_daily" in text
    assert "| 8,500 (8,000 to 9,000) |" in text
    assert "| vault / pgbench | 1.21 (1.14 to 1.29) | >= 1.2: reached |" in text
    assert "vault: the fastest of 3 rounds is 1.12 x the slowest" in text


def test_report_says_which_target_is_missed():
    text = text_of(a_result(vaultd_us=61.0, pgbench=10_000))
    assert "| CPU of vaultd per card, us | 61.0 (61.0 to 61.0) | <= 60: MISSED |" in text
    assert "| vault / pgbench | 0.85 (0.80 to 0.90) | >= 1.2: MISSED |" in text


def test_resolves_are_set_beside_new_cards():
    text = text_of(a_result())
    assert "| resolve / vault | 1.41 (1.33 to 1.50) | >= 1.5: MISSED |" in text
    assert "| hand-over / vault | 1.06 (1.00 to 1.12) | >= 1.0: reached |" in text
    assert "| mixed / vault | 1.18 (1.11 to 1.25) |  |" in text


def test_latency_is_judged_where_the_target_is_set():
    def judged(result):
        return [row[2] for row in vault_report.rows(result, PLAN) if row[0].startswith("open")]
    assert judged(a_result()) == ["<= 10: reached", ""]
    assert judged(without_pgbench(a_result())) == ["", ""]


def test_start_and_memory_of_an_idle_vaultd_are_judged():
    text = text_of(a_result())
    assert "| start of vaultd to ready, s | 0.20 (0.10 to 0.30) | <= 1: reached |" in text
    assert "| memory of an idle vaultd, MiB | 20 | <= 64: reached |" in text
    assert "| of the others, MiB | auditd 10 |  |" in text


def test_each_process_has_its_time_for_each_load():
    text = text_of(a_result())
    assert "| load | auditd | vaultd | edged | loadgen |" in text
    assert "| new cards through edged | 7.0 | 55.0 | 12.0 | 20.0 |" in text
    assert "| lookups | 7.0 | 55.0 | 12.0 | 20.0 |" in text


def test_connections_have_a_row_each_with_pgbench_where_it_was_run():
    text = text_of(a_result())
    assert "| 16 | 1,600 (1,600 to 1,600) | 10,000 | 4.00 (4.00 to 4.00) " in text
    assert "| 256 | 25,600 (25,600 to 25,600) |  | " in text


def test_report_shows_the_flame_graphs_that_were_made():
    assert "vault_flame" not in text_of(a_result())
    assert "](vault_flame_postgres_new.svg)" in \
        text_of(dict(a_result(), flames=["vault_flame_postgres_new.svg"]))


def test_report_without_pgbench():
    assert "pgbench," not in text_of(without_pgbench(a_result()), "sqlite").replace(
        "| pgbench, per s |", "")


def points(picture):
    lines = ElementTree.fromstring(picture).findall("{http://www.w3.org/2000/svg}polyline")
    return [line.get("points").split() for line in lines]


def test_pictures_show_both_databases_beside_pgbench():
    pictures = connections.pictures({"postgres": a_result(),
                                     "sqlite": without_pgbench(a_result())})
    assert [len(line) for line in points(pictures["vault_connections.svg"])] == [5, 2, 5]
    assert [len(line) for line in points(pictures["vault_latency.svg"])] == [5, 5, 5, 5]
    p50, p99, *_ = points(pictures["vault_latency.svg"])
    assert float(p50[0].split(",")[1]) > float(p99[0].split(",")[1])  # SVG counts downwards


def test_report_counts_what_was_shed():
    assert "Shed with 503, as they had waited for too long: 7 of 100,000 requests." in \
        text_of(a_result())


def fair(result, shed_max):
    deployment = types.SimpleNamespace(state_file="sandbox.json")
    return load.Loadgen(deployment, {}, shed_max=shed_max)._is_fair(result)


def test_a_few_requests_may_be_shed_but_none_may_fail():
    shed = {"requests": 1000, "errors": 10, "statuses": {"201": 990, "503": 10}}
    assert fair(shed, 0.01) and not fair(shed, 0.009) and not fair(shed, 0)
    failed = {"requests": 1000, "errors": 1, "statuses": {"201": 999, "500": 1}}
    assert not fair(failed, 0.01)
    unanswered = {"requests": 1000, "errors": 2, "statuses": {"201": 998, "503": 1}}
    assert not fair(unanswered, 0.01)
