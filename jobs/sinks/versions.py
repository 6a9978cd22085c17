"""The version of a table: a counter that each unit moves which writes there, and that its rows then carry.

The counter's row is locked from its move to the commit, so that versions are committed in their order: who has seen
all rows up to a version has missed none of them.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from jobs.sinks.schema import VERSION, Table
from jobs.sinks.state import TABLES, make, take_turn

FIRST = 1  # of rows that were there before their table had versions


@dataclass(frozen=True)
class _Statements:
    """What is said of one table's counter; built once, since each unit runs them."""

    move: sa.Update
    moved: sa.Executable
    standing: sa.Executable


def _built(name: sa.ColumnElement[str]) -> _Statements:
    is_it = name == sa.bindparam("of_table")
    move = sa.update(TABLES).where(is_it).values(version=TABLES.c.version + 1)
    return _Statements(move, move.returning(TABLES.c.version), sa.select(TABLES.c.version).where(is_it))


_EXACT, _FOLDED = _built(TABLES.c.name), _built(TABLES.c.name.collate("NOCASE"))


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
    said = _said(connection)
    if connection.dialect.update_returning:  # one statement less for each page
        return connection.scalar(said.moved, {"of_table": name}) or FIRST
    connection.execute(said.move, {"of_table": name})
    return standing(connection, name) or FIRST


def standing(connection: sa.Connection, name: str) -> int | None:
    """Returns the version that a table is at; None where it has no counter."""
    found: int | None = connection.scalar(_said(connection).standing, {"of_table": name})
    return found


def _said(connection: sa.Connection) -> _Statements:
    return _FOLDED if connection.dialect.name == "sqlite" else _EXACT  # where orders and Orders are one table
