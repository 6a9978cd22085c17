"""The few statements that SQLite and PostgreSQL share beyond the SQL standard."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Rows = Sequence[Mapping[str, Any]]


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    """Inserts the rows whose keys are new and leaves the others as they stand."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def upsert(connection: sa.Connection, table: sa.Table, rows: Rows, keep: Iterable[str] = ()) -> None:
    """Inserts rows or, where the primary key is known, replaces their other columns except those named in `keep`."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    insert = _insert(connection, table)
    fresh = {name: insert.excluded[name] for name in rows[0] if name not in {*keys, *keep}}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=fresh), rows)
