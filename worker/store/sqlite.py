"""What is particular to SQLite: the file and its mode, a connection's settings, how a transaction begins."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import cast

import orjson
import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from worker.model.errors import StoreError, StoreInUse, StoreUnreachable

BUSY_TIMEOUT_S = 5.0  # how long SQLite itself waits for another process
BUSY_TRIES = 3
WRITES = "worker_writes"  # execution option of a connection that may write

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # WAL with NORMAL loses acknowledged commits in a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # replaced sealed tokens leave no trace in free pages
    # Pages of 4 KiB in the log. Whose commit passes them copies all into the file, and pays two fsyncs: at 1,000, which
    # is the default, each page of a sync did.
    "PRAGMA wal_autocheckpoint=4000",
)


def path_of(url: sa.URL) -> Path:
    """Returns the real path of the database file; raises StoreError for a URL that names none."""
    if not url.database or url.database == ":memory:" or url.query or url.host:
        raise StoreError(
            "database.url: expected a file, such as sqlite:///worker.db, "
            f"found {url.render_as_string(hide_password=True)}."
        )
    return Path(os.path.realpath(url.database))


def make_file(path: Path) -> None:
    """Creates the file, readable by its owner alone, where there is none; -wal and -shm take over its mode.

    Raises StoreUnreachable.
    """
    if not path.parent.is_dir():
        raise StoreUnreachable(f"{path}: the folder {path.parent} does not exist; make it, or change database.url.")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreUnreachable(f"{path} cannot be opened for writing: {error.strerror}.") from error


def make_engine(path: Path) -> sa.Engine:
    """Returns an engine whose connections are durable and begin their transactions explicitly."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        hide_parameters=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        max_overflow=-1,  # readers never wait for each other
        connect_args={"timeout": BUSY_TIMEOUT_S},
    )
    sa.event.listen(engine, "connect", _settle)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _settle(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in _PRAGMAS:
        _patiently(connection, pragma)


def _begin(connection: sa.Connection) -> None:
    raw = cast("sqlite3.Connection", connection.connection.driver_connection)
    writes = bool(connection.get_execution_options().get(WRITES))
    if connection.info.get(WRITES) is not writes:  # a pragma has the connection prepare all its statements anew
        raw.execute(f"PRAGMA query_only={'OFF' if writes else 'ON'}")  # who reads cannot slip past the turnstile
        connection.info[WRITES] = writes
    _patiently(raw, "BEGIN IMMEDIATE" if writes else "BEGIN")


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Executes a statement, again where another process holds the file; raises StoreUnreachable at last."""
    for last in (*[False] * (BUSY_TRIES - 1), True):
        try:
            connection.execute(statement).close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if last:
                raise StoreUnreachable(
                    "Another process has kept the SQLite file locked through "
                    f"{BUSY_TRIES} tries of {BUSY_TIMEOUT_S:g} s; end its transaction."
                ) from error


class Pen:
    """The connection of those who write, one at a time: always the same, whose cache holds what was written before.

    Among the readers' connections it would change hands, and SQLite drops a connection's cache where another one wrote.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._readers = engine.pool
        self._pool = engine.pool.recreate()

    def connect(self) -> sa.PoolProxiedConnection:
        """Returns the connection; closing gives it back."""
        if self._readers is not self._engine.pool:  # the engine was disposed of, maybe for the sake of a new listener
            self.close()
            self._readers = self._engine.pool
            self._pool = self._readers.recreate()
        return self._pool.connect()

    def close(self) -> None:
        """Closes the connection unless it is in use."""
        self._pool.dispose()


class Claim:
    """The right of one daemon to work on a file; the system takes it back when the process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_path = path.with_name(
            f"{path.name}.lock"
        )  # never the file itself: closing it would drop SQLite's locks
        self._handle: int | None = None

    def take(self) -> None:
        """Takes the claim; raises StoreInUse, naming the process that has it."""
        if self._handle is not None:
            return
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(handle, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise StoreInUse(
                f"{self._path} is in use by another daemon (process {pid}); a SQLite file has room "
                "for one. Stop it, or use PostgreSQL to share the work."
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def release(self) -> None:
        """Gives the claim back; the lock file stays, for a new name could be claimed twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
