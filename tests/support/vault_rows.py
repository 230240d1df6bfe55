"""What stands in the vault database, read past vaultd."""
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    token_hash: bytes
    deleted: bool
    has_key: bool  # the wrapped DEK: without it nothing of the card can be opened


def token_hash(token):
    return hashlib.sha3_512(token.encode()).digest()


def read(deployment):
    """Rows by token hash."""
    query = "SELECT token_hash, deleted_at, wrapped_dek FROM cards"
    rows = [Row(digest, deleted is not None, key is not None)
            for digest, deleted, key in deployment.rows("vault", query)]
    assert len({row.token_hash for row in rows}) == len(rows)
    return {row.token_hash: row for row in rows}
