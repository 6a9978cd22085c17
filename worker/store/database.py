"""A database behind one way to read and one way to write; the worker's own is SQLite or PostgreSQL."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime

import sqlalchemy as sa

from worker.model.errors import StoreError, StoreUnreachable
from worker.store import leaseclock, postgres, sqlite
from worker.store.failures import passes, short
from worker.store.turnstile import turnstile_of


class Database:
    """One open database; safe for any number of threads.

    An error that is the database's own trouble, and may pass, leaves a transaction as StoreUnreachable, one
    of a statement as SQLAlchemy raised it. After StoreUnreachable from `write` the transaction may have been
    committed nevertheless: repeat only what carries its own key.
    """

    def __init__(self, engine: sa.Engine, location: str, claim: sqlite.Claim | None = None) -> None:
        self.engine = engine
        self.location = location  # for people: without user and password
        self.dialect = engine.dialect.name
        self._claim = claim
        self._line: AbstractContextManager[None] = turnstile_of(location) if claim else nullcontext()
        self._readers = engine.execution_options(postgresql_readonly=True)
        self._writers = engine.execution_options(**{sqlite.WRITES: True})
        self._pen = sqlite.Pen(engine) if claim else None
        self._anchor: leaseclock.Anchor | None = None
        self.holder: postgres.Holder | None = None  # of what is written here

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Opens a transaction that sees one moment of a SQLite database and can change nothing.

        On PostgreSQL each statement sees what was committed before it. Raises StoreUnreachable.
        """
        with self._honest(), self._opened(self._readers.connect) as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, by_index: bool = False) -> Iterator[sa.Connection]:
        """Opens a transaction that commits on leaving and rolls back on any error; raises StoreUnreachable.

        On SQLite it waits in line with the other writers of this process. Keep it short. With `by_index` PostgreSQL
        makes no plan that reads a table whole, where there is another.
        """
        with self._line, self._honest(), self._opened(self._writing) as connection, connection.begin():
            if self.dialect == "postgresql":
                postgres.set_up(connection, self.holder, by_index=by_index)
            yield connection

    def lease_now(self, connection: sa.Connection) -> datetime:
        """Returns the time by the clock that leases are measured with; all nodes agree on it.

        `connection` is one of this database's, inside `read` or `write`.
        """
        if self.dialect == "postgresql":
            moment: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            return moment
        if self._anchor is None:
            self._anchor = self._committed_anchor()
        if self._anchor is not None:
            return self._anchor.now()
        if connection.get_execution_options().get(sqlite.WRITES):
            leaseclock.agree(connection)  # not kept: this transaction may yet roll back
        else:
            with self.write() as own:
                leaseclock.agree(own)
        anchor = leaseclock.find(connection) or self._committed_anchor()
        if anchor is None:
            raise StoreError(f"{self.location}: the row of this boot vanished from the table boots.")
        return anchor.now()

    def end_transactions(self, connection: sa.Connection, node_ids: Collection[int]) -> int:
        """Rolls back what these nodes are writing now, of which they will say no more; returns how much that is.

        On SQLite a dead process holds nothing. `connection` is one of this database's.
        """
        if self.dialect != "postgresql" or not node_ids:
            return 0
        return postgres.end_transactions(connection, node_ids)

    def aside(self) -> "Database":
        """Returns this database of PostgreSQL by connections of its own, which nobody else can use up."""
        return Database(postgres.make_engine(self.engine.url), self.location)

    def claim_daemon(self) -> None:
        """Makes this process the one daemon of a SQLite file until `close`; raises StoreInUse."""
        if self._claim is not None:
            self._claim.take()

    def close(self) -> None:
        """Closes every connection that is not in use and gives the claim back."""
        self.engine.dispose()
        if self._pen is not None:
            self._pen.close()
        if self._claim is not None:
            self._claim.release()

    def _committed_anchor(self) -> leaseclock.Anchor | None:
        with self.read() as connection:
            return leaseclock.find(connection)

    @contextmanager
    def _opened(self, connect: Callable[[], sa.Connection]) -> Iterator[sa.Connection]:
        with self._connection(connect) as connection:
            yield connection

    def _connection(self, connect: Callable[[], sa.Connection]) -> sa.Connection:
        try:
            return connect()
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, self.engine.dialect.loaded_dbapi.Error) as error:
            why = short(error)
        raise StoreUnreachable(f"{self.location} cannot be reached: {why}")  # no cause: psycopg's holds the password

    def _writing(self) -> sa.Connection:
        return self._writers.connect() if self._pen is None else sa.Connection(self._writers, self._pen.connect())

    @contextmanager
    def _honest(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, self.engine.dialect.loaded_dbapi.Error) as error:  # the driver's own: COPY
            if not self._may_pass(error):
                raise
            raise StoreUnreachable(
                f"{self.location} failed, and the transaction is to be tried again: {short(error)}"
            ) from error

    def _may_pass(self, error: BaseException) -> bool:
        return passes(error)


def open_database(url: str, password: str | None = None) -> Database:
    """Returns the database at `url`, after one connection has succeeded.

    `url` is `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user@host/name`. Raises
    StoreError for another kind or an unsafe setting, StoreUnreachable where it does not open.
    """
    parsed = _parse(url)
    return tried(_sqlite(parsed) if parsed.drivername == "sqlite" else _postgres(parsed, password))


def tried(database: Database) -> Database:
    """Returns the database after one connection has succeeded; closes it and raises what went wrong otherwise."""
    try:
        with database.read() as connection:
            if database.dialect == "postgresql":
                postgres.check_durable(connection)
    except BaseException:
        database.close()
        raise
    return database


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreError(
            "database.url cannot be read; expected sqlite:///worker.db or postgresql://user@host/name."
        ) from None  # the library's error holds the whole text, password included
    if parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise StoreError(
            "database.url: expected sqlite or postgresql for the worker's own state, "
            f"found {parsed.drivername}. "
            "Other databases can be sources and destinations: put this one under [databases]."
        )
    return parsed


def _sqlite(url: sa.URL) -> Database:
    path = sqlite.path_of(url)
    sqlite.make_file(path)
    return Database(sqlite.make_engine(path), str(path), sqlite.Claim(path))


def _postgres(url: sa.URL, password: str | None) -> Database:
    complete = url if password is None else url.set(password=password)
    return Database(postgres.make_engine(complete), postgres.location_of(url))
