"""A copy of a SQLite database, whole as of one moment, taken while others write."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from worker.model.errors import StoreError
from worker.store.database import Database


def copy(database: Database, target: Path) -> None:
    """Copies the database into a new file that only its owner can read; raises StoreError where it cannot.

    In one step: a write of another process between two steps would make SQLite begin again.
    """
    if database.dialect != "sqlite":
        raise StoreError(f"{database.location} is on PostgreSQL: copy it with pg_dump --format=custom.")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreError(f"{target} cannot be made: {error.strerror}; name a file that does not exist yet.") from None
    try:
        with closing(sqlite3.connect(database.location)) as source, closing(sqlite3.connect(target)) as copied:
            source.backup(copied)
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise StoreError(f"{database.location} could not be copied to {target}: {error}") from error
