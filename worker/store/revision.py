"""Whether a database has the newest schema, told without alembic; `schema` knows everything else about it."""

from importlib.resources import files

import sqlalchemy as sa

from worker.store.database import Database

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text))


def newest() -> str:
    """Returns the newest revision that this program has: migrations are named by their number."""
    scripts = files("migrations").joinpath("versions").iterdir()
    return max(name.partition("_")[0] for script in scripts if (name := script.name)[:1].isdigit())


def is_newest(database: Database) -> bool:
    """Tells whether the database has exactly the newest schema; False too where it has none at all."""
    with database.read() as connection:
        try:
            return connection.scalars(sa.select(_VERSION.c.version_num)).all() == [newest()]
        except sa.exc.DatabaseError:  # it has no such table
            return False
