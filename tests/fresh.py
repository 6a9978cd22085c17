"""New SQLite databases with the schema in place: copies of one that this process migrated, once."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from worker.store.database import Database, open_database
from worker.store.schema import upgrade


@cache
def _migrated() -> bytes:
    with TemporaryDirectory(prefix="template-") as folder:
        file = Path(folder, "worker.db")
        database = open_database(f"sqlite:///{file}")
        upgrade(database)
        database.close()  # the last connection moves the log into the file
        return file.read_bytes()


def new_file(file: Path) -> None:
    """Writes a database with the schema in place and nothing in it; nobody else may read it."""
    file.touch(mode=0o600)
    file.write_bytes(_migrated())


def open_new(file: Path) -> Database:
    """Writes such a database and opens it."""
    new_file(file)
    return open_database(f"sqlite:///{file}")
