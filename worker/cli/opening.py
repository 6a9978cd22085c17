"""What most verbs begin with: the whole configuration, and the database as it stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.cli.reaching import (
    DEFAULT_CONFIG,
    LARGEST_ID,
    ConfigPath,
    check_current,
    in_reach,
    is_daemon_alive,
    known,
    living_nodes,
    open_existing,
    operator,
    reached,
    run_named,
)
from worker.config.load import Configuration, load
from worker.store.database import Database

__all__ = [
    "DEFAULT_CONFIG",
    "LARGEST_ID",
    "ConfigPath",
    "in_reach",
    "is_daemon_alive",
    "known",
    "living_nodes",
    "open_existing",
    "opened",
    "operator",
    "reached",
    "run_named",
]


@contextmanager
def opened(path: Path) -> Iterator[tuple[Configuration, Database]]:
    """Yields the configuration and its database, which must be there with a current schema.

    Raises ConfigurationError, StoreUnreachable or SchemaMismatch.
    """
    configuration = load(path)
    database = open_existing(configuration.database)
    try:
        check_current(database)
        yield configuration, database
    finally:
        database.close()
