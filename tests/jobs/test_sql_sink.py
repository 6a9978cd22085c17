"""The SQL sink's contract, on SQLite and PostgreSQL."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import Counts
from jobs.kinds import Kind
from jobs.sinks import schema
from jobs.sinks.schema import TableUnfit, reflect
from jobs.sinks.sql import SqlOptions
from jobs.testing import MemoryContext
from tests.jobs.filling import NOW, batch, destination, store
from worker.store.database import Database

ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(0, 5)},
        optional={"name": st.none() | st.text("ab", max_size=2), "size": st.none() | st.integers(-3, 3)},
    ),
    max_size=8,
)


def execute(context: MemoryContext, statement: str) -> list[dict[str, Any]]:
    """Returns what a statement gives."""
    with context.unit() as unit:
        found = unit.connection.execute(sa.text(statement))
        return [dict(row) for row in found.mappings()] if found.returns_rows else []


def test_a_table_is_made_from_the_first_page(context: MemoryContext, database: Database) -> None:
    """Columns get their types from the values; key and system columns come first."""
    row = {
        "name": "a",
        "id": 7,
        "cost": 1.5,
        "open": True,
        "at": "2026-01-31T08:00:00+02:00",
        "owner": {"mail": "x"},
        "never": None,
    }
    assert store(context, [row]) == Counts(written=1)
    with context.unit() as unit:
        table = reflect(unit.connection, "t")
    assert table is not None
    assert {name: str(column.kind) for name, column in table.columns.items()} == {
        "id": "integer",
        "_run_id": "integer",
        "_synced_at": "timestamp",
        "_version": "integer",
        "name": "text",
        "cost": "float",
        "open": "boolean",
        "at": "timestamp",
        "owner": "json",
    }
    assert list(table.columns)[:4] == ["id", "_run_id", "_synced_at", "_version"]
    assert table.keys == [{"id"}]
    stored = execute(context, "SELECT * FROM t")[0]
    if database.dialect == "sqlite":
        assert (stored["at"], stored["owner"]) == ("2026-01-31T06:00:00.000000Z", '{"mail":"x"}')
        assert stored["_synced_at"] == "2026-06-01T12:00:00.000000Z"
    else:
        assert (stored["at"], stored["owner"]) == (datetime(2026, 1, 31, 6, tzinfo=UTC), {"mail": "x"})
        assert stored["_synced_at"] == NOW
    assert (stored["id"], stored["name"], stored["cost"], bool(stored["open"])) == (7, "a", 1.5, True)
    assert stored["_run_id"] == 1


def test_what_did_not_change_is_not_written(context: MemoryContext) -> None:
    """A second run with the same rows changes nothing, not even the run that a row names."""
    rows: list[dict[str, Any]] = [
        {"id": 1, "name": "a", "at": "2026-01-31T08:00:00Z", "tags": [1]},
        {"id": 2, "name": None},
    ]
    store(context, rows)
    context.run_id = 2
    rows[1] = rows[1] | {"name": "b"}
    assert store(context, rows) == Counts(written=1, unchanged=1)
    assert [row["_run_id"] for row in execute(context, "SELECT * FROM t ORDER BY id")] == [1, 2]


def test_the_last_state_of_a_key_wins(context: MemoryContext) -> None:
    """A page may hold a record twice; an older state counts as unchanged."""
    counts = store(context, [{"id": 1, "n": "old"}, {"id": 2, "n": "x"}, {"id": 1, "n": "new"}])
    assert counts == Counts(written=2, unchanged=1)
    assert context.rows("t") == [{"id": 1, "n": "new"}, {"id": 2, "n": "x"}]


def test_new_fields_become_columns(context: MemoryContext) -> None:
    """Later pages and runs widen the table; a value comes before its column's type is settled."""
    store(context, [{"id": 1, "late": None}], [{"id": 2, "late": 2.5}])
    store(context, [{"id": 3, "more": "x"}])
    assert context.rows("t") == [
        {"id": 1, "late": None, "more": None},
        {"id": 2, "late": 2.5, "more": None},
        {"id": 3, "late": None, "more": "x"},
    ]


def test_a_field_that_went_away_becomes_null(context: MemoryContext) -> None:
    """APIs leave out what is empty: a record is the whole truth about its row."""
    store(context, [{"id": 1, "owner": "x"}])
    assert store(context, [{"id": 1}]).written == 1
    assert context.rows("t") == [{"id": 1, "owner": None}]


