"""What is too wide or too large for a table: as much as the database takes, and one row at most is lost by it."""

import random
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Counts, Record
from jobs.sinks.room import narrowed
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


@pytest.mark.parametrize("mode", ["upsert", "mirror"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_record_of_more_fields_than_a_table_has_columns_is_rejected(
    context: MemoryContext, mode: str, is_first: bool
) -> None:
    """The others go in, and those that fill the table up; a row that was there is not taken for gone."""
    wide: Record = {"id": 2, **{f"k{number}": number for number in range(2500)}}
    filling: Record = {"id": 3, **{f"f{number}": None for number in range(2500)}, "n": 1}
    page = [wide, {"id": 1, "n": 1}, filling] if is_first else [{"id": 1, "n": 1}, filling, wide]
    store(context, [{"id": 2}], mode=mode)
    for written in (2, 0):
        counts = store(context, page, mode=mode)
        assert (counts.written, counts.rejected, counts.deleted) == (written, 1, 0)
    assert {row["id"]: row["n"] for row in context.rows("t")} == {1: 1, 2: None, 3: 1}
    reason = r"the table t has no room for 2\d{3} new columns, as \d+ are the most of a table: name in map"
    assert re.match(reason, context.rejects[0][1])


def test_nothing_but_a_record_of_too_many_fields_makes_a_table_of_its_key(context: MemoryContext) -> None:
    """The next record finds it."""
    wide: Record = {"id": 2, **{f"k{number}": number for number in range(2500)}}
    assert _store(context, wide).rejected == 1
    assert _store(context, {"id": 1, "n": 1}).written == 1


FIELDS = st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.integers(0, 3), max_size=6)


@given(st.lists(FIELDS, max_size=6), st.sets(st.sampled_from("abc")), st.integers(0, 8))
def test_rows_need_no_more_columns_than_there_are(rows: list[Record], known: set[str], most: int) -> None:
    """Nothing is lost without a word: what was not cut is whole, and what was cut would not have gone in."""
    kept, crowded = narrowed(rows, known, most)
    needed = known | {name for row in kept for name, value in row.items() if value is not None}
    assert len(needed) <= max(most, len(known))
    assert [row for place, row in enumerate(kept) if place not in crowded] == [
        row for place, row in enumerate(rows) if place not in crowded
    ]
    for place in crowded:
        assert kept[place].items() < rows[place].items()
        assert len(needed | {name for name, value in rows[place].items() if value is not None}) > most
