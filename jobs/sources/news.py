"""What is new in a table: a cursor over a column that grows, or over the version that each change by a sync moves."""

from base64 import b64decode
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from jobs.contract import Context, GiveUp, Json
from jobs.flow import Page
from jobs.sources.bound import alike, earlier
from jobs.sources.sqloptions import SqlCursorOptions, SqlSourceOptions
from jobs.sources.sqltable import VERSION, Found, Renamed, Span, TableReader, as_it_is
from jobs.sources.tables import SourceTable

_TABLES = "_sync_tables"  # where syncs keep the versions of the tables they write
_NAMED = (str, int, float, Decimal, UUID, date)  # keys that come back from JSON; a datetime is a date
_BYTES = "base64"  # what holds a key of bytes in a cursor


class ColumnNews:
    """A cursor over a column: from where the last run got to, less the look-back, up to the newest row of the start.

    Both ends are read, so rows of the same moment are never parted. Rows stamped after the run's end wait for theirs.
    """

    def __init__(self, options: SqlSourceOptions, cursor: SqlCursorOptions, reader: TableReader) -> None:
        self._options, self._cursor, self._reader = options, cursor, reader

    def pages(self, context: Context, table: SourceTable, stored: Json) -> Generator[Page]:
        """Yields what is new; the cursor moves with every page."""
        field = self._cursor.field
        if field not in table.columns:
            raise GiveUp(f"the table {table.told} has no column {field}, which source.cursor names.")
        told = stored
        with context.read(self._options.database) as connection:
            span = self._span(connection, context, table, stored)
            if span.most is None:
                return
            counted = self._reader.bounded(context, connection.dialect.name, span, (field,))
            total = connection.scalar(sa.select(sa.func.count()).select_from(counted.subquery()))
        for found in self._reader.walk(context, span):
            page = replace(self._reader.page(found, as_it_is), total=total)
            reached = self._reader.values.value(field, found.last[0]) if found.last else None
            moves = found.last and reached != told and not self._is_behind(found.last[0], stored)
            told = reached if moves else told
            yield replace(page, cursor=reached if moves else None)

    def _span(self, connection: sa.Connection, context: Context, table: SourceTable, stored: Json) -> Span:
        column = table.clause.c[self._cursor.field]
        wanted = self._reader.select(context, connection.dialect.name, (self._cursor.field,))
        newest = connection.scalar(wanted.with_only_columns(sa.func.max(column)))
        most = self._within(newest, context)
        given = context.window.given
        least = self._beginning(newest, context, table) if given else self._least(context, stored)
        self._warn_of_nulls(connection, context, table)
        self._reader.check_key(connection, self._reader.key)
        order = (self._cursor.field, *(name for name in self._reader.key if name != self._cursor.field))
        return Span(order, least=least, most=most)

    def _least(self, context: Context, stored: Json) -> object:
        value = self._cursor.initial if stored is None else stored
        if value is None:
            return None
        try:
            least = self._reader.values.stored(self._cursor.field, value)
            if stored is None or not self._cursor.lookback:
                return least
            return earlier(least, self._cursor.lookback, self._options.zone)
        except ValueError:
            raise GiveUp(
                f"the cursor of {context.job} is {value!r:.60}; expected what the column {self._cursor.field} holds, "
                "and a time where cursor.lookback is set. Set or reset the cursor."
            ) from None

    def _within(self, newest: Any, context: Context) -> object:  # noqa: ANN401 - whatever a database holds
        """Returns the newest value, at most the end of the run's window where it is a time."""
        bound = self._told(newest, context.window.until)
        return newest if bound is None else min(newest, bound)

    def _told(self, newest: Any, moment: datetime) -> Any:  # noqa: ANN401 - as above
        """Returns a moment as the column holds times, so that both compare; None where it holds none."""
        if isinstance(newest, datetime | date):
            bound = self._reader.values.stored(self._cursor.field, moment.isoformat())
            return bound if type(newest) is type(bound) else None
        return alike(newest, moment, self._options.zone) if isinstance(newest, str) else None

    def _beginning(self, newest: object, context: Context, table: SourceTable) -> object:
        """Returns where the rows of a given window begin; raises GiveUp where the column holds no times."""
        since = context.window.since
        if since is None or newest is None:
            return None
        bound = self._told(newest, since)
        if bound is None:
            raise GiveUp(
                f"the column {self._cursor.field} of {table.told} holds no times, so that no window bounds it; "
                f"`worker trigger {context.job}` goes on from the cursor."
            )
        return bound

    def _is_behind(self, reached: Any, stored: Json) -> bool:  # noqa: ANN401 - whatever a database holds
        """Tells whether a row of the look-back lies before the cursor, which never moves back."""
        if stored is None or not self._cursor.lookback:
            return False
        return bool(reached < self._reader.values.stored(self._cursor.field, stored))

    def _warn_of_nulls(self, connection: sa.Connection, context: Context, table: SourceTable) -> None:
        column = table.clause.c[self._cursor.field]
        if connection.scalar(sa.select(sa.literal(1)).select_from(table.clause).where(column.is_(None)).limit(1)):
            text = f"rows of {table.told} have no {self._cursor.field} and are not read: the cursor cannot see them"
            context.log.warning(text)


