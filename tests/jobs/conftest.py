"""A context on either database."""

from collections.abc import Iterator

import pytest

from jobs.testing import MemoryContext
from worker.store.database import Database


@pytest.fixture
def context(database: Database) -> Iterator[MemoryContext]:
    """A context whose units are transactions of a real database."""
    with MemoryContext(write=database.write) as made:
        yield made
