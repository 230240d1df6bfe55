"""Fills the table of cards without tokenizing: copies of a row that the vault wrote, of its size,
under keys of their own. The tokens that would lead to them exist nowhere.
"""

import contextlib
import sqlite3

import psycopg2

from load import say

STEP = 500_000  # rows of one statement
# Column -> a value of its own size, new in each row; n counts rows. Ids of version 7 grow with the
# time: these are older than all that the vault makes. What is a hash there is as random here.
NEW_IN_POSTGRES = {
    "token_id": "int8send(n) || int8send(hashint8extended(n, 1))",
    "token_hash": "sha512(int8send(n))",
    "merchant_index": "sha256(int8send(-n))",
    "fingerprint": "sha256(int8send(n))",
}
NEW_IN_SQLITE = {
    "token_id": "CAST(char(1) || printf('%015d', n) AS BLOB)",
    "token_hash": "randomblob(64)",
    "merchant_index": "randomblob(32)",
    "fingerprint": "randomblob(32)",
}
POSTGRES_NUMBERS = "generate_series({first}, {last}) AS numbers(n)"
SQLITE_NUMBERS = ("(WITH RECURSIVE up(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM up"
                  " WHERE n < {last}) SELECT n FROM up) AS numbers")


def copy_statement(columns, new, numbers, first, last):
    """Inserts rows `first` to `last`."""
    values = []
    for name in columns:
        if name.startswith("fingerprint_") and name != "fingerprint_version":
            values.append(f"CASE WHEN one.{name} IS NULL THEN NULL ELSE {new['fingerprint']} END")
        else:
            values.append(new.get(name, f"one.{name}"))
    return (f"INSERT INTO cards ({', '.join(columns)}) SELECT {', '.join(values)}"
            f" FROM (SELECT * FROM cards ORDER BY created_at DESC LIMIT 1) AS one,"
            f" {numbers.format(first=first, last=last)}")


def _copy(execute, columns, new, numbers, count):
    for first in range(1, count + 1, STEP):
        last = min(first + STEP - 1, count)
        execute(copy_statement(columns, new, numbers, first, last))
        say(f"{last:,} of {count:,} cards")


def _fill_postgres(url, count):
    """The indexes are made anew at the end, each in one pass."""
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("SELECT * FROM cards LIMIT 0")
        columns = [column.name for column in cursor.description]
        cursor.execute("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
                       " WHERE conrelid = 'cards'::regclass AND contype IN ('p', 'u')")
        keys = cursor.fetchall()
        for name, _ in keys:
            cursor.execute(f"ALTER TABLE cards DROP CONSTRAINT {name}")
        _copy(cursor.execute, columns, NEW_IN_POSTGRES, POSTGRES_NUMBERS, count)
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for name, definition in keys:
            cursor.execute(f"ALTER TABLE cards ADD CONSTRAINT {name} {definition}")
        cursor.execute("VACUUM ANALYZE cards")


def _fill_sqlite(path, count):
    """Nothing else has the file open; what a crash would spoil is thrown away anyway."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for setting in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -3000000"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        columns = [row[1] for row in connection.execute("PRAGMA table_info(cards)")]
        _copy(connection.execute, columns, NEW_IN_SQLITE, SQLITE_NUMBERS, count)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def fill(url, count):
    """Adds `count` cards to the database `url`, where one stands and no vaultd runs."""
    if url.startswith("sqlite:"):
        _fill_sqlite(url.removeprefix("sqlite:"), count)
    else:
        _fill_postgres(url, count)