def test_with_a_map_only_its_columns_are_written(context: MemoryContext) -> None:
    """A column that somebody else fills stays as it is."""
    store(context, [{"id": 1, "a": "x"}], whole=False)
    execute(context, "ALTER TABLE t ADD COLUMN note TEXT")
    execute(context, "UPDATE t SET note = 'mine'")
    assert store(context, [{"id": 1, "a": "y"}], whole=False).written == 1
    assert context.rows("t") == [{"id": 1, "a": "y", "note": "mine"}]


def test_a_row_without_its_key_is_rejected(context: MemoryContext) -> None:
    """A missing or null key says which column; the other rows go in."""
    assert store(context, [{"id": None, "n": 1}, {"n": 2}, {"id": 3, "n": 3}]).written == 1
    assert context.rejects == [
        ({"id": None, "n": 1}, "the record has no id, which is its key"),
        ({"n": 2}, "the record has no id, which is its key"),
    ]


def test_nothing_but_rejects_makes_no_table(context: MemoryContext) -> None:
    """A page without a good row leaves the database as it was."""
    store(context, [{"n": 1}])
    with context.unit() as unit:
        assert reflect(unit.connection, "t") is None


def test_a_key_may_have_several_columns(context: MemoryContext) -> None:
    """Rows are told apart by all of them."""
    rows = [{"a": 1, "b": "x", "n": 1}, {"a": 1, "b": "y", "n": 2}]
    store(context, rows, key=["a", "b"])
    assert store(context, rows, key=["a", "b"]) == Counts(unchanged=2)


def test_a_table_of_nothing_but_its_key(context: MemoryContext) -> None:
    """A row without further columns is there or not."""
    assert store(context, [{"id": 1}]).written == 1
    assert store(context, [{"id": 1}, {"id": 2}]) == Counts(written=1, unchanged=1)


def test_a_value_of_another_kind_costs_its_row_at_most(context: MemoryContext, database: Database) -> None:
    """PostgreSQL rejects what its column cannot hold, SQLite holds it; the rest of the page goes in."""
    store(context, [{"id": 1, "n": 1, "at": "2026-01-31T08:00:00Z"}])
    page: list[dict[str, Any]] = [{"id": 2, "n": "two"}, {"id": 3, "n": 3}, {"id": 4, "at": "soon"}]
    counts = store(context, page)
    kept = {row["id"]: (row["n"], row["at"]) for row in context.rows("t") if row["id"] > 1}
    if database.dialect == "sqlite":
        assert kept == {2: ("two", None), 3: (3, None), 4: (None, "soon")}
    else:
        assert kept == {3: (3, None)}
        assert [record for record, _ in context.rejects] == [page[0], page[2]]
    assert counts.written + counts.rejected == 3


@pytest.mark.parametrize("value", [5.5, 2**70])
def test_integers_that_meet_decimals_become_those(context: MemoryContext, database: Database, value: float) -> None:
    """A column of ours is widened, exactly; a key and a column of the user's own are not."""
    store(context, [{"id": 1, "n": 1}])
    counts = store(context, [{"id": 2, "n": value}, {"id": 3, "n": 7}])
    stored = [row["n"] for row in context.rows("t")]
    if database.dialect == "postgresql":
        assert (counts, stored) == (Counts(written=2), [1, Decimal(repr(value)), 7])
        assert ("info", "a column was widened to exact decimals", {"table": "t", "column": "n"}) in context.said
        assert store(context, [{"id": 1, "n": 1}, {"id": 2, "n": value}]) == Counts(unchanged=2)
    else:
        assert stored == ([1, value, 7] if value == 5.5 else [1, 7])  # SQLite takes what it can keep


def test_a_column_that_a_view_needs_is_not_widened(postgres_database: Database) -> None:
    """The row that does not fit is rejected, the view stays as it is."""
    with MemoryContext(write=postgres_database.write) as context:
        store(context, [{"id": 1, "n": 1}])
        execute(context, "CREATE VIEW v AS SELECT n FROM t")
        counts = store(context, [{"id": 2, "n": 5.5}, {"id": 3, "n": 7}], [{"id": 4, "n": 0.5}])
    assert (counts.written, counts.rejected) == (1, 2)
    assert [text for _, text, _ in context.said] == ["a column cannot be widened"]


def test_what_only_the_database_can_judge_costs_its_row_at_most(context: MemoryContext) -> None:
    """Constraints of the user's own reject single rows, wherever in the page they are."""
    execute(context, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0), code VARCHAR(3) UNIQUE)")
    page = [{"id": number, "n": 0 if number in (3, 7, 8) else 1} for number in range(20)]
    counts = store(context, page)
    assert (counts.written, counts.rejected) == (17, 3)
    assert [record["id"] for record, _ in context.rejects] == [3, 7, 8]
    assert all(reason.startswith("the database refused it: ") for _, reason in context.rejects)


