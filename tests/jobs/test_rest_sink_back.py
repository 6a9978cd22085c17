"""Ids that the API gave, in the table that the rows came from."""

import pytest
import sqlalchemy as sa

from jobs.contract import Record
from jobs.progress import Progress
from jobs.sinks.rest import RestDestination
from jobs.sinks.schema import TableUnfit
from jobs.sinks.writeback import WriteBack
from jobs.testing import MemoryContext
from tests.jobs.crm import UPDATE, Crm, Died, Mortal, batch, options, row

BACK = WriteBack(None, "orders", "crm_id", {"key": "key"})


def made(context: MemoryContext, *keys: str) -> None:
    """Makes the table of the source."""
    with context.unit() as unit:
        unit.connection.exec_driver_sql("CREATE TABLE orders (key TEXT PRIMARY KEY, crm_id TEXT, _version BIGINT)")
        table = sa.table("orders", sa.column("key"), sa.column("_version"))
        unit.connection.execute(sa.insert(table), [{"key": key, "_version": 7} for key in keys])


def sent(context: MemoryContext, rows: list[Record], back: WriteBack = BACK) -> None:
    """Sends rows with ids written back."""
    given = options(write_back={"column": "crm_id"}, update=UPDATE)
    sink = RestDestination(given, context, Progress(context), back)
    sink.begin()
    sink.store([batch(rows)])


def test_ids_go_into_the_table(context: MemoryContext) -> None:
    """A row's version stays: the id alone is no change that anybody has to send on."""
    made(context, "a", "b")
    context.answers = Crm()
    sent(context, [row("a"), row("b", "!error")])
    sent(context, [row("a", "new")])
    with context.read() as connection:
        found = connection.execute(sa.text("SELECT key, crm_id, _version FROM orders ORDER BY key"))
        assert found.all() == [("a", "o1", 7), ("b", None, 7)]


def test_the_table_may_stand_in_a_schema(context: MemoryContext) -> None:
    """As that of the source, which it is."""
    made(context, "a")
    context.answers = Crm()
    with context.read() as connection:
        schema = sa.inspect(connection).default_schema_name
    sent(context, [row("a")], WriteBack(None, f"{schema}.orders", "crm_id", {"key": "key"}))
    assert context.rows("orders")[0]["crm_id"] == "o1"


@pytest.mark.parametrize(("column", "key"), [("crm_ID_", "key"), ("crm_id", "serial"), ("x = 1; --", "key")])
def test_a_column_that_is_not_there_is_told_before_anything_is_sent(
    context: MemoryContext, column: str, key: str
) -> None:
    """With what the table has."""
    made(context, "a")
    with pytest.raises(TableUnfit, match=r"the table orders has no column .* it has key, crm_id, _version"):
        sent(context, [row("a")], WriteBack(None, "orders", column, {key: "key"}))
    assert context.requests == []


def test_the_id_is_stored_with_the_outcome() -> None:
    """A process that dies in between leaves both or none."""
    with Mortal(answers=Crm()) as context:
        made(context, "a")
        context.deaths = iter(["fine", "before"])
        with pytest.raises(Died):
            sent(context, [row("a")])
        context.reborn()
        assert context.rows("orders")[0]["crm_id"] is None
        assert context.sent['"a"'].state == "sending"
