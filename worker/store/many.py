"""Statements for many rows at once, as text that is prepared once: to build one costs more than its rows do.

SQLite executes a text once a row, which is cheap there; PostgreSQL executes one statement over all of them, a round
trip, and takes them as one JSON text: to spell arrays costs its driver ten times as much. Rows come in the order in
which they are to be locked: of ids or of names.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from jobs.contract import Json
from worker.store.columns import Document, Moment, Words

Row = tuple[Any, ...]
Bind = Callable[[datetime | None], datetime | str | None]
_MOMENT, _WORDS = Moment(), Words()
_KINDS = {sa.BigInteger: "bigint", sa.Integer: "integer", Moment: "timestamptz"}


@dataclass(frozen=True)
class Many:
    """One statement in two tongues; `names` are those of the values of a row."""

    sqlite: str
    postgresql: str
    names: tuple[str, ...]

    def execute(self, connection: sa.Connection, rows: Sequence[Row]) -> int:
        """Executes the statement for each row, its values as the driver takes them (see `binding`); returns its count.

        That is of rows which were inserted, changed or deleted.
        """
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":
            return connection.exec_driver_sql(self.sqlite, list(rows)).rowcount
        given = orjson.dumps([dict(zip(self.names, row, strict=True)) for row in rows]).decode()
        return connection.exec_driver_sql(self.postgresql, (given,)).rowcount


def inserting(table: sa.Table, names: Iterable[str]) -> Many:
    """Returns the statement that inserts the rows whose keys are new and leaves the others as they stand."""
    columns = [table.c[name] for name in names]
    named = [str(column.name) for column in columns]  # not as SQLAlchemy keeps it, which JSON does not take
    into = f"INSERT INTO {table.name} ({', '.join(named)})"
    values = ", ".join("?" for _ in columns)
    taken = ", ".join(f"{column.name}{_cast(column)}" for column in columns)
    return Many(
        f"{into} VALUES ({values}) ON CONFLICT DO NOTHING",
        f"{into} SELECT {taken} FROM {_given(columns, named)} ON CONFLICT DO NOTHING",  # noqa: S608  our own names
        tuple(named),
    )


def changing(table: sa.Table, values: str, names: Iterable[str], where: str) -> Many:
    """Returns the statement that changes rows: `values` and `where` speak of `given.NAME` for each of `names`."""
    columns = {name: table.c[name.removeprefix("of_")] for name in names}
    numbers = {name: number for number, name in enumerate(columns, start=1)}

    def numbered(text: str) -> str:
        for name in sorted(numbers, key=len, reverse=True):
            text = text.replace(f"given.{name}", f"?{numbers[name]}")
        return text

    rows = _given(columns.values(), columns)
    return Many(
        f"UPDATE {table.name} SET {numbered(values)} WHERE {numbered(where)}",  # noqa: S608  our own names
        f"UPDATE {table.name} SET {values} FROM {rows} WHERE {where}",  # noqa: S608  the same
        tuple(columns),
    )


def _given(columns: Iterable[sa.Column[Any]], names: Iterable[str]) -> str:
    kinds = ", ".join(f"{name} {_kind(column)}" for name, column in zip(names, columns, strict=True))
    return f"json_to_recordset(%s::json) AS given ({kinds})"


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


class _Listed(TypeDecorator[Json]):
    """A list as JSON text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Json, dialect: Dialect) -> str:  # noqa: ARG002  SQLAlchemy's form
        """Returns what the driver is given."""
        return orjson.dumps(value).decode()


@cache
def among(dialect: str, column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """Returns the test whether a column's value is in the list that is bound as `name`."""
    values = sa.bindparam(name, type_=_Listed())
    if dialect == "sqlite":
        return column.in_(sa.select(sa.func.json_each(values).table_valued("value").c.value))
    each = sa.func.json_array_elements_text(sa.cast(values, sa.JSON)).column_valued("each")
    return column == sa.any_(sa.func.array(sa.select(sa.cast(each, column.type)).scalar_subquery()))