def test_text_that_postgresql_cannot_hold_is_rejected(context: MemoryContext, database: Database) -> None:
    """A NUL inside text or JSON is one row's trouble."""
    counts = store(context, [{"id": 1, "n": "a\0b"}, {"id": 2, "n": "x"}, {"id": 3, "n": "y"}])
    assert counts.written == (3 if database.dialect == "sqlite" else 2)
    assert counts.written + counts.rejected == 3


def test_a_number_that_sqlite_would_make_of_text_is_rejected(
    sqlite_database: Database,
) -> None:
    """SQLite turns 007 in a column of numbers into 7; a changed value is no value."""
    with MemoryContext(write=sqlite_database.write) as context:
        store(context, [{"id": 1, "code": 5}], [{"id": 2, "code": "007"}, {"id": 3, "code": "x7"}])
        assert [row["code"] for row in context.rows("t")] == [5, "x7"]
        assert "cannot hold the text '007'" in context.rejects[0][1]


def test_a_table_that_was_there_is_used(context: MemoryContext) -> None:
    """Its columns keep their types and values, missing ones are added, foreign ones are left alone."""
    execute(context, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, note TEXT DEFAULT 'mine')")
    execute(context, "INSERT INTO t (id, name) VALUES (1, 'a')")
    store(context, [{"id": 1, "name": "b", "size": 5}, {"id": 2, "name": "c", "size": None}])
    assert context.rows("t") == [
        {"id": 1, "name": "b", "note": "mine", "size": 5},
        {"id": 2, "name": "c", "note": "mine", "size": None},
    ]


def test_a_unique_index_serves_as_the_key(context: MemoryContext) -> None:
    """The job's key need not be the primary key."""
    execute(context, "CREATE TABLE t (number INTEGER PRIMARY KEY, id TEXT NOT NULL)")
    execute(context, "CREATE UNIQUE INDEX ux ON t (id)")
    store(context, [{"id": "a", "number": 1}])
    assert store(context, [{"id": "a", "number": 1}]).unchanged == 1


@pytest.mark.parametrize(
    ("ddl", "words"),
    [
        ("CREATE TABLE t (id INTEGER, n INTEGER)", r"no unique index over \(\"id\"\).* CREATE UNIQUE INDEX"),
        ("CREATE TABLE t (n INTEGER PRIMARY KEY)", "no column id, which the job's key names; it has n"),
        ("CREATE TABLE t (id INTEGER, n INTEGER, PRIMARY KEY (id, n))", "no unique index"),
    ],
)
def test_a_table_with_another_key_is_refused(context: MemoryContext, ddl: str, words: str) -> None:
    """An upsert needs its unique index; the error says how to make one, and nothing was changed."""
    execute(context, ddl)
    with pytest.raises(TableUnfit, match=words):
        store(context, [{"id": 1, "n": 1}])
    assert context.rows("t") == []


def test_a_partial_index_is_no_key(context: MemoryContext) -> None:
    """An index over some of the rows does not tell all rows apart."""
    execute(context, "CREATE TABLE t (id INTEGER, n INTEGER)")
    execute(context, "CREATE UNIQUE INDEX ux ON t (id) WHERE n > 0")
    with pytest.raises(TableUnfit, match="no unique index"):
        store(context, [{"id": 1, "n": 1}])


def test_append_adds_rows_of_each_run(context: MemoryContext) -> None:
    """Every run's rows stay, and an attempt that comes again takes the place of the one before."""
    store(context, [{"id": 1}], [{"id": 2}], mode="append", key=[])
    context.attempt = 2
    store(context, [{"id": 1}], [{"id": 2}], mode="append", key=[])
    context.run_id, context.attempt = 2, 1
    store(context, [{"id": 1}], mode="append", key=[])
    assert [row["id"] for row in execute(context, "SELECT id FROM t ORDER BY _run_id, id")] == [1, 2, 1]


def test_ddl_belongs_to_the_transaction(context: MemoryContext) -> None:
    """A unit that fails leaves neither table nor rows behind."""

    class Stop(Exception):
        pass

    def fails() -> None:
        with context.unit() as unit:
            schema.create(unit.connection, "t", {"id": Kind.INTEGER}, ["id"])
            raise Stop

    with pytest.raises(Stop):
        fails()
    with context.unit() as unit:
        assert reflect(unit.connection, "t") is None


