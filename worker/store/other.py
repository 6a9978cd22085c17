"""Databases that are not the worker's own: SQLite and PostgreSQL in our manner, all others by SQLAlchemy's means.

Each is opened when a job first needs it: one that cannot be reached fails that job's run, which is tried again, and
keeps nothing else from starting.
"""

import threading
from collections.abc import Callable, Iterator, Mapping

import sqlalchemy as sa

from worker.model.errors import StoreError
from worker.store.database import Database, open_database, tried

_OURS = {"sqlite": "sqlite", "postgresql": "postgresql"}


class PlainDatabase(Database):
    """One of a kind that the worker knows nothing of but what SQLAlchemy tells.

    A read may see what others commit meanwhile, and is not kept from writing. What a driver calls the database's own
    trouble counts as passing: drivers file a deadlock and a wrong name under the same class.
    """

    def _may_pass(self, error: BaseException) -> bool:
        return super()._may_pass(error) or isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)


def open_other(url: str, password: str | None = None) -> Database:
    """Returns the database at any URL of SQLAlchemy, after one connection has succeeded.

    Raises StoreError where its driver is not installed, StoreUnreachable where it does not open.
    """
    parsed = sa.make_url(url)
    ours = _OURS.get(parsed.get_backend_name())
    if ours:
        return open_database(parsed.set(drivername=ours).render_as_string(hide_password=False), password)
    complete = parsed if password is None else parsed.set(password=password)
    try:
        engine = sa.create_engine(complete, hide_parameters=True, pool_pre_ping=True)
    except (sa.exc.NoSuchModuleError, ImportError) as error:
        raise StoreError(
            f"{parsed.drivername} needs a driver that is not installed ({error}); `worker check` names its package."
        ) from None
    return tried(PlainDatabase(engine, _location(parsed)))


def _location(url: sa.URL) -> str:
    """Returns where the database is, without user, password or options."""
    place = f"{url.host or ''}{f':{url.port}' if url.port else ''}"
    return f"{url.get_backend_name()}://{place}/{url.database or ''}"


class Others(Mapping[str, Database]):
    """Databases by name; each is opened by whoever first asks for it, and stays open until `close`.

    One that does not open raises StoreUnreachable, and is tried again when it is asked for again.
    """

    def __init__(self, openers: Mapping[str, Callable[[], Database]]) -> None:
        self._openers = dict(openers)
        self._locks = {name: threading.Lock() for name in openers}
        self._open: dict[str, Database] = {}

    def __getitem__(self, name: str) -> Database:
        with self._locks[name]:
            if name not in self._open:
                self._open[name] = self._openers[name]()
            return self._open[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._openers)

    def __len__(self) -> int:
        return len(self._openers)

    def __contains__(self, name: object) -> bool:
        return name in self._openers

    def close(self) -> None:
        """Closes those that are open."""
        for database in self._open.values():
            database.close()
        self._open.clear()
