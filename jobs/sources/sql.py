"""Records from a database: a table key after key, or a query streamed through one read transaction."""

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from jobs.contract import Context, GiveUp, Json
from jobs.flow import Page
from jobs.sources.bound import earlier, text_of
from jobs.sources.news import ColumnNews, VersionNews
from jobs.sources.sqloptions import SqlSourceOptions
from jobs.sources.sqltable import Renamed, Span, TableReader, as_it_is
from jobs.sources.tables import look_at
from jobs.sources.values import Values

__all__ = ["SqlSource", "SqlSourceOptions"]


class SqlSource:
    """Reads one table or query; knows nothing of where the records go.

    The cursor is the job's one, kept where the rows go: in `database`, by default the worker's own. `renamed` makes of
    rows that are marked as deleted what the destination knows them by.
    """

    def __init__(
        self,
        options: SqlSourceOptions,
        database: str | None = None,
        renamed: Renamed = as_it_is,
    ) -> None:
        self._options = options
        self._database = database
        self._renamed = renamed

    def pages(self, context: Context) -> Generator[Page]:
        """Yields pages until there are no more; raises GiveUp where table, columns or cursor are not as configured."""
        with _blamed(self._options):
            yield from self._pages(context)

    def _pages(self, context: Context) -> Generator[Page]:
        options = self._options
        if options.query is not None:
            yield from _streamed(options, context, None, self._stored(context))
            return
        with context.read(options.database) as connection:
            table = look_at(connection, options.table or "")
        cursor, marked = options.cursor, options.changed_only
        reader = TableReader(options, table, marked=marked)
        if (cursor or marked) and not reader.key:
            raise GiveUp(f"{table.told} has no primary key; name the columns that tell its rows apart in source.key.")
        if marked:
            yield from VersionNews(options, reader, self._renamed).pages(context, table, self._stored(context))
        elif cursor:
            yield from ColumnNews(options, cursor, reader).pages(context, table, self._stored(context))
        elif reader.key:
            yield from _whole(options, context, reader)
        else:
            yield from _streamed(options, context, reader, None)

    def _stored(self, context: Context) -> Json:
        if self._options.cursor is None and not self._options.changed_only:
            return None
        return context.cursor("", self._database).value


def _whole(options: SqlSourceOptions, context: Context, reader: TableReader) -> Generator[Page]:
    """Yields all rows, key after key."""
    with context.read(options.database) as connection:
        reader.check_key(connection, reader.key)
        every = reader.select(context, connection.dialect.name, reader.key[:1])
        total = connection.scalar(sa.select(sa.func.count()).select_from(every.subquery()))
    for found in reader.walk(context, Span(reader.key)):
        yield replace(reader.page(found, as_it_is), total=total)


def _streamed(options: SqlSourceOptions, context: Context, reader: TableReader | None, stored: Json) -> Generator[Page]:
    """Yields the rows of a query, or of a table without a key, from one statement in one read transaction."""
    newest = _Newest(options, context, stored)
    with context.read(options.database) as connection:
        dialect = connection.dialect.name
        values = reader.values if reader else Values(options.zone, dict.fromkeys(options.decode, "json"))
        statement: Any = (
            reader.select(context, dialect, reader.wanted)
            if reader
            else text_of(options.query or "", options, context, dialect, newest.start())
        )
        with closing(connection.execute(statement, execution_options={"yield_per": options.size})) as result:
            names = _named(result.keys())
            for rows in result.partitions(options.size):
                context.check()
                newest.note(names, rows)
                yield Page(values.records(names, rows))
    if newest.has_moved:
        yield Page([], cursor=newest.value(values))


class _Newest:
    """The cursor of a query: the greatest value of its field, moved when all rows are stored."""

    def __init__(self, options: SqlSourceOptions, context: Context, stored: Json) -> None:
        self._options, self._context = options, context
        self._cursor = options.cursor
        self._stored = stored
        self._greatest: Any = None

    def start(self) -> object:
        """Returns what stands for :cursor; raises GiveUp for a cursor that cannot be looked back from."""
        if self._cursor is None:
            return None
        if self._stored is None or not self._cursor.lookback:
            return self._cursor.initial if self._stored is None else self._stored
        try:
            return earlier(self._stored, self._cursor.lookback, self._options.zone)
        except ValueError:
            raise GiveUp(
                f"the cursor of {self._context.job} is {self._stored!r:.60}; cursor.lookback needs a time."
            ) from None

    def note(self, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Takes note of a page; raises GiveUp where the query does not give the field."""
        if self._cursor is None or not rows:
            return
        if self._cursor.field not in names:
            raise GiveUp(f"source.query gives no column {self._cursor.field}, which source.cursor names.")
        place, until = names.index(self._cursor.field), self._context.window.until
        for row in rows:
            value = row[place]
            if value is None or (isinstance(value, datetime) and value.tzinfo and value > until):
                continue
            if self._greatest is None or value > self._greatest:
                self._greatest = value

    @property
    def has_moved(self) -> bool:
        """Tells whether a row was seen that has the field."""
        return self._greatest is not None

    def value(self, values: Values) -> Json:
        """Returns where the cursor moves to; None where it stands there, or with look-back behind it."""
        reached = values.value("", self._greatest)
        if isinstance(self._greatest, Decimal) and isinstance(self._stored, str):  # told as text, and no text by order
            with suppress(InvalidOperation):
                return reached if self._greatest > Decimal(self._stored) else None
        if self._stored is None or (type(reached) is type(self._stored) and reached > self._stored):
            return reached
        return reached if type(reached) is not type(self._stored) else None


def _named(keys: Any) -> list[str]:  # noqa: ANN401 - RMKeyView is no public type
    names = [str(name) for name in keys]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise GiveUp(f"source.query gives two columns of the name {twice}; name one of them otherwise, by AS.")
    return names


@contextmanager
def _blamed(options: SqlSourceOptions) -> Iterator[None]:
    """Turns what the database says of a statement into GiveUp: another attempt would meet the same."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if not _is_statement(error):
            raise
        where = "source.query" if options.query is not None else f"the table {options.table}"
        raise GiveUp(f"{where}: the database says: {str(error.orig).splitlines()[0]}{_remedy(error)}") from None


def _remedy(error: sa.exc.DBAPIError) -> str:
    """Returns what to do about a value that the driver cannot load: a time of infinity, text that is none."""
    is_value = isinstance(error, sa.exc.DataError) or "decode" in str(error.orig)
    return "; leave the column out of source.query, or cast it there to what can be read" if is_value else ""


def _is_statement(error: sa.exc.DBAPIError) -> bool:
    """Tells whether the statement is to blame, not the database."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # none: Python's own, of a value
        return code & 0xFF == sqlite3.SQLITE_ERROR
    return isinstance(error, sa.exc.ProgrammingError | sa.exc.DataError)
