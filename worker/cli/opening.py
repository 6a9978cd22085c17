"""What most verbs begin with: the configuration's path, and the database as it stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from worker.config.load import Configuration, load
from worker.model.errors import SchemaMismatch, StoreUnreachable
from worker.store import schema
from worker.store.database import Database
from worker.wiring.databases import open_own

ConfigPath = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="WORKER_CONFIG", help="The configuration file.", show_envvar=True),
]
DEFAULT_CONFIG = Path("config.toml")


@contextmanager
def opened(path: Path) -> Iterator[tuple[Configuration, Database]]:
    """Yields the configuration and its database, which must be there with a current schema.

    Raises ConfigurationError, StoreUnreachable or SchemaMismatch.
    """
    configuration = load(path)
    _exists(configuration.database.url)
    database = open_own(configuration)
    try:
        _is_current(database)
        yield configuration, database
    finally:
        database.close()


def _exists(url: str) -> None:
    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():
        raise StoreUnreachable(f"there is no database at {file} yet; `worker run` or `worker db upgrade` makes it")


def _is_current(database: Database) -> None:
    status = schema.status(database)
    if status.pending:
        raise SchemaMismatch(
            f"the database {database.location} waits for {len(status.pending)} migration(s); run `worker db upgrade`"
        )
