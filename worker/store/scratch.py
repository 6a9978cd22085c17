"""A database that nobody will miss, for what only wants to know how things would go."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from worker.store.database import Database, open_database
from worker.store.schema import upgrade
from worker.store.writer import Ticket, Writer

T = TypeVar("T")

_IN_MEMORY = "/dev/shm"  # noqa: S108  a folder of its own is made in it, for its owner alone
_TOGETHER = 1_000  # operations in one transaction


@contextmanager
def scratch() -> Iterator[Database]:
    """Yields an empty database with the schema in place, in memory where the system has a file system there."""
    with TemporaryDirectory(prefix="worker-", dir=_IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None) as folder:
        database = open_database(f"sqlite:///{folder}/scratch.db")
        sa.event.listen(database.engine, "connect", _careless)
        database.engine.dispose()  # connections made before that listener
        try:
            upgrade(database)
            yield database
        finally:
            database.close()


def _careless(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA synchronous=OFF").close()
    connection.execute("PRAGMA secure_delete=OFF").close()


@contextmanager
def _step(connection: sa.Connection) -> Iterator[None]:
    """Undoes what is done within, where it raises; by the driver: SQLAlchemy's takes as long as the step itself."""
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    driver.execute("SAVEPOINT step").close()
    try:
        yield
    except BaseException:
        driver.execute("ROLLBACK TO step").close()
        raise
    finally:
        driver.execute("RELEASE step").close()


class Inline(Writer):
    """A writer that performs each operation at once in its caller's thread, many in one transaction.

    What an operation did that raises stays undone. Others see it all after `settle`.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database, lambda _: None)
        self.database = database
        self._open: Iterator[sa.Connection] | None = None
        self._connection: sa.Connection | None = None
        self._count = 0

    def _hand_in(self, ticket: Ticket[T], *, lingers: bool) -> Ticket[T]:  # noqa: ARG002  nothing waits for company
        connection = self._connected()
        try:
            with _step(connection):
                result = ticket.run(connection)
        except Exception as error:  # noqa: BLE001  whatever an operation raises belongs to whoever asks for its result
            ticket.settle(None, error)
        else:
            ticket.settle(result)
        self._count += 1
        if self._count >= _TOGETHER:
            self.settle()
        return ticket

    def settle(self) -> None:
        """Commits what was performed."""
        if self._open is not None:
            next(self._open, None)
        self._open, self._connection, self._count = None, None, 0

    def _connected(self) -> sa.Connection:
        if self._connection is None:
            self._open = self._transaction()
            self._connection = next(self._open)
        return self._connection

    def _transaction(self) -> Iterator[sa.Connection]:
        with self.database.write() as connection:
            yield connection
