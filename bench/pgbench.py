"""pgbench beside the vault: the same row into the same server, one card per transaction, over TLS.

The table is a copy of `cards`, its keys and indexes included, and each value has the size that it
has in a row the vault wrote. Values that are indexed are as random, or as ordered in time, as the
vault's; making them costs the server about 3 us per row.
"""

import contextlib
import pathlib
import re
import subprocess

import psycopg2

TABLE = "bench_cards"
RANDOM = r"""\set a random(1, 9223372036854775807)
\set b random(1, 9223372036854775807)
"""
NEW_BYTES = {  # column -> expression of its own size, new in each row
    # UUIDs of version 7 begin with the time: the index grows at its end.
    "token_id": "int8send((extract(epoch from clock_timestamp()) * 1e6)::int8) || int8send(:a)",
    "token_hash": "sha512(int8send(:a) || int8send(:b))",
    "fingerprint_odd": "sha256(int8send(:b) || int8send(:a))",
    "fingerprint_even": "sha256(int8send(:b) || int8send(:a))",
}


class PgbenchError(Exception):
    pass


def insert_script(columns, row):
    """The pgbench script that inserts one row like `row`."""
    values = []
    for name, value in zip(columns, row):
        if value is None:
            values.append("NULL")
        elif name in NEW_BYTES:
            values.append(NEW_BYTES[name])
        elif isinstance(value, (bytes, memoryview)):
            values.append(f"'\\x{bytes(value).hex()}'")
        else:
            values.append(str(value))
    return (f"{RANDOM}INSERT INTO {TABLE} ({', '.join(columns)}) VALUES\n"
            f"  ({', '.join(values)}) ON CONFLICT DO NOTHING RETURNING token_id;\n")


def transactions_per_second(output):
    """The rate in what pgbench printed; its connections are made before the clock starts."""
    failed = re.search(r"^number of failed transactions: (\d+)", output, re.MULTILINE)
    found = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    if found is None or failed is None or failed[1] != "0":
        raise PgbenchError(f"pgbench did not measure: {output.strip()}")
    return float(found[1])


class Pgbench:
    """Runs pgbench on the server of the database `url`, where a card must stand already."""

    def __init__(self, programs, url, folder):
        self._program = pathlib.Path(programs) / "pgbench"
        self._url = url
        self._script = pathlib.Path(folder) / "insert.sql"
        with contextlib.closing(psycopg2.connect(url)) as connection, connection, \
                connection.cursor() as cursor:
            cursor.execute("SELECT * FROM cards LIMIT 1")
            columns = [column.name for column in cursor.description]
            row = cursor.fetchone()
            if row is None:
                raise PgbenchError("no card stands in the database")
            self.row_bytes = sum(len(value) if isinstance(value, memoryview) else 8
                                 for value in row if value is not None)
            cursor.execute(f"CREATE TABLE {TABLE} (LIKE cards INCLUDING ALL)")
        self._script.write_text(insert_script(columns, row))

    def run(self, connections, seconds):
        """Transactions per second."""
        command = [self._program, "--no-vacuum", "--protocol=prepared", "--client", connections,
                   "--jobs", min(2, connections), "--time", seconds, "--file", self._script,
                   self._url]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise PgbenchError(f"pgbench failed: {done.stderr.strip()}")
        return transactions_per_second(done.stdout)

    def best_connections(self, choices, seconds):
        """connections -> rate for each of `choices`; the table is empty again afterwards."""
        rates = {connections: self.run(connections, seconds) for connections in choices}
        with contextlib.closing(psycopg2.connect(self._url)) as connection, connection, \
                connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLE}")
        return rates
