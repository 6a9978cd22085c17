"""The schema's revisions: which one a database has, and how it gets the newest."""

import time
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from worker.model.errors import SchemaMismatch, StoreUnreachable
from worker.store.database import Database
from worker.store.tables import metadata

LOCK_TIMEOUT_S = 60.0
_LOCK_POLL_S = 0.1
_LOCK_KEY = 0x696E74656772  # "integr": every program that shares the server must keep off this advisory lock


@dataclass(frozen=True)
class SchemaStatus:
    """Where a database's schema stands; `current` is None where nothing was ever applied."""

    current: str | None
    head: str
    pending: list[str]  # oldest first


def status(database: Database) -> SchemaStatus:
    """Returns where the schema stands; raises SchemaMismatch for one this program does not know."""
    with database.read() as connection:
        return _status(database, connection)


def upgrade(database: Database) -> list[str]:
    """Applies what is pending, all of it or nothing, and returns those revisions, oldest first.

    Any number of processes may do so at once: one applies, the others wait for it and find nothing to do.
    Raises SchemaMismatch where the database is newer or not ours, StoreUnreachable where that one never ends.
    """
    with database.write() as connection:
        _exclude_others(database, connection)
        pending = _status(database, connection).pending
        if pending:
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return pending


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "migrations:")  # the package, wherever it is installed
    config.set_main_option("path_separator", "os")
    return config


def _status(database: Database, connection: sa.Connection) -> SchemaStatus:
    scripts = ScriptDirectory.from_config(_config())
    ours = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    found = MigrationContext.configure(connection).get_current_heads()
    if not found:
        _refuse_foreign(database, connection)
        return SchemaStatus(None, ours[-1], ours)
    if len(found) > 1 or found[0] not in ours:
        raise SchemaMismatch(
            f"{database.location}: its schema is at revision {', '.join(found)}, "
            f"this program knows up to {ours[-1]}. "
            "Install the release of integration-worker that wrote it, or name another database."
        )
    return SchemaStatus(found[0], ours[-1], ours[ours.index(found[0]) + 1 :])


def _refuse_foreign(database: Database, connection: sa.Connection) -> None:
    taken = sorted(set(metadata.tables).intersection(sa.inspect(connection).get_table_names()))
    if taken:
        raise SchemaMismatch(
            f"{database.location}: the tables {', '.join(taken)} exist, but "
            "integration-worker did not make them. Rename them, or name another database."
        )


def _exclude_others(database: Database, connection: sa.Connection) -> None:
    """Keeps other upgrades out until the transaction ends; on SQLite its write lock has done so already."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    wanted = sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK_KEY))
    while database.dialect == "postgresql" and not connection.execute(wanted).scalar_one():
        if time.monotonic() > deadline:
            raise StoreUnreachable(
                f"{database.location}: another process has been at the schema for {LOCK_TIMEOUT_S:g} s; "
                "wait for it, or end it."
            )
        time.sleep(_LOCK_POLL_S)
