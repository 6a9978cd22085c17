"""The few statements that SQLite and PostgreSQL share beyond the SQL standard."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

Rows = Sequence[Mapping[str, Any]]
Insert = sqlite.Insert  # PostgreSQL's is called alike
T = TypeVar("T")

_PARAMETERS = 10_000  # in one statement; SQLite takes 32,766 and PostgreSQL 65,535
_ROWS = 1_000  # handed over at once: what SQLAlchemy makes of 10,000 takes megabytes, and the heap stays that large


def words_of(dialect: str) -> Any:  # noqa: ANN401  a module
    """Returns SQLAlchemy's module of a dialect: only that of a database that is open, for each takes long to import."""
    return import_module(f"sqlalchemy.dialects.{dialect}")


def in_parts(values: Sequence[T], most: int = _PARAMETERS) -> Iterator[Sequence[T]]:
    """Yields the values in parts that one statement can name."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def spelled(word: str) -> sa.ColumnElement[str]:
    """Returns a word of ours as it stands in a statement.

    Where an index holds the rows of one state only, SQLite takes it for no parameter, and prepares a statement that
    compares the state with one anew for each value.
    """
    return sa.literal_column(f"'{word}'", sa.Text())


def insert_new(connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    """Inserts the rows whose keys are new and leaves the others as they stand."""
    for part in in_parts(rows, _ROWS):
        connection.execute(_insert_new(connection.dialect.name, table), part)


def upsert(connection: sa.Connection, table: sa.Table, rows: Rows, keep: Iterable[str] = ()) -> None:
    """Inserts rows or, where the primary key is known, replaces their other columns except those named in `keep`."""
    for part in in_parts(rows, _ROWS):
        connection.execute(_upsert(connection.dialect.name, table, tuple(rows[0]), tuple(keep)), part)


def insert_into(table: sa.Table, dialect: str) -> Insert:
    """Returns an insert that can say what is to be done where the key is known."""
    insert: Insert = words_of(dialect).insert(table)
    return insert


@cache
def _insert_new(dialect: str, table: sa.Table) -> Insert:
    """Returns the statement, kept: to build it costs several times what it costs to run it."""
    return insert_into(table, dialect).on_conflict_do_nothing()


@cache
def _upsert(dialect: str, table: sa.Table, columns: tuple[str, ...], keep: tuple[str, ...]) -> Insert:
    keys = [column.name for column in table.primary_key]
    insert = insert_into(table, dialect)
    fresh = {name: insert.excluded[name] for name in columns if name not in {*keys, *keep}}
    return insert.on_conflict_do_update(index_elements=keys, set_=fresh)
