"""What verbs begin with that need no configuration but the database's place: importing all of it takes long."""

import difflib
import getpass
import os
import socket
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from worker.config.glimpse import database_options
from worker.model.errors import SchemaMismatch, StoreUnreachable
from worker.model.moments import FIRST_YEAR, LAST_YEAR
from worker.model.records import Node
from worker.model.sections import DatabaseOptions
from worker.store import nodes, revision
from worker.store.database import Database
from worker.wiring.own import open_own

ConfigPath = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="WORKER_CONFIG", metavar="FILE", help="The configuration file."),
]
DEFAULT_CONFIG = Path("config.toml")
LARGEST_ID = 2**63 - 1  # that a column holds
_TOLD = 20  # names in an error
_ALIKE = 0.7  # of 1: from here on a name may be another one mistyped


@contextmanager
def reached(path: Path) -> Iterator[Database]:
    """Yields the database that a configuration names, whatever else that says: for verbs about a daemon that works.

    Raises ConfigurationError, StoreUnreachable or SchemaMismatch.
    """
    database = open_existing(database_options(path))
    try:
        check_current(database)
        yield database
    finally:
        database.close()


def open_existing(options: DatabaseOptions) -> Database:
    """Opens the worker's database as it stands; raises StoreUnreachable, and makes no file, where there is none."""
    url = options.url
    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():
        raise StoreUnreachable(f"there is no database at {file} yet; `worker run` or `worker db upgrade` makes it")
    return open_own(options)


def check_current(database: Database) -> None:
    """Raises SchemaMismatch where the database's schema is not the one this program knows."""
    if revision.is_newest(database):
        return
    from worker.store import schema  # noqa: PLC0415  alembic takes longer to import than most verbs take

    status = schema.status(database)
    if status.pending:
        raise SchemaMismatch(
            f"the database {database.location} waits for {len(status.pending)} migration(s); run `worker db upgrade`"
        )


def is_daemon_alive(database: Database, connection: sa.Connection) -> bool:
    """Tells whether some daemon's heart beat lately; `connection` is one of this database's."""
    return bool(living_nodes(database, connection))


def living_nodes(database: Database, connection: sa.Connection) -> list[Node]:
    """Returns the daemons whose heart beat lately."""
    return nodes.living(connection, database.lease_now(connection))


def operator() -> str:
    """Returns who types, for the record."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user that has a number and no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def id_of(text: str) -> int | None:
    """Returns the id that a text is; None where it is something else, or a number that no id can be."""
    return int(text) if text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID else None


def run_named(text: str, jobs: Container[str]) -> int | None:
    """Returns the id of the run that is meant; None where a job is, as one whose name is all digits."""
    return None if text in jobs else id_of(text)


def in_reach(moment: datetime, option: str) -> datetime:
    """Returns a moment that was typed; raises BadParameter, exit 2, where no calendar goes on around it."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        expected = f"expected a year from {FIRST_YEAR} to {LAST_YEAR}"
        raise typer.BadParameter(f"{expected}, found {moment.isoformat()}", param_hint=option)
    return moment


def known(name: str, names: Iterable[str], what: str) -> str:
    """Returns the name of a job or account; raises BadParameter, exit 2, where the configuration has no such one."""
    there = sorted(names)
    if name in there:
        return name
    near = difflib.get_close_matches(name, there, n=1, cutoff=_ALIKE)
    raise typer.BadParameter(
        f"no {what} {name} is configured; did you mean {near[0]}?"
        if near
        else f"no {what} {name} is configured; there are: {_some(there)}"
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"{', '.join(names[:_TOLD])}{more}" if names else "none"