class VersionNews:
    """A cursor over `_version`: each row in its latest state, rows marked as deleted as what is gone.

    The cursor is a version whose rows were all read, or within one also the key of the last row that was.
    """

    def __init__(self, options: SqlSourceOptions, reader: TableReader, renamed: Renamed) -> None:
        self._options, self._reader, self._renamed = options, reader, renamed

    def pages(self, context: Context, table: SourceTable, stored: Json) -> Generator[Page]:
        """Yields what changed since; the cursor moves with every page."""
        if VERSION not in table.columns:
            raise GiveUp(
                f"the table {table.told} has no column {VERSION}, which changed_only reads: a sync job whose "
                "destination it is adds it when it next runs. For a table that others fill, use source.cursor."
            )
        self._ensure_index(context, table)
        with context.read(self._options.database) as connection:
            self._reader.check_key(connection, self._reader.key)
            newest = connection.scalar(sa.select(sa.func.max(table.clause.c[VERSION])))
            if newest is None:
                return
            span = replace(self._span(context, connection, table, stored), most=newest)
            counted = self._reader.bounded(context, connection.dialect.name, span, (VERSION,))
            total = connection.scalar(sa.select(sa.func.count()).select_from(counted.subquery()))
        for found in self._reader.walk(context, span):
            page = replace(self._reader.page(found, self._renamed), total=total)
            yield replace(page, cursor=self._reached(found))

    def _span(self, context: Context, connection: sa.Connection, table: SourceTable, stored: Json) -> Span:
        order = (VERSION, *self._reader.key)
        if stored is None:
            return Span(order)
        version, key = _position(context, stored)
        if version > _counter(connection, table):
            text = f"{table.told} was made anew since this job's last run: everything is read again"
            context.log.warning(text, version=version)
            return Span(order)
        if len(key) != len(self._reader.key):
            return Span(order, least=version if key else version + 1)
        place = (self._bound(name, part) for name, part in zip(self._reader.key, key, strict=True))
        return Span(order, after=(version, *place), least=version)

    def _reached(self, found: Found) -> Json:
        """Returns how far this page got; None where it ends inside a version, behind a key that JSON cannot hold."""
        if not found.last:
            return None
        version, *key = found.last
        if found.following is None or found.following[0] != version:
            return version
        if not all(isinstance(part, (*_NAMED, bytes)) for part in key):
            return None
        named = zip(self._reader.key, key, strict=True)
        return {"version": version, "after": [self._kept(name, part) for name, part in named]}

    def _kept(self, name: str, part: object) -> Json:
        text = self._reader.values.value(name, part)
        return {_BYTES: text} if isinstance(part, bytes) else text

    def _bound(self, name: str, part: Json) -> object:
        return b64decode(part[_BYTES]) if isinstance(part, dict) else self._reader.values.stored(name, part)

    def _ensure_index(self, context: Context, table: SourceTable) -> None:
        """Makes an index over the version where there is none; without the right to, the table is read through."""
        with context.read(self._options.database) as connection:
            is_table = table.name in sa.inspect(connection).get_table_names(table.schema or None)
        if context.dry or not is_table or VERSION in table.indexed:
            return
        home = sa.Table(table.name, sa.MetaData(), sa.Column(VERSION, sa.BigInteger), schema=table.schema or None)
        make = sa.schema.CreateIndex(sa.Index(f"ix_{table.name[:50]}_version", home.c[VERSION]), if_not_exists=True)
        try:
            with context.unit(self._options.database) as unit:
                unit.connection.execute(make)
        except sa.exc.DBAPIError as error:
            text = f"{table.told} has no index over {VERSION}, and none can be made"
            context.log.warning(text, error=str(error.orig))


def _position(context: Context, stored: Json) -> tuple[int, list[Json]]:
    """Returns the version that a cursor names, and the key within it; raises GiveUp."""
    version: Json = stored
    key: Json = []
    if isinstance(stored, dict):
        version, key = stored.get("version"), stored.get("after")
    if type(version) is not int or not isinstance(key, list):
        raise GiveUp(f"the cursor of {context.job} is {stored!r:.60}; expected a version. Set or reset the cursor.")
    return version, key


def _counter(connection: sa.Connection, table: SourceTable) -> int:
    """Returns the version that the table is at, as syncs count it, or as its rows tell."""
    highest: int = connection.scalar(sa.select(sa.func.max(table.clause.c[VERSION]))) or 0
    if sa.inspect(connection).has_table(_TABLES):
        counters = sa.table(_TABLES, sa.column("name"), sa.column("version"))
        with suppress(sa.exc.ProgrammingError), connection.begin_nested():  # PostgreSQL gives up what had an error
            counted = connection.scalar(sa.select(counters.c.version).where(counters.c.name == table.name))
            highest = max(highest, counted or 0)
    return highest
