"""A secret that goes along with each call, as a row of `tokens`, on both databases."""

from datetime import UTC, datetime

import sqlalchemy as sa

from worker.store import tokens
from worker.store.database import Database
from worker.store.tables import tokens as table

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def adopted(database: Database, fingerprint: str) -> bool:
    """Tells whether the secret of this fingerprint was another than the one known."""
    with database.write() as connection:
        return tokens.adopt_secret(connection, "erp", fingerprint)


def test_each_secret_is_a_generation(database: Database) -> None:
    """The same one again is none; two processes that come with it agree."""
    assert [adopted(database, one) for one in ("a", "a", "b", "b", "a")] == [True, False, True, False, True]
    with database.read() as connection:
        row = tokens.load(connection, "erp")
    assert (row.generation, row.secret_fingerprint) == (3, "a")


def test_what_another_grant_left_goes(database: Database) -> None:
    """A sealed token, its times and a wait of an account that was moved to an API key; its generation goes on."""
    old = {"generation": 4, "sealed": b"sealed", "key_id": "k1", "expires_at": AT, "failures": 3, "next_attempt_at": AT}
    with database.write() as connection:
        connection.execute(sa.insert(table).values(account="erp", secret_fingerprint="old", **old))
    assert adopted(database, "new")
    with database.read() as connection:
        row = tokens.load(connection, "erp")
    assert (row.generation, row.sealed, row.key_id, row.expires_at) == (5, None, None, None)
    assert (row.failures, row.next_attempt_at) == (0, None)
