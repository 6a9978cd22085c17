"""Each unit that writes into a table moves the table's version, which its rows then carry."""

import threading
from typing import Any

import sqlalchemy as sa

from jobs.contract import Counts
from jobs.testing import MemoryContext
from tests.jobs.filling import batch, store
from worker.store.database import Database


def select(context: MemoryContext, statement: str) -> list[tuple[Any, ...]]:
    """Returns what a statement gives."""
    with context.unit() as unit:
        found = unit.connection.execute(sa.text(statement))
        return [tuple(row) for row in found] if found.returns_rows else []


VERSIONS = "SELECT id, _version FROM t ORDER BY id"


def test_rows_carry_the_version_of_the_unit_that_wrote_them(context: MemoryContext) -> None:
    """A page each; what did not change keeps its version, whatever run it is."""
    store(context, [{"id": 1, "n": 1}, {"id": 2, "n": 1}], [{"id": 3, "n": 1}])
    assert select(context, VERSIONS) == [(1, 2), (2, 2), (3, 3)]
    store(context, [{"id": 1, "n": 1}, {"id": 2, "n": 2}])
    assert select(context, VERSIONS) == [(1, 2), (2, 4), (3, 3)]
    assert select(context, "SELECT name, version FROM _sync_tables") == [("t", 4)]


def test_a_table_of_the_release_before_gets_versions(context: MemoryContext) -> None:
    """Its rows have the version 1; what is written from now on comes after."""
    types = "id INTEGER PRIMARY KEY, _run_id BIGINT, _synced_at VARCHAR(40), n INTEGER"
    select(context, f"CREATE TABLE t ({types})")
    select(context, "INSERT INTO t VALUES (1, 7, '2026-01-01', 5), (2, 7, '2026-01-01', 5)")
    assert store(context, [{"id": 1, "n": 5}, {"id": 2, "n": 6}, {"id": 3, "n": 7}]) == Counts(written=2, unchanged=1)
    assert select(context, VERSIONS) == [(1, 1), (2, 2), (3, 2)]


def test_a_lost_counter_starts_behind_the_rows(context: MemoryContext) -> None:
    """A version once given is never given again."""
    store(context, *([{"id": number}] for number in range(5)))
    select(context, "DROP TABLE _sync_tables")
    store(context, [{"id": 9}])
    assert select(context, "SELECT max(_version), count(DISTINCT _version) FROM t") == [(7, 6)]


def test_each_table_counts_for_itself(context: MemoryContext) -> None:
    """Versions are compared within a table alone."""
    store(context, [{"id": 1}], table="a")
    store(context, [{"id": 1}], table="b")
    assert select(context, "SELECT name, version FROM _sync_tables ORDER BY name") == [("a", 2), ("b", 2)]


def test_versions_are_committed_in_their_order(database: Database) -> None:
    """Who reads a version has read all rows of lower ones, however many write at once."""
    with MemoryContext(write=database.write) as context:
        store(context, [{"id": 0}])
    begun, failed = threading.Barrier(3), list[str]()
    done = threading.Event()

    def write(number: int) -> None:
        with MemoryContext(write=database.write, run_id=number) as own:
            begun.wait()
            store(own, *(batch([{"id": number * 100 + row}]) for row in range(10)))

    def read() -> None:
        begun.wait()
        while not done.is_set():
            with database.read() as connection:
                bound = connection.scalar(sa.text("SELECT version FROM _sync_tables")) or 0
            with database.read() as connection:
                rows = connection.execute(sa.text(f"SELECT count(*) FROM t WHERE _version <= {bound}")).scalar_one()
            if rows != bound - 1:
                failed.append(f"{rows} rows up to version {bound}")

    writers = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert failed == []
    with database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*), max(_version) FROM t")).one() == (21, 22)
