"""A sandbox whose refresh tokens rotate, and a desk that makes keepers for it, on either database."""

from collections.abc import Iterator

import pytest

from tests.auth.keeping import Desk
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store.database import Database
from worker.store.writer import Writer


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with hardly any data."""
    with Sandbox(SandboxOptions(rows=1)) as running:
        yield running


@pytest.fixture
def desk(database: Database, writer: Writer, sandbox: Sandbox) -> Iterator[Desk]:
    """A desk on a fresh database."""
    opened = Desk(database, writer, sandbox.url)
    yield opened
    opened.close()


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """SQLite: what the two databases could do differently is proved in tests/store and tests/contracts."""
    return sqlite_database
