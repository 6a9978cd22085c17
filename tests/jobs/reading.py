"""A context whose reads are snapshots of a real database, as in the daemon, and a sync from one table to another."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from jobs.contract import Json
from jobs.sources.sql import SqlSource, SqlSourceOptions
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext
from worker.store.database import Database


@dataclass
class ReadingContext(MemoryContext):
    """Reads beside what it writes."""

    database: Database | None = None

    @contextmanager
    def read(self, database: str | None = None) -> Iterator[sa.Connection]:
        """Opens a transaction that reads."""
        assert self.database
        with self.database.read() as connection:
            yield connection


def reading(database: Database, **more: Json) -> ReadingContext:
    """Returns a context on the database."""
    return ReadingContext(write=database.write, database=database, **more)


def run(database: Database, *statements: str) -> None:
    """Executes statements in one transaction."""
    with database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def source(**options: Json) -> SqlSource:
    """Returns a source with these options."""
    return SqlSource(SqlSourceOptions.model_validate(options))


def records(context: MemoryContext, **options: Json) -> list[Json]:
    """Returns every record that a source gives."""
    return [record for page in source(**options).pages(context) for record in page.records]


def sync(destination: dict[str, Json] | None = None, prefetch: int = 0, **options: Json) -> Sync:
    """Returns a job from a database into the table u."""
    given = {"source": options, "destination": destination or {"table": "u", "key": "id"}, "prefetch": prefetch}
    return Sync(SyncOptions.model_validate(given))
