"""The version of a table: a counter that each unit moves which writes there, and that its rows then carry.

The counter's row is locked from its move to the commit, so that versions are committed in their order: who has seen
all rows up to a version has missed none of them.
"""

import sqlalchemy as sa

from jobs.sinks.schema import VERSION, Table
from jobs.sinks.state import TABLES, make, take_turn

FIRST = 1  # of rows that were there before their table had versions
_OF_TABLE = TABLES.c.name == sa.bindparam("of_table")
_MOVE = sa.update(TABLES).where(_OF_TABLE).values(version=TABLES.c.version + 1)  # built once: each unit runs them
_MOVED = _MOVE.returning(TABLES.c.version)
_STANDING = sa.select(TABLES.c.version).where(_OF_TABLE)


def prepare(connection: sa.Connection, name: str, table: Table | None) -> None:
    """Makes the counter of a table where it has none; it starts behind the versions that the rows have."""
    make(connection, TABLES)
    if standing(connection, name) is not None:
        return
    take_turn(connection)
    if standing(connection, name) is None:
        start = FIRST
        if table is not None and VERSION in table.columns:
            highest = sa.select(sa.func.max(sa.column(VERSION, sa.BigInteger))).select_from(sa.table(table.name))
            start = max(start, connection.scalar(highest) or 0)
        connection.execute(sa.insert(TABLES).values(name=name, version=start))


def move(connection: sa.Connection, name: str) -> int:
    """Returns the table's next version, for what this transaction writes; waits for others that write there."""
    if connection.dialect.update_returning:  # one statement less for each page
        return connection.scalar(_MOVED, {"of_table": name}) or FIRST
    connection.execute(_MOVE, {"of_table": name})
    return standing(connection, name) or FIRST


def standing(connection: sa.Connection, name: str) -> int | None:
    """Returns the version that a table is at; None where it has no counter."""
    found: int | None = connection.scalar(_STANDING, {"of_table": name})
    return found
