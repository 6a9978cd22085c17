"""The trail's rows, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from worker.model.records import Call, Purpose
from worker.store import calls
from worker.store.database import Database

AT = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
OPEN = Call(1, "tangoe", Purpose.READ, AT, "GET", "https://api.example.com/devices?limit=5", node_id=3, run_id=8)
CLOSED = replace(OPEN, status=200, ms=12.5, bytes_in=77, bytes_out=0)


def keep(database: Database, *rows: Call) -> None:
    """Stores rows in a transaction of their own."""
    with database.write() as connection:
        calls.record(connection, rows)


def listed(database: Database, **wanted: int | str) -> list[Call]:
    """Returns what the listing finds."""
    with database.read() as connection:
        return calls.listing(connection, **wanted)  # type: ignore[arg-type]


def test_row_comes_back_as_it_was(database: Database) -> None:
    """Every field survives."""
    full = Call(
        2**62, "a", Purpose.REFRESH, AT, "POST", "https://b/", 1, 2, 3, "j", "t", "x", 500, 0.5, 6, 7, 8, 9, 10, "e"
    )
    keep(database, full)
    assert listed(database) == [full]


def test_opening_and_closing_are_idempotent(database: Database) -> None:
    """Whatever is written again, the row ends closed."""
    for row in (OPEN, OPEN, CLOSED, CLOSED, OPEN):
        keep(database, row)
    assert listed(database) == [CLOSED]


def test_closing_needs_no_opened_row(database: Database) -> None:
    """A closing row is whole by itself, also beside others."""
    keep(database, CLOSED, replace(OPEN, id=2))
    assert listed(database) == [replace(OPEN, id=2), CLOSED]


def test_issued_generation_outlives_the_closing(database: Database) -> None:
    """What the keeper noted is kept, whichever of the two comes first."""
    keep(database, OPEN)
    with database.write() as connection:
        calls.set_issued(connection, 1, 6)
    keep(database, CLOSED)
    assert listed(database) == [replace(CLOSED, generation_issued=6)]


def test_listing_filters_and_pages_newest_first(database: Database) -> None:
    """A run's calls, an account's calls, and pages that begin where the last one ended."""
    keep(
        database,
        *(replace(CLOSED, id=number, run_id=number % 2, account="ab"[number % 3 == 0]) for number in range(1, 10)),
    )
    assert [row.id for row in listed(database, run_id=1)] == [9, 7, 5, 3, 1]
    assert [row.id for row in listed(database, account="b")] == [9, 6, 3]
    assert [row.id for row in listed(database, limit=2)] == [9, 8]
    assert [row.id for row in listed(database, limit=2, before=8)] == [7, 6]


def test_stats_count_by_account_purpose_and_status(database: Database) -> None:
    """Calls without an answer are counted as such."""
    keep(
        database,
        CLOSED,
        replace(CLOSED, id=2, ms=37.5),
        replace(CLOSED, id=3, purpose=Purpose.TOKEN, status=401),
        replace(OPEN, id=4, account="b"),
    )
    with database.read() as connection:
        found = calls.stats(connection)
    assert set(found) == {
        calls.CallStats("tangoe", Purpose.READ, 200, 2, 25.0, 154),
        calls.CallStats("tangoe", Purpose.TOKEN, 401, 1, 12.5, 77),
        calls.CallStats("b", Purpose.READ, None, 1, None, 0),
    }


def test_open_rows_of_dead_nodes_are_closed(database: Database) -> None:
    """A call whose process died is recorded as never answered; those of living nodes stay open."""
    keep(database, OPEN, replace(OPEN, id=2, node_id=4), replace(CLOSED, id=3))
    with database.write() as connection:
        calls.abandon(connection, {4})
    third, second, first = listed(database)
    assert first.error is not None
    assert "died" in first.error
    assert (second.error, third.error) == (None, None)


@pytest.mark.parametrize("wanted", ["run_id", "account"])
def test_listing_uses_an_index(sqlite_database: Database, wanted: str) -> None:
    """The trail of a run or an account is found without reading the whole table."""
    with sqlite_database.read() as connection:
        plan = connection.execute(
            sa.text(f"EXPLAIN QUERY PLAN SELECT * FROM calls WHERE {wanted} = 1 ORDER BY id DESC LIMIT 5")
        ).all()
    assert "USING INDEX" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
