"""A run that calls, its trail on a fresh SQLite file."""

from collections.abc import Iterator

import pytest

from tests.calls.asking import Asker
from tests.wire.farend import Bench
from worker.store.database import Database
from worker.store.writer import Writer


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """SQLite: what the databases do differently is proved in tests/store."""
    return sqlite_database


@pytest.fixture
def asker(database: Database, writer: Writer) -> Iterator[Asker]:
    """The run."""
    bench = Bench(database, writer)
    yield Asker(bench)
    bench.close()
