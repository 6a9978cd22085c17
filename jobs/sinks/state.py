"""Two small tables that the worker keeps beside the rows it writes, in the rows' own database.

`_sync_cursors` says how far a job has got with rows that do not live in the worker's database: it moves in the rows'
own transaction, so that a crash between two databases neither loses nor doubles a page. `_sync_tables` counts the
versions of each table.
"""

import orjson
import sqlalchemy as sa

from jobs.contract import Cursor

_METADATA = sa.MetaData()
_MAKING = 7_305_517_223  # PostgreSQL's advisory lock for the first time: two makers would collide

CURSORS = sa.Table(
    "_sync_cursors",
    _METADATA,
    sa.Column("job", sa.String(128), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("value", sa.Text),  # JSON
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("run_id", sa.BigInteger),
)
TABLES = sa.Table(
    "_sync_tables",
    _METADATA,
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)


def exists(connection: sa.Connection, table: sa.Table) -> bool:
    """Tells whether one of the tables is there."""
    return sa.inspect(connection).has_table(table.name)


def make(connection: sa.Connection, table: sa.Table) -> None:
    """Makes one of the tables where it is missing."""
    if not exists(connection, table):
        take_turn(connection)
        table.create(connection, checkfirst=True)


def take_turn(connection: sa.Connection) -> None:
    """Waits until no other transaction makes anything for the first time; until this one ends, others wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MAKING)))


def cursor(connection: sa.Connection, job: str, name: str) -> tuple[Cursor, int | None]:
    """Returns a job's cursor as it stands here, and the run that moved it; version 0 where it never moved."""
    wanted = sa.select(CURSORS.c.value, CURSORS.c.version, CURSORS.c.run_id).where(_is(job, name))
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return Cursor(), None
    return Cursor(None if row.value is None else orjson.loads(row.value), row.version), row.run_id


def place(connection: sa.Connection, job: str, name: str, moved: Cursor, run_id: int) -> bool:
    """Stores a job's cursor; False where it has got as far by somebody else. The table must be there."""
    value = orjson.dumps(moved.value).decode()
    change = sa.update(CURSORS).where(_is(job, name), CURSORS.c.version < moved.version)
    if connection.execute(change.values(value=value, version=moved.version, run_id=run_id)).rowcount:
        return True
    if cursor(connection, job, name)[0].version:
        return False
    row = {"job": job, "name": name, "value": value, "version": moved.version, "run_id": run_id}
    connection.execute(sa.insert(CURSORS).values(row))
    return True


def _is(job: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(CURSORS.c.job == job, CURSORS.c.name == name)
