"""What is too wide or too large for a table: as much as the database takes, and one row at most is lost by it."""

import random
import string
from typing import Any

import pytest

from jobs.contract import Counts
from jobs.sinks.schema import TableUnfit
from jobs.testing import MemoryContext
from tests.jobs.filling import store
from worker.store.database import Database


def _store(context: MemoryContext, *rows: dict[str, Any]) -> Counts:
    return store(context, list(rows))


@pytest.mark.parametrize("width", [2, 500, 1000, 1995])
def test_as_many_columns_as_sqlite_has_are_compared(sqlite_database: Database, width: int) -> None:
    """The upsert's comparison grows with the columns; SQLite bounds how deep it may be."""
    row = {"id": 1} | {f"field_{number}": number for number in range(width)}
    with MemoryContext(write=sqlite_database.write) as context:
        _store(context, row)
        assert _store(context, row).unchanged == 1
        assert _store(context, row | {f"field_{width - 1}": -1}).written == 1


def test_a_row_too_large_for_postgresql_is_rejected(postgres_database: Database) -> None:
    """A key beyond what its index holds costs its own row, not the run and all runs after it."""
    key = "".join(random.Random(1).choices(string.printable.strip(), k=20_000))
    with MemoryContext(write=postgres_database.write) as context:
        counts = _store(context, {"id": "a"}, {"id": key}, {"id": "b"})

        assert (counts.written, counts.rejected) == (2, 1)
        ((_, reason),) = context.rejects
    assert "the database refused it: index row" in reason


def test_an_empty_time_is_no_key(context: MemoryContext) -> None:
    """It is stored as null, which SQLite takes as a key: each run would add the record once more."""
    rows = [{"id": "2026-01-31T08:00:00Z"}, {"id": ""}]

    assert (_store(context, rows[0]).written, _store(context, *rows).rejected) == (1, 1)
    assert _store(context, *rows).written == 0
    assert {reason for _, reason in context.rejects} == {"the record has no id, which is its key"}


def test_a_column_that_postgresql_has_itself_is_refused_with_the_remedy(postgres_database: Database) -> None:
    """A box of a map has an xmin; to try again would not help."""
    with MemoryContext(write=postgres_database.write) as context:
        with pytest.raises(TableUnfit, match=r"xmin cannot be the name.*Name it in map"):
            _store(context, {"id": 1, "xmin": 5.0})
        _store(context, {"id": 1})
        with pytest.raises(TableUnfit, match="xmin"):
            _store(context, {"id": 1, "xmin": 5.0})
