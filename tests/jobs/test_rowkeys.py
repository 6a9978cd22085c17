"""Keys of records, as rejects are kept by them."""

import random
import string
from datetime import UTC, datetime

import pytest

from jobs.contract import Json
from jobs.rowkeys import key_reader
from worker.model.records import Reject
from worker.store import rejects
from worker.store.database import Database

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONG = "".join(random.Random(1).choices(string.printable.strip(), k=9000))


def _kept(key: str | None) -> Reject:
    return Reject("job", "hash", 1, "too long", "{}", whole=True, key=key, first_seen=NOW, last_seen=NOW)


@pytest.mark.parametrize("key", [LONG, "x" * 998, "ü" * 499, 7, "k\0"])
def test_a_reject_is_kept_by_its_key_however_long(database: Database, key: Json) -> None:
    """An index of PostgreSQL bounds it; a newer state of the record has the same key and takes the reject away."""
    read = key_reader(["id"], None)
    with database.write() as connection:
        rejects.keep(connection, [_kept(read({"id": key}))])
    newer = read({"id": key, "state": "newer"})
    with database.write() as connection:
        assert rejects.keys(connection, "job") == {newer}
        rejects.settle(connection, "job", [newer or ""])
        assert rejects.keys(connection, "job") == set()


def test_long_keys_are_told_apart() -> None:
    """By their last character too; short ones can still be read."""
    read = key_reader(["a", "b"], None)
    assert read({"a": LONG, "b": 1}) != read({"a": LONG, "b": 2})
    assert read({"a": "x", "b": 1}) == '["x",1]'
