"""Many rows at once: what goes in by the driver's fast ways is what comes out, whatever it holds."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.contract import Json
from jobs.kinds import Kind
from jobs.sinks import schema
from jobs.sinks.bulk import Stamp, Statement
from jobs.sinks.taking import Taken, store
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


WAYS = pytest.mark.parametrize(("fresh", "bold"), [(True, True), (False, True), (False, False)])
"""Into a table that this run made, into one that stood there, and where a key came in between."""


@WAYS
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
@given(rows=st.lists(_ROW, min_size=1, max_size=12))
def test_rows_come_out_as_they_went_in(
    database: Database, fresh: bool, bold: bool, rows: list[tuple[Any, ...]]
) -> None:
    """Quotes, backslashes, line ends, texts that look like the end of a row or like null, floats without bounds."""
    numbered = [(number, *row) for number, row in enumerate(rows)]
    with database.write() as connection:
        statement = replace(made(connection, fresh=fresh), bold=bold)
        assert statement.write(numbered, _STAMP) == len(numbered)
        assert stored(connection) == numbered
        if not fresh:
            assert statement.write(numbered, _STAMP) == 0


@pytest.mark.parametrize("bold", [True, False])
@pytest.mark.parametrize("count", [1, 99, 100, 101, 1000, 1003])
def test_no_row_is_lost_between_two_statements(database: Database, count: int, *, bold: bool) -> None:
    """However many rows fit into a statement, all are written and counted, once."""
    rows = [(number, f"name {number}", number / 4, number % 2 == 0, None) for number in range(count)]
    with database.write() as connection:
        statement = replace(made(connection, fresh=False), bold=bold)
        assert statement.write(rows, _STAMP) == count
        changed = [(*row[:4], 5) if row[0] % 10 == 0 else row for row in rows]
        assert statement.write(changed, _STAMP) == (count + 9) // 10
        assert stored(connection) == changed


def test_a_key_that_is_there_already_is_changed_in_a_table_that_was_new(database: Database) -> None:
    """Pages that shift bring a record twice: the later state stands, and the page beside it is not lost."""
    with database.write() as connection:
        statement = made(connection, fresh=True)
        taken = Taken()
        store([(0, (1, "a", None, None, None)), (1, (2, "b", None, None, None))], statement, _STAMP, taken)
        store([(0, (2, "c", None, None, None)), (1, (3, "d", None, None, None))], statement, _STAMP, taken)
        assert taken == Taken(written=4)
        assert [(row[0], row[1]) for row in stored(connection)] == [(1, "a"), (2, "c"), (3, "d")]


def test_the_worker_s_columns_say_who_wrote_a_row_last(database: Database) -> None:
    """A row that is left alone keeps its run, time and version."""
    later = Stamp(8, datetime(2026, 2, 1, tzinfo=UTC), 4)
    with database.write() as connection:
        statement = made(connection, fresh=False)
        statement.write([(1, "a", None, None, None), (2, "b", None, None, None)], _STAMP)
        assert statement.write([(1, "a", None, None, None), (2, "c", None, None, None)], later) == 1
        found = connection.exec_driver_sql("SELECT _run_id, _version FROM things ORDER BY id").all()
        runs = [(row[0], row[1]) for row in found]
    assert runs == [(7, 3), (8, 4)]


POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
_ROW_1 = (1, "a", 0.5, True, 1)
_DAY = "2026-01-31"


@pytest.mark.postgres
@POSTGRESQL
def test_a_key_that_somebody_inserts_meanwhile_refuses_no_row(database: Database) -> None:
    """A merge does not see it and fails; the page is then stored with care."""
    with database.write() as connection:
        statement = made(connection, fresh=False)
        connection.exec_driver_sql(
            "CREATE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF pg_trigger_depth() = 1 AND current_query() LIKE 'MERGE%%' THEN "
            "INSERT INTO things (id, name, _run_id, _synced_at, _version) VALUES (NEW.id, 'theirs', 1, now(), 1); "
            "END IF; RETURN NEW; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER meanwhile BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION meanwhile()"
        )
        taken = Taken()
        store([(0, _ROW_1), (1, (2, "b", None, None, None))], statement, _STAMP, taken)
        assert taken == Taken(written=2)
        assert stored(connection) == [_ROW_1, (2, "b", None, None, None)]
        connection.exec_driver_sql("DROP FUNCTION meanwhile CASCADE")


@pytest.mark.postgres
@POSTGRESQL
def test_a_table_with_rules_is_filled_too(database: Database) -> None:
    """PostgreSQL merges into none, and takes no ON CONFLICT on some; what it says is no row's fault."""
    with database.write() as connection:
        statement = made(connection, fresh=False)
        connection.exec_driver_sql("CREATE RULE quietly AS ON DELETE TO things DO INSTEAD NOTHING")
        taken = Taken()
        store([(0, _ROW_1)], statement, _STAMP, taken)
        assert (taken.written, taken.refused, stored(connection)) == (1, {}, [_ROW_1])


