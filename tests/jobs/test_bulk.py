"""Many rows at once: what goes in by the driver's fast ways is what comes out, whatever it holds."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.kinds import Kind
from jobs.sinks import schema
from jobs.sinks.bulk import Stamp, Statement
from tests.examples import examples
from worker.store.database import Database

_KINDS = {"id": Kind.INTEGER, "name": Kind.TEXT, "share": Kind.FLOAT, "active": Kind.BOOLEAN, "number": Kind.INTEGER}
_STAMP = Stamp(7, datetime(2026, 1, 31, tzinfo=UTC), 3)
_ODD = ["null", "", "\\N", "\\.", "a],[b", '],["', '"', '\\"', "\\", "line\nbreak", "tab\t", "a,b", "\u2028", "é", "𝄞"]
_TEXTS = st.sampled_from(_ODD) | st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_BIG = 2**63 - 1
_ROW = st.tuples(
    st.none() | _TEXTS,
    st.none() | st.floats(allow_nan=False),
    st.none() | st.booleans(),
    st.none() | st.integers(-_BIG, _BIG),
)


def made(connection: sa.Connection, *, fresh: bool, key: tuple[str, ...] = ("id",)) -> Statement:
    """Returns what writes into a new, empty table."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS things")
    table = schema.create(connection, "things", _KINDS, key)
    return Statement(connection, "things", tuple(table.columns[name] for name in _KINDS), key, fresh)


def stored(connection: sa.Connection) -> list[tuple[Any, ...]]:
    """Returns the rows by id, without the system's columns."""
    columns = [sa.column("active", sa.Boolean) if name == "active" else sa.column(name) for name in _KINDS]
    return [
        tuple(row) for row in connection.execute(sa.select(*columns).select_from(sa.table("things")).order_by("id"))
    ]


@pytest.mark.parametrize("fresh", [False, True])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
@given(rows=st.lists(_ROW, min_size=1, max_size=12))
def test_rows_come_out_as_they_went_in(database: Database, fresh: bool, rows: list[tuple[Any, ...]]) -> None:
    """Quotes, backslashes, line ends, texts that look like the end of a row or like null, floats without bounds."""
    numbered = [(number, *row) for number, row in enumerate(rows)]
    with database.write() as connection:
        statement = made(connection, fresh=fresh)
        assert statement.write(numbered, _STAMP) == len(numbered)
        assert stored(connection) == numbered


@pytest.mark.parametrize("count", [1, 99, 100, 101, 1000, 1003])
def test_no_row_is_lost_between_two_statements(database: Database, count: int) -> None:
    """However many rows fit into a statement, all are written and counted, once."""
    rows = [(number, f"name {number}", number / 4, number % 2 == 0, None) for number in range(count)]
    with database.write() as connection:
        statement = made(connection, fresh=False)
        assert statement.write(rows, _STAMP) == count
        changed = [(*row[:4], 5) if row[0] % 10 == 0 else row for row in rows]
        assert statement.write(changed, _STAMP) == (count + 9) // 10
        assert stored(connection) == changed


def test_a_key_that_is_there_already_is_changed_in_a_table_that_was_new(database: Database) -> None:
    """Pages that shift bring a record twice: the later state stands, and the page beside it is not lost."""
    with database.write() as connection:
        statement = made(connection, fresh=True)
        assert statement.write([(1, "a", None, None, None), (2, "b", None, None, None)], _STAMP) == 2
        assert statement.write([(2, "c", None, None, None), (3, "d", None, None, None)], _STAMP) == 2
        assert [(row[0], row[1]) for row in stored(connection)] == [(1, "a"), (2, "c"), (3, "d")]


def test_the_worker_s_columns_say_who_wrote_a_row_last(database: Database) -> None:
    """A row that is left alone keeps its run, time and version."""
    later = Stamp(8, datetime(2026, 2, 1, tzinfo=UTC), 4)
    with database.write() as connection:
        statement = made(connection, fresh=True)
        statement.write([(1, "a", None, None, None), (2, "b", None, None, None)], _STAMP)
        assert statement.write([(1, "a", None, None, None), (2, "c", None, None, None)], later) == 1
        found = connection.exec_driver_sql("SELECT _run_id, _version FROM things ORDER BY id").all()
        runs = [(row[0], row[1]) for row in found]
    assert runs == [(7, 3), (8, 4)]
