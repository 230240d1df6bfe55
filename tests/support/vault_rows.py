"""What stands in the vault database, read past vaultd."""
import contextlib
import hashlib
import sqlite3
from dataclasses import dataclass

import psycopg2


@dataclass(frozen=True)
class Row:
    token_hash: bytes
    deleted: bool
    has_key: bool  # the wrapped DEK: without it nothing of the card can be opened


def token_hash(token):
    return hashlib.sha3_512(token.encode()).digest()


def _connect(url):
    if url.startswith("sqlite:"):
        return sqlite3.connect(f"file:{url.removeprefix('sqlite:')}?mode=ro", uri=True)
    return psycopg2.connect(url)


def read(deployment):
    """Rows by token hash."""
    with contextlib.closing(_connect(deployment.state()["databases"]["vault"])) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT token_hash, deleted_at, wrapped_dek FROM cards")
        rows = [Row(bytes(digest), deleted is not None, key is not None)
                for digest, deleted, key in cursor.fetchall()]
    assert len({row.token_hash for row in rows}) == len(rows)
    return {row.token_hash: row for row in rows}