@pytest.mark.postgres
@POSTGRESQL
@pytest.mark.parametrize(
    ("declared", "kind", "given", "kept"),
    [
        ("varchar(3)", Kind.TEXT, "abcd", None),
        ("varchar(3)", Kind.TEXT, "abc", "abc"),
        ("varchar", Kind.TEXT, "abcd", "abcd"),
        ("char(3)", Kind.OTHER, "abcd", None),
        ("smallint", Kind.INTEGER, 7, 7),
        ("numeric(6, 2)", Kind.DECIMAL, "1.005", Decimal("1.01")),
        ("numeric", Kind.DECIMAL, "1.005", Decimal("1.005")),
        ("timestamptz(0)", Kind.TIMESTAMP, f"{_DAY}T00:00:00.600000Z", datetime(2026, 1, 31, 0, 0, 1, tzinfo=UTC)),
        ("timestamp", Kind.NAIVE, f"{_DAY}T00:00:00Z", datetime(2026, 1, 31)),  # noqa: DTZ001
        ("date", Kind.DATE, _DAY, date(2026, 1, 31)),
        ("jsonb", Kind.JSON, '{"a":"b\\nc"}', {"a": "b\nc"}),
        ("uuid", Kind.OTHER, "123e4567-e89b-12d3-a456-426614174000", UUID("123e4567-e89b-12d3-a456-426614174000")),
    ],
)  # fmt: skip
def test_a_table_s_own_types_bound_what_is_kept(
    database: Database, declared: str, kind: Kind, given: Json, kept: object
) -> None:
    """Text that is too long is refused and never cut; what a type rounds is unchanged the next time."""
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS own")
        connection.exec_driver_sql(f"CREATE TABLE own (id integer PRIMARY KEY, it {declared})")
        table = schema.reflect(connection, "own")
        assert table is not None
        schema.adopt(connection, table, ["id"])
        assert table.columns["it"].kind is kind
        statement = Statement(connection, "own", (table.columns["id"], table.columns["it"]), ("id",))
        first, second = Taken(), Taken()
        for taken in (first, second):
            store([(0, (1, given))], statement, _STAMP, taken)
        found = connection.exec_driver_sql("SELECT it FROM own").scalar()
        assert (found, first.written, second.unchanged, len(first.refused)) == (
            (None, 0, 0, 1) if kept is None else (kept, 1, 1, 0)
        )


@pytest.mark.postgres
@POSTGRESQL
def test_a_merge_leaves_the_planner_as_it_was(database: Database) -> None:
    """What else the transaction does is planned as the server's settings have it."""
    ways = "SELECT current_setting('enable_seqscan'), current_setting('enable_hashjoin')"
    with database.write() as connection:
        connection.exec_driver_sql("SET LOCAL enable_hashjoin = off")
        assert made(connection, fresh=False).write([_ROW_1], _STAMP) == 1
        assert tuple(connection.exec_driver_sql(ways).one()) == ("on", "off")
