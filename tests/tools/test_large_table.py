"""A table that is filled with copies of a card, and what the report makes of it."""
import contextlib
import pathlib
import sqlite3
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "bench")]

import large_table  # noqa: E402
import load  # noqa: E402
import many_cards  # noqa: E402
import vault_bench  # noqa: E402

COLUMNS = ("token_id", "token_hash", "merchant_index", "fingerprint_odd", "fingerprint_even",
           "fingerprint_version", "card_sealed", "created_at", "expires_at")
CARD = (b"i" * 16, b"h" * 64, b"m" * 32, b"f" * 32, None, 1, b"sealed", 7, None)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "vault.db"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE cards (token_id bytea NOT NULL PRIMARY KEY, token_hash"
                           " bytea NOT NULL UNIQUE, merchant_index, fingerprint_odd UNIQUE,"
                           " fingerprint_even UNIQUE, fingerprint_version, card_sealed,"
                           " created_at, expires_at)")
        connection.execute(f"INSERT INTO cards VALUES ({', '.join('?' * len(CARD))})", CARD)
    return path


def test_copies_have_the_sizes_of_the_row_and_keys_of_their_own(database, monkeypatch):
    monkeypatch.setattr(many_cards, "STEP", 40)
    many_cards.fill(f"sqlite:{database}", 100)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM cards").fetchall()
    assert len(rows) == 101
    for place, name in enumerate(COLUMNS):
        values = {row[place] for row in rows}
        new = name in ("token_id", "token_hash", "merchant_index", "fingerprint_odd")
        assert len(values) == (101 if new else 1), name
        if new:
            assert {len(value) for value in values} == {len(CARD[place])}, name


def test_copies_are_older_than_what_the_vault_makes(database):
    many_cards.fill(f"sqlite:{database}", 10)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        ids = [row[0] for row in connection.execute("SELECT token_id FROM cards")]
    assert all(copy < bytes.fromhex("0190") for copy in ids if copy != CARD[0])  # the year 2024


def a_result():
    def run(rate, postgres_us):
        return {"requests_per_second": rate, "cpu_us": {"vaultd": 60.0, "postgres": postgres_us}}
    rounds = [{"empty": {"new": run(6000, 50.0), "lookup": run(9000, 30.0)},
               "large": {"new": run(large, 80.0), "lookup": run(9000, 31.0)}}
              for large in (4000, 3000, 5000)]
    return {"cards": 5_000_000, "rounds": rounds}


def test_report_says_how_much_dearer_a_card_is():
    text = "\n".join(large_table.markdown(a_result()))
    assert "| empty table | 5,000,000 cards |" in text
    assert "| new cards, per s | 6,000 (6,000 to 6,000) | 4,000 (3,000 to 5,000) " \
        "| 1.50 (1.20 to 2.00) | <= 1.5: reached |" in text
    assert "| new cards, CPU of postgres, us | 50.0 | 80.0 |" in text
    assert "| look-ups, per s | 9,000 (9,000 to 9,000) | 9,000 (9,000 to 9,000) " \
        "| 1.00 (1.00 to 1.00) | <= 1.5: reached |" in text


def test_report_says_what_is_too_dear():
    result = a_result()
    for figures in result["rounds"]:
        figures["large"]["new"]["requests_per_second"] = 3900
    assert "<= 1.5: MISSED" in "\n".join(large_table.markdown(result))


def test_a_table_that_has_no_room_is_refused_before_anything_is_made():
    plan = vault_bench.Plan(cards=10**15)
    with pytest.raises(load.BenchError, match="--cards"):
        large_table.measure("sqlite", plan, 0)
