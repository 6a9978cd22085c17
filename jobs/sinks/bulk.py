"""Many rows at once by the driver's own way: INSERTs of many rows on SQLite, COPY and MERGE on PostgreSQL.

All compare before they write: a row that stands there already is left alone, its `_run_id` and `_synced_at` too.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count
from typing import Any

import sqlalchemy as sa

from jobs.contract import Json
from jobs.kinds import Kind
from jobs.sinks import portable, spelling
from jobs.sinks.kinds import Column
from jobs.sinks.schema import SYSTEM, quoted
from jobs.sinks.statements import Texts
from jobs.sinks.tongues import tongue

_ROWS = 100  # of one statement on SQLite
_STAGES = count()  # staging tables of one transaction must differ in name
_MERGES_SINCE = (15,)  # PostgreSQL
_WAYS = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")  # to find rows other than by index


@dataclass(frozen=True)
class Stamp:
    """What the system's columns say of the rows written together."""

    run_id: int
    at: datetime
    version: int  # of the table, as of the unit that writes them
    zoned: bool = True  # the database's times have a zone

    @property
    def values(self) -> tuple[int, str, int]:
        """The values of the system's columns, in their order."""
        form = "%Y-%m-%dT%H:%M:%S.%fZ" if self.zoned else "%Y-%m-%d %H:%M:%S.%f"
        return self.run_id, self.at.astimezone(UTC).strftime(form), self.version


@dataclass(frozen=True)
class Statement:
    """An INSERT into these columns; with a key, an upsert.

    `fresh` says that this run made the table. A `bold` one takes PostgreSQL's faster ways, which fail where a key is
    there that was not looked for: it copies straight into a fresh table, and else merges.
    """

    connection: sa.Connection
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    fresh: bool = False
    bold: bool = True

    @property
    def careful(self) -> "Statement | None":
        """The statement to try where this one met such a key; None where it would go the same way."""
        if self._family != "postgresql" or not self.key:
            return None
        return replace(self, bold=False) if self.bold and (self.fresh or self._may_merge) else None

    def write(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        """Stores the rows, none of whose keys comes twice in one spelling; returns how many were new or changed."""
        if self._family == "other":
            target = portable.Target(self.table, self._texts.names, self.key)
            return portable.write(self.connection, target, rows, stamp.values)
        if self._family == "sqlite":
            return self._insert_many(rows, stamp)
        if not self.key or (self.fresh and self.bold):
            self._copy(self.table, rows, stamp.values)
            return len(rows)
        return self._merge(rows, stamp) if self._may_merge else self._upsert(rows, stamp)

    def _insert_many(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        """Inserts many rows a statement: each one costs, and hands over the GIL, which takes long to get back."""
        ends = stamp.values
        room = max(1, min(_ROWS, (self._room - len(ends)) // len(self.columns)))  # for rows in one statement
        whole = len(rows) // room * room
        written = 0
        for size, starts in ((room, range(0, whole, room)), (len(rows) - whole, range(whole, len(rows), room))):
            parts = [(*ends, *chain.from_iterable(rows[start : start + size])) for start in starts]
            if parts:
                sql = self._texts.insert(self._places(size), "IS NOT")
                written += self.connection.exec_driver_sql(sql, parts).rowcount
        return written

    def _places(self, rows: int) -> str:
        """Returns a VALUES clause; its first parameters are the system's columns, bound once for all rows."""
        ends = [f"?{number}" for number in range(1, len(SYSTEM) + 1)]
        row = f"({', '.join((*ends, *'?' * len(self.columns)))})"
        return f"VALUES {', '.join([row] * rows)}"

    @property
    def _room(self) -> int:
        """How many parameters a statement may have."""
        driver: Any = self.connection.connection.driver_connection
        return int(driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))

    @property
    def _may_merge(self) -> bool:
        version = self.connection.dialect.server_version_info or ()
        return self.bold and version >= _MERGES_SINCE and all(column.exact for column in self.columns)

    def _merge(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        """Looks each row up once, where an upsert does so twice, and needs no staging table."""
        values = dict(zip(SYSTEM, stamp.values, strict=True)) | {
            column.name: spelling.array(column, found)
            for column, found in zip(self.columns, zip(*rows, strict=True), strict=True)
        }
        with self._cursor() as cursor, _by_index(cursor):
            cursor.execute(self._texts.merge(tongue(self.connection).types), values)
            return int(cursor.rowcount)

    def _upsert(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        stage, columns = f"_stage_{next(_STAGES)}", self._texts.listed(self._texts.names)
        like = f"SELECT {columns} FROM {self._texts.quote(self.table)} WITH NO DATA"  # noqa: S608 - names are quoted
        with self._cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE {stage} ON COMMIT DROP AS {like}")
            self._copy(stage, rows)
            if self._may_repeat and cursor.execute(self._texts.distinct(stage)).fetchone()[0] < len(rows):
                cursor.execute(self._texts.older(stage))
            cursor.execute(self._texts.insert(self._texts.news(stage), "IS DISTINCT FROM"), stamp.values)
            return int(cursor.rowcount)

    @property
    def _may_repeat(self) -> bool:
        """Tells whether rows may share a key that they spell differently, as uuids in upper and lower case do."""
        key = [column for column in self.columns if column.name in self.key]
        return not self.bold or not all(column.exact or column.kind is Kind.TEXT for column in key)

    def _copy(self, table: str, rows: Sequence[tuple[Json, ...]], ends: tuple[Json, ...] = ()) -> None:
        columns = self._texts.listed((*self._texts.names, *SYSTEM) if ends else self._texts.names)
        body = spelling.csv(self.columns, rows, ends)
        options = "" if body is None else f" ({spelling.CSV})"
        into = f"COPY {self._texts.quote(table)} ({columns}) FROM STDIN{options}"
        with self._cursor() as cursor, cursor.copy(into) as copy:
            if body is not None:
                copy.write(body)
                return
            for row in rows:
                copy.write_row((*row, *ends))

    def _cursor(self) -> Any:  # noqa: ANN401  the driver's own
        return self.connection.connection.cursor()

    @property
    def _family(self) -> str:
        return tongue(self.connection).family

    @property
    def _texts(self) -> Texts:
        return Texts(self.table, self.columns, self.key, partial(quoted, self.connection))


@contextmanager
def _by_index(cursor: Any) -> Iterator[None]:  # noqa: ANN401  the driver's own
    """Has PostgreSQL look rows up by their key; it would rather read some 100,000 whole, for a page of 1,000.

    What else the transaction does is planned as ever, unless this one is undone.
    """
    before = ", ".join(f"current_setting('{way}')" for way in _WAYS)
    off = ", ".join(f"set_config('{way}', 'off', true)" for way in _WAYS)
    stood = cursor.execute(f"SELECT {before}, {off}").fetchone()[: len(_WAYS)]
    yield
    again = ", ".join(f"set_config('{way}', %s, true)" for way in _WAYS)
    cursor.execute(f"SELECT {again}", stood)