@pytest.mark.parametrize("name", ['a"b', "a b", "1a", "x" * 64, "a;--", ""])
def test_names_that_are_no_names_are_refused(context: MemoryContext, name: str) -> None:
    """No record's field reaches SQL unchecked."""
    with pytest.raises(TableUnfit, match="cannot be the name of a column"):
        store(context, [{"id": 1, name: 1}])


def test_names_that_differ_in_case_alone(context: MemoryContext, database: Database) -> None:
    """SQLite knows one column of them, PostgreSQL two; neither run fails."""
    store(context, [{"id": 1, "serialNumber": "a"}], whole=False)
    store(context, [{"id": 1, "SerialNumber": "b"}], whole=False)
    one, two = {"id": 1, "serialNumber": "b"}, {"id": 1, "serialNumber": "a", "SerialNumber": "b"}
    assert context.rows("t") == [one if database.dialect == "sqlite" else two]


def test_words_of_sql_and_any_case_can_be_names(context: MemoryContext) -> None:
    """Names are quoted."""
    rows = [{"id": 1, "select": "a", "Order": 2, "größe": 3}]
    assert store(context, rows, table="Group").written == 1
    assert store(context, rows, table="Group").unchanged == 1


def test_types_of_the_users_own_are_judged_by_postgresql(postgres_database: Database) -> None:
    """Dates, numerics, json, enums: text goes in where PostgreSQL reads it, else the row is rejected."""
    with MemoryContext(write=postgres_database.write) as context:
        execute(context, "CREATE TYPE mood AS ENUM ('good', 'bad')")
        execute(
            context,
            "CREATE TABLE t (id int2 PRIMARY KEY, d date, n numeric(6,2), j json, m mood, p timestamp(3), u uuid)",
        )
        uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
        row = {"d": "2026-01-31", "n": 12.5, "j": {"a": 1}, "m": "good", "p": "2026-01-31T08:00:00+02:00", "u": uuid}
        page = [
            {"id": 1} | row,
            {"id": 2} | row | {"d": "soon"},
            {"id": 3} | row | {"m": "grim"},
            {"id": 40000} | row,
        ]
        assert store(context, page).written == 1
        assert store(context, page).unchanged == 1
        stored = context.rows("t")[0]
        assert (str(stored["n"]), str(stored["p"])) == ("12.50", "2026-01-31 06:00:00")


@given(st.lists(ROWS, max_size=4))
def test_upserting_twice_is_upserting_once(pages: list[list[dict[str, Any]]]) -> None:
    """The table equals the last state of each record, and a second run changes only what the pages undo."""
    with MemoryContext() as context:
        first = store(context, *pages)
        states = {row["id"]: row for page in pages for row in page}
        if states:
            found = {row["id"]: row for row in context.rows("t")}
            assert found.keys() == states.keys()
            for key, state in states.items():
                assert {name: value for name, value in found[key].items() if value is not None} == {
                    name: value for name, value in state.items() if value is not None
                }
        assert first.written + first.unchanged == sum(map(len, pages))
        final = list(states.values())
        again = store(context, final)
        assert (again.written, again.unchanged) == (0, len(final))


def test_upsert_needs_a_key() -> None:
    """Without one there is nothing to tell rows apart by; a single column may stand alone."""
    with pytest.raises(ValidationError, match="key is missing"):
        SqlOptions.model_validate({"table": "t"})
    assert SqlOptions.model_validate({"table": "t", "key": "id"}).key == ("id",)
    assert SqlOptions.model_validate({"table": "t", "mode": "append"}).key == ()


@pytest.mark.parametrize(("step_s", "on_sqlite"), [(0.0, 1), (0.015, 2), (1.0, 3)])
def test_a_transaction_takes_pages_while_it_is_young(
    context: MemoryContext, database: Database, monkeypatch: pytest.MonkeyPatch, step_s: float, on_sqlite: int
) -> None:
    """SQLite's lock is not held for long: a page more joins only a transaction younger than 20 ms; elsewhere all do."""
    passed = itertools.count()
    monkeypatch.setattr("jobs.sinks.sql.time.monotonic", lambda: next(passed) * step_s)
    target = destination(context)

    target.store([batch([{"id": number}]) for number in range(3)])

    versions = {row["_version"] for row in execute(context, "SELECT _version FROM t")}
    assert len(versions) == (on_sqlite if database.dialect == "sqlite" else 1)
    assert context.counts.written == 3
