"""Statements for many rows at once, as text that is prepared once: to build one costs more than its rows do.

SQLite executes a text once a row, which is cheap there; PostgreSQL executes one statement over arrays, a round trip
for all. Rows come in the order in which they are to be locked: of ids or of names.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from worker.store.columns import Document, Moment, Words

Row = tuple[Any, ...]
Bind = Callable[[datetime | None], datetime | str | None]
_MOMENT, _WORDS, _DOCUMENT = Moment(), Words(), Document()
_KINDS = {sa.BigInteger: "bigint", sa.Integer: "integer", Moment: "timestamptz"}


@dataclass(frozen=True)
class Many:
    """One statement in two tongues; what PostgreSQL is handed are the rows' columns, as arrays."""

    sqlite: str
    postgresql: str

    def execute(self, connection: sa.Connection, rows: Sequence[Row]) -> int:
        """Executes the statement for each row, its values as the driver takes them (see `binding`); returns its count.

        That is of rows which were inserted, changed or deleted.
        """
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":
            return connection.exec_driver_sql(self.sqlite, list(rows)).rowcount
        return connection.exec_driver_sql(self.postgresql, tuple(map(list, zip(*rows, strict=True)))).rowcount


def inserting(table: sa.Table, names: Iterable[str]) -> Many:
    """Returns the statement that inserts the rows whose keys are new and leaves the others as they stand."""
    columns = [table.c[name] for name in names]
    into = f"INSERT INTO {table.name} ({', '.join(column.name for column in columns)})"
    values = ", ".join("?" for _ in columns)
    given = ", ".join(f"%s::{_kind(column)}[]" for column in columns)
    taken = ", ".join(f"{column.name}{_cast(column)}" for column in columns)
    named = ", ".join(column.name for column in columns)
    return Many(
        f"{into} VALUES ({values}) ON CONFLICT DO NOTHING",
        f"{into} SELECT {taken} FROM unnest({given}) AS given ({named}) ON CONFLICT DO NOTHING",  # noqa: S608  our own names
    )


def changing(table: sa.Table, values: str, names: Iterable[str], where: str) -> Many:
    """Returns the statement that changes rows: `values` and `where` speak of `given.NAME` for each of `names`."""
    columns = {name: table.c[name.removeprefix("of_")] for name in names}
    numbers = {name: number for number, name in enumerate(columns, start=1)}

    def numbered(text: str) -> str:
        for name in sorted(numbers, key=len, reverse=True):
            text = text.replace(f"given.{name}", f"?{numbers[name]}")
        return text

    given = ", ".join(f"%s::{_kind(column)}[]" for column in columns.values())
    rows = f"unnest({given}) AS given ({', '.join(columns)})"
    return Many(
        f"UPDATE {table.name} SET {numbered(values)} WHERE {numbered(where)}",  # noqa: S608  our own names
        f"UPDATE {table.name} SET {values} FROM {rows} WHERE {where}",  # noqa: S608  the same
    )


def _kind(column: sa.Column[Any]) -> str:
    return _KINDS.get(type(column.type), "text")


def _cast(column: sa.Column[Any]) -> str:
    return "::jsonb" if isinstance(column.type, Document) else ""


def binding(connection: sa.Connection) -> Bind:
    """Returns what makes of a time what the driver takes."""
    return partial(_bound, connection.dialect)


@lru_cache(maxsize=256)
def _bound(dialect: Dialect, moment: datetime | None) -> datetime | str | None:
    """Returns the same, kept: rows that are written together share most of their times."""
    return _MOMENT.process_bind_param(moment, dialect)


def words(connection: sa.Connection, text: str | None) -> str | None:
    """Returns text of others as the driver takes it."""
    return _WORDS.process_bind_param(text, connection.dialect)


@cache
def among(dialect: str, column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """Returns the test whether a column's value is in the list that is bound as `name`: see `listed`."""
    if dialect == "sqlite":
        each = sa.func.json_each(sa.bindparam(name, type_=Document())).table_valued("value")
        return column.in_(sa.select(each.c.value))
    return column == sa.any_(sa.bindparam(name, type_=sa.ARRAY(column.type)))
