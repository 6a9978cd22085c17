"""What a table may become: declared kinds, a frozen schema, a preview, pages that share a transaction."""

from typing import Any

import pytest
import sqlalchemy as sa

from jobs.contract import Counts
from jobs.kinds import Kind
from jobs.sinks.schema import TableUnfit, reflect
from jobs.testing import MemoryContext
from tests.jobs.filling import batch, destination, store
from worker.store.database import Database

FROZEN = {"schema": "freeze"}


def kinds(context: MemoryContext) -> dict[str, str]:
    """Returns the table's own columns."""
    with context.unit() as unit:
        table = reflect(unit.connection, "t")
    assert table is not None
    return {name: str(column.kind) for name, column in table.columns.items() if not name.startswith("_")}


def sql(context: MemoryContext, statement: str) -> None:
    """Executes a statement."""
    with context.unit() as unit:
        unit.connection.execute(sa.text(statement))


def test_declared_kinds_make_the_columns(context: MemoryContext) -> None:
    """What a map declares needs no value to become a column; the rest is as the values are."""
    declared = {"cost": Kind.DECIMAL, "day": Kind.DATE, "code": Kind.TEXT}
    store(context, [{"id": 1, "cost": None, "day": None, "code": "7", "n": 7, "no": None}], kinds=declared)
    assert kinds(context) == {"id": "integer", "cost": "decimal", "day": "date", "code": "text", "n": "integer"}
    store(context, [{"id": 2, "cost": "12.50", "day": "2026-01-31"}], kinds=declared)
    assert str(context.rows("t")[1]["cost"]) == "12.50"


def test_a_frozen_table_gets_no_column(context: MemoryContext) -> None:
    """A record that brings a field without one is rejected; one whose field is null brings nothing."""
    sql(context, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
    page: list[dict[str, Any]] = [{"id": 1, "n": 1}, {"id": 2, "new": 5}, {"id": 3, "new": None}, {"n": 4}]
    assert store(context, page, **FROZEN) == Counts(written=2, rejected=2)
    assert kinds(context) == {"id": "integer", "n": "integer"}
    assert [(record, reason.split(":")[0]) for record, reason in context.rejects] == [
        ({"id": 2, "new": 5}, 'the table t has no column new, and schema = "freeze" adds none'),
        ({"n": 4}, "the record has no id, which is its key"),
    ]


@pytest.mark.parametrize("mode", ["upsert", "append", "replace", "mirror"])
def test_a_frozen_table_must_be_there(context: MemoryContext, mode: str) -> None:
    """Nobody makes it."""
    with pytest.raises(TableUnfit, match=r'^the table t is missing, and schema = "freeze" lets nobody make it'):
        store(context, [{"id": 1}], mode=mode, **FROZEN)


def test_a_frozen_column_is_not_widened(postgres_database: Database) -> None:
    """The row that does not fit is rejected."""
    with MemoryContext(write=postgres_database.write) as context:
        store(context, [{"id": 1, "n": 1}])
        assert store(context, [{"id": 2, "n": 5.5}], **FROZEN) == Counts(rejected=1)
        assert kinds(context)["n"] == "integer"


@pytest.mark.parametrize("mode", ["upsert", "append", "replace", "mirror"])
def test_a_preview_leaves_nothing_behind(context: MemoryContext, mode: str) -> None:
    """Each page is stored and taken back; the next one finds the table as it was, and nothing is ended."""
    store(context, [{"id": 1, "n": 1}])
    context.dry = True
    counts = store(context, [{"id": 4, "n": 2}, {"id": 2, "more": 1}], [{"id": 3, "more": 5}], mode=mode)
    context.dry = False
    assert counts.written == 3
    assert (context.rows("t"), kinds(context)) == ([{"id": 1, "n": 1}], {"id": "integer", "n": "integer"})


def test_pages_that_lie_ready_share_a_transaction(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is young, on SQLite, and always elsewhere: see test_sql_sink."""
    monkeypatch.setattr("jobs.sinks.sql.time.monotonic", lambda: 0.0)
    units = []
    with MemoryContext(write=database.write) as context:
        opened = context.write
        assert opened is not None

        def counted() -> Any:  # noqa: ANN401 - a context manager
            units.append(1)
            return opened()

        context.write = counted
        target = destination(context)
        target.store([batch([{"id": 0}])])
        target.store([batch([{"id": number}]) for number in range(1, 10)])
        assert len(units) == 2
        assert (len(context.rows("t")), target.at_once) == (10, 20)
        assert context.counts.pages == 10


def test_a_long_name_has_tables_beside_it_too(context: MemoryContext) -> None:
    """The names of the side tables are cut, not the table's."""
    name = "t" * 63
    store(context, [{"id": 1}], [{"id": 2}], table=name, mode="mirror")
    store(context, [{"id": 1}], table=name, mode="mirror")
    store(context, [{"id": 5}], table=name, mode="replace")
    assert [row["id"] for row in context.rows(name)] == [5]
