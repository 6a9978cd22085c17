"""A job's cursors beside its rows, where these live in a database that is not the worker's own.

They move in the rows' own transaction; the ledger follows. Where the two differ, the higher version is the truth: the
rows' side is ahead after a crash between the two commits, the ledger's after a person has set or reset the cursor.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from jobs.contract import Cursor
from jobs.sinks import state
from worker.model.errors import AttemptLost
from worker.store.database import Database


def is_elsewhere(database: Database, own: Database) -> bool:
    """Tells whether a database is another one than the worker's own, by whatever name it is configured."""
    return database is not own and database.location != own.location


def prepare(connection: sa.Connection) -> None:
    """Makes the table of cursors before the first row: some databases commit whenever a table is made."""
    state.make(connection, state.CURSORS)


def standing(database: Database, job: str, name: str) -> Cursor:
    """Returns a cursor as it stands beside the rows; version 0 where it never moved."""
    with database.read() as connection:
        if not state.exists(connection, state.CURSORS):
            return Cursor()
        return state.cursor(connection, job, name)[0]


def place(connection: sa.Connection, job: str, moved: Mapping[str, Cursor], run_id: int) -> None:
    """Stores cursors in the rows' transaction; raises AttemptLost where another attempt got as far meanwhile.

    That is the fence of databases whose locks outlast the ledger's: a process may stand still between the two commits.
    """
    if moved:
        prepare(connection)
    for name in sorted(moved):
        if not state.place(connection, job, name, moved[name], run_id):
            raise AttemptLost(f"the cursor {name!r} of the job {job} moved on meanwhile, beside its rows")
