"""A bench: a trail on a fresh SQLite file, to hang lines on."""

from collections.abc import Iterator

import pytest

from tests.wire.farend import Bench
from worker.store.database import Database
from worker.store.writer import Writer


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """SQLite: what the databases do differently is proved in tests/store."""
    return sqlite_database


@pytest.fixture
def bench(database: Database, writer: Writer) -> Iterator[Bench]:
    """The bench, its lines closed at the end."""
    made = Bench(database, writer)
    yield made
    made.close()
