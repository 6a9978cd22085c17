"""mode = "replace": a table built aside, swapped at the end."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Counts, Json
from jobs.sinks import replacing
from jobs.sinks.schema import TableUnfit
from jobs.testing import MemoryContext
from tests.jobs.filling import batch, destination, store
from worker.store.database import Database


class Killed(Exception):
    """What a test throws where a process would die."""


def sql(context: MemoryContext, statement: str) -> list[tuple[Any, ...]]:
    """Returns what a statement gives."""
    with context.unit() as unit:
        found = unit.connection.execute(sa.text(statement))
        return [tuple(row) for row in found] if found.returns_rows else []


def names(context: MemoryContext) -> set[str]:
    """Returns the tables that syncs have made."""
    with context.unit() as unit:
        return {name for name in sa.inspect(unit.connection).get_table_names() if name.startswith("t")} - {"tokens"}


def replace(context: MemoryContext, *pages: list[dict[str, Any]], **options: Json) -> Counts:
    """Stores pages in a run that replaces."""
    return store(context, *pages, mode="replace", **options)


def test_what_was_there_is_replaced(context: MemoryContext) -> None:
    """Rows that no longer come are gone, columns stay; nothing is left beside the table."""
    assert replace(context, [{"id": 1, "a": "x"}], [{"id": 2, "a": "y"}]) == Counts(written=2)
    assert replace(context, [{"id": 2, "a": "y"}], [{"id": 3, "b": 5}]) == Counts(written=2)
    assert context.rows("t") == [{"id": 2, "a": "y", "b": None}, {"id": 3, "a": None, "b": 5}]
    assert names(context) == {"t"}


def test_without_a_key_every_row_is_one(context: MemoryContext) -> None:
    """With one, the last state of a record wins, over pages too."""
    page = [{"id": 1, "n": 1}, {"id": 1, "n": 2}]
    replace(context, page, [{"id": 1, "n": 3}], key=[])
    assert [row["n"] for row in context.rows("t", order_by="n")] == [1, 2, 3]
    replace(context, page, [{"id": 1, "n": 3}], key="id", table="t2")
    assert context.rows("t2") == [{"id": 1, "n": 3}]


def test_no_page_empties_the_table(context: MemoryContext) -> None:
    """An empty source is a fact too; where there is no table none is made."""
    replace(context)
    assert names(context) == set()
    replace(context, [{"id": 1}])
    replace(context)
    assert context.rows("t") == []


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_run_that_fails_leaves_the_old_table(context: MemoryContext, pages: int) -> None:
    """What was built is dropped when the next attempt begins, which starts from nothing."""
    replace(context, [{"id": 1, "n": 0}])
    dead = destination(context, mode="replace")
    for number in range(pages):
        dead.store([batch([{"id": 10 + number}])])
    assert context.rows("t") == [{"id": 1, "n": 0}]
    context.attempt = 2
    replace(context, [{"id": 2, "n": 0}])
    assert (context.rows("t"), names(context)) == ([{"id": 2, "n": 0}], {"t"})


def _die_at(step: str, context: MemoryContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces twice, the second time with a death at a step of the swap, then once more."""
    replace(context, [{"id": 1}])
    dead = destination(context, mode="replace")
    dead.store([batch([{"id": 2}])])

    def dies(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(replacing, step, dies)
        with pytest.raises(Killed):
            dead.finish()
    assert [row["id"] for row in context.rows("t")] == [1]
    replace(context, [{"id": 3}])
    assert ([row["id"] for row in context.rows("t")], names(context)) == ([3], {"t"})


def test_a_death_in_the_swap_leaves_the_old_table(context: MemoryContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropping and renaming are one transaction."""
    _die_at("_rename", context, monkeypatch)


@pytest.mark.parametrize("step", ["_parts", "_key_index"])
def test_a_death_among_sqlites_indexes_leaves_the_old_table(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Making indexes again belongs to it."""
    with MemoryContext(write=sqlite_database.write) as context:
        _die_at(step, context, monkeypatch)


def test_a_users_table_keeps_its_form(context: MemoryContext, database: Database) -> None:
    """Defaults, checks and indexes are the old table's, by their names; a key that is an index serves."""
    sql(context, "CREATE TABLE t (id INTEGER NOT NULL, n INTEGER DEFAULT 7 CHECK (n > 0), note TEXT)")
    sql(context, "CREATE UNIQUE INDEX t_by_id ON t (id)")
    sql(context, 'CREATE INDEX "t by note" ON t (note)')
    for _ in range(3):
        counts = replace(context, [{"id": 1}], [{"id": 2, "n": 0}], whole=False)
        assert (counts.written, counts.rejected) == (1, 1)
    assert context.rows("t") == [{"id": 1, "n": 7, "note": None}]
    with context.unit() as unit:
        assert {index["name"] for index in sa.inspect(unit.connection).get_indexes("t")} == {"t_by_id", "t by note"}


def test_a_view_on_sqlite_shows_the_new_rows(sqlite_database: Database) -> None:
    """SQLite looks names up when a view is read; triggers are made again."""
    with MemoryContext(write=sqlite_database.write) as context:
        replace(context, [{"id": 1}])
        sql(context, "CREATE VIEW v AS SELECT id FROM t")
        sql(context, "CREATE TABLE told (id INTEGER)")
        sql(context, "CREATE TRIGGER tells AFTER INSERT ON t BEGIN INSERT INTO told VALUES (new.id); END")
        replace(context, [{"id": 2}])
        assert sql(context, "SELECT id FROM v") == [(2,)]
        sql(context, "INSERT INTO t (id) VALUES (5)")
        assert sql(context, "SELECT id FROM told") == [(5,)]


@pytest.mark.parametrize(
    "dependent", ["CREATE VIEW v AS SELECT id FROM t", "CREATE TABLE child (id BIGINT REFERENCES t (id))"]
)
def test_what_depends_on_the_table_is_named(postgres_database: Database, dependent: str) -> None:
    """PostgreSQL holds a table by its views: the run fails before its first page is stored."""
    with MemoryContext(write=postgres_database.write) as context:
        replace(context, [{"id": 1}])
        sql(context, dependent)
        target = destination(context, mode="replace")
        with pytest.raises(TableUnfit, match=r"the table t cannot be replaced: (view v|constraint .* on table child)"):
            target.store([batch([{"id": 2}])])
        assert context.rows("t") == [{"id": 1}]


def test_a_foreign_key_on_sqlite_is_named(sqlite_database: Database) -> None:
    """Rows that others refer to cannot be dropped."""
    with MemoryContext(write=sqlite_database.write) as context:
        replace(context, [{"id": 1}])
        sql(context, "CREATE TABLE child (id INTEGER REFERENCES t (id))")
        sql(context, "INSERT INTO child VALUES (1)")
        with pytest.raises(TableUnfit, match="cannot be replaced: FOREIGN KEY"):
            replace(context, [{"id": 2}])
        assert context.rows("t") == [{"id": 1}]


def test_rights_and_sequences_stay_on_postgresql(postgres_database: Database) -> None:
    """Who could read the old table can read the new one, and a serial column counts on."""
    with MemoryContext(write=postgres_database.write) as context:
        sql(context, "CREATE TABLE t (id BIGINT PRIMARY KEY, nr SERIAL)")
        sql(context, "GRANT SELECT ON t TO PUBLIC")
        for run in range(3):
            replace(context, [{"id": run}], whole=False)
        assert sql(context, "SELECT id, nr FROM t") == [(2, 3)]
        assert sql(context, "SELECT has_table_privilege('pg_read_all_stats', 't', 'SELECT')") == [(True,)]
        assert sql(context, "SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'p'") == [
            ("t_pkey",)
        ]


def test_versions_move_with_the_swap(context: MemoryContext) -> None:
    """Nobody sees the counter at a version whose rows are not there yet."""
    replace(context, [{"id": 1}])
    dying = destination(context, mode="replace")
    dying.store([batch([{"id": 2}])])
    (before,) = sql(context, "SELECT version FROM _sync_tables")
    assert before == (2,)
    store(context, [{"id": 9}])  # somebody else, into the old table
    dying.finish()
    assert sql(context, "SELECT version FROM _sync_tables") == sql(context, "SELECT _version FROM t") == [(4,)]


def test_rejects_that_are_tried_again_go_into_the_table_itself(context: MemoryContext) -> None:
    """There is no whole pass then, so nothing is swapped."""
    replace(context, [{"id": 1}])
    context.params = {"rejects": True}
    target = destination(context, mode="replace")
    target.store([batch([{"id": 2}])])
    assert [row["id"] for row in context.rows("t")] == [1, 2]


PAGES = st.lists(
    st.lists(st.fixed_dictionaries({"id": st.integers(0, 9), "n": st.integers(0, 3)}), max_size=5), max_size=4
)


@given(st.lists(st.tuples(PAGES, st.none() | st.integers(0, 4)), max_size=5))
def test_the_table_is_the_last_pass_that_ended(runs: list[tuple[list[list[dict[str, int]]], int | None]]) -> None:
    """Whatever runs died at whatever page."""
    expected: dict[int, dict[str, int]] = {}
    with MemoryContext() as context:
        for pages, dies_after in runs:
            target = destination(context, mode="replace")
            for page in pages[:dies_after]:
                target.store([batch(page)])
            if dies_after is None:
                target.finish()
                expected = {row["id"]: row for page in pages for row in page}
        found = {row["id"]: row for row in context.rows("t")} if names(context) & {"t"} else {}
        assert found == expected
