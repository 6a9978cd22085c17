"""Columns that a database fills itself: nothing is written there, and a field of that name is told of."""

import pytest

from jobs.sinks.schema import TableUnfit
from jobs.testing import MemoryContext
from tests.jobs.filling import store
from worker.store.database import Database

GENERATED = "id BIGINT PRIMARY KEY, n BIGINT, twice BIGINT GENERATED ALWAYS AS (n * 2) STORED"
IDENTITY = "id BIGINT PRIMARY KEY, n BIGINT, twice BIGINT GENERATED ALWAYS AS IDENTITY"


def _make(context: MemoryContext, columns: str) -> None:
    with context.unit() as unit:
        unit.connection.exec_driver_sql(f"CREATE TABLE t ({columns})")


@pytest.mark.parametrize("schema", ["evolve", "freeze"])
def test_a_field_that_meets_a_generated_column_is_told_of(context: MemoryContext, schema: str) -> None:
    """Its value cannot be written, and to try again would not help."""
    _make(context, GENERATED)
    with pytest.raises(TableUnfit, match=r"the table t makes the values of its column twice itself.*out by map"):
        store(context, [{"id": 1, "n": 2, "twice": 4}], schema=schema)


def test_sqlite_knows_a_generated_column_in_either_case(sqlite_database: Database) -> None:
    """To add one of that name would fail."""
    with MemoryContext(write=sqlite_database.write) as context:
        _make(context, GENERATED)
        with pytest.raises(TableUnfit, match="column twice itself"):
            store(context, [{"id": 1, "n": 2, "TWICE": 4}])


@pytest.mark.parametrize("mode", ["upsert", "mirror", "replace"])
def test_a_generated_column_follows_what_is_written(context: MemoryContext, mode: str) -> None:
    """Wherever in the table it stands."""
    _make(context, GENERATED)
    store(context, [{"id": 1, "n": 1}])
    with context.unit() as unit:
        how = "STORED" if unit.connection.dialect.name == "postgresql" else "VIRTUAL"
        unit.connection.exec_driver_sql(f"ALTER TABLE t ADD COLUMN thrice BIGINT GENERATED ALWAYS AS (n * 3) {how}")
    assert store(context, [{"id": 1, "n": 2}, {"id": 2, "n": 5}], mode=mode).written == 2
    with context.unit() as unit:
        found = unit.connection.exec_driver_sql("SELECT id, twice, thrice FROM t ORDER BY id").all()
    assert [tuple(row) for row in found] == [(1, 4, 6), (2, 10, 15)]


def test_an_identity_of_postgresql_is_left_alone(postgres_database: Database) -> None:
    """Only one that is GENERATED ALWAYS takes no values."""
    with MemoryContext(write=postgres_database.write) as context:
        _make(context, IDENTITY)
        assert store(context, [{"id": 1, "n": 2}]).written == 1
        with pytest.raises(TableUnfit, match="column twice itself"):
            store(context, [{"id": 1, "twice": 2}])
        with pytest.raises(TableUnfit, match="column twice itself"):
            store(context, [{"twice": 2}], key="twice")
