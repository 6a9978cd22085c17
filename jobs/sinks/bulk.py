"""Many rows at once by the driver's own way: INSERTs of many rows on SQLite, COPY on PostgreSQL.

Both compare before they write: a row that stands there already is left alone, its `_run_id` and `_synced_at`
too.
"""

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from typing import Any

import orjson
import sqlalchemy as sa

from jobs.contract import Json
from jobs.kinds import Kind
from jobs.sinks import portable
from jobs.sinks.kinds import Column
from jobs.sinks.schema import SYSTEM, quoted
from jobs.sinks.tongues import tongue

_DEEPEST = 500  # terms in a row; SQLite refuses an expression of more than 1,000
_ROWS = 100  # of one statement on SQLite
_STAGES = count()  # staging tables of one transaction must differ in name
_CSV = "FORMAT csv, NULL 'null', ESCAPE '\\', ENCODING 'UTF8'"  # which JSON's fields are, but for their \n


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

    `fresh` says that this run made the table: PostgreSQL copies straight into it, as long as no key comes twice.
    """

    connection: sa.Connection
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    fresh: bool = False

    def write(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        """Stores the rows, none of whose keys comes twice among them; returns how many were new or changed."""
        family = tongue(self.connection).family
        if family == "other":
            names = [column.name for column in self.columns]
            return portable.write(self.connection, portable.Target(self.table, names, self.key), rows, stamp.values)
        if family == "sqlite":
            return self._insert_many(rows, stamp)
        return self._copy_new(rows, stamp) if self.fresh or not self.key else self._upsert(rows, stamp)

    def _insert_many(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        """Inserts many rows a statement: each one costs, and hands over the GIL, which takes long to get back."""
        ends = stamp.values
        room = max(1, min(_ROWS, (self._room - len(ends)) // len(self.columns)))  # for rows in one statement
        whole = len(rows) // room * room
        written = 0
        for size, starts in ((room, range(0, whole, room)), (len(rows) - whole, range(whole, len(rows), room))):
            parts = [(*ends, *chain.from_iterable(rows[start : start + size])) for start in starts]
            if parts:
                sql = self._insert(self._places(size), "IS NOT")
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

    def _copy_new(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        """Copies into the table itself; upserts where a key is there already."""
        try:
            with self.connection.begin_nested():
                self._copy(self.table, rows, stamp.values)
        except self.connection.dialect.loaded_dbapi.IntegrityError:
            if not self.key:
                raise
            return self._upsert(rows, stamp)
        return len(rows)

    def _upsert(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        stage, columns = f"_stage_{next(_STAGES)}", self._list(self._names)
        like = f"SELECT {columns} FROM {self._quote(self.table)} WITH NO DATA"  # noqa: S608 - names are quoted
        with self._cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE {self._quote(stage)} ON COMMIT DROP AS {like}")
            self._copy(stage, rows)
            cursor.execute(self._insert(self._news(stage), "IS DISTINCT FROM"), stamp.values)
            return int(cursor.rowcount)

    def _news(self, stage: str) -> str:
        """Returns a query of the staged rows that the table does not hold just so.

        ON CONFLICT would lock every row that it leaves alone, which writes as much as a change. OFFSET 0 keeps the
        look-ups in the key's index: a staging table has no statistics to plan a join by.
        """
        there = self._quote(self.table)
        equal = [f"{there}.{self._quote(name)} = stage.{self._quote(name)}" for name in self.key]
        free = [column for column in self.columns if column.name not in self.key]
        same = [self._compared(column, "IS NOT DISTINCT FROM", "stage") for column in free]
        found = f"SELECT FROM {there} WHERE {' AND '.join((*equal, *same))} OFFSET 0"
        columns = ", ".join(f"stage.{self._quote(name)}" for name in self._names)
        return f"SELECT %s, %s, %s, {columns} FROM {self._quote(stage)} AS stage WHERE NOT EXISTS ({found})"  # noqa: S608 - names are quoted

    def _copy(self, table: str, rows: Sequence[tuple[Json, ...]], ends: tuple[Json, ...] = ()) -> None:
        columns = self._list((*self._names, *SYSTEM) if ends else self._names)
        body = self._csv(rows, ends)
        options = "" if body is None else f" ({_CSV})"
        with (
            self._cursor() as cursor,
            cursor.copy(f"COPY {self._quote(table)} ({columns}) FROM STDIN{options}") as copy,
        ):
            if body is not None:
                copy.write(body)
                return
            for row in rows:
                copy.write_row((*row, *ends))

    def _csv(self, rows: Sequence[tuple[Json, ...]], ends: tuple[Json, ...]) -> bytes | None:
        """Returns the rows as CSV, which orjson writes five times as fast as psycopg; None where it would differ."""
        if not self._is_plain(rows):
            return None
        try:
            body, end = orjson.dumps(rows), orjson.dumps(ends)[1:-1]
        except orjson.JSONEncodeError:
            return None
        escapes = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else b""
        if body.count(b"],[") != len(rows) - 1 or b"\\" in escapes:  # left over: \n, \u0000
            return None
        line_end = b"," + end + b"\n" if ends else b"\n"
        return body[2:-2].replace(b"],[", line_end) + line_end

    def _is_plain(self, rows: Sequence[tuple[Json, ...]]) -> bool:
        """Tells whether JSON has these values; it writes null for a float that is no number."""
        if any(column.kind is Kind.OTHER for column in self.columns):
            return False
        floats = [place for place, column in enumerate(self.columns) if column.kind is Kind.FLOAT]
        return all(math.isfinite(sum(filter(None, [row[place] for row in rows]))) for place in floats)

    def _insert(self, rows: str, differs: str) -> str:
        columns = self._list((*SYSTEM, *self._names))
        return f"INSERT INTO {self._quote(self.table)} ({columns}) {rows} {self._conflict(differs)}"

    def _conflict(self, differs: str) -> str:
        """Returns what happens to a row whose key is there: nothing, unless a column differs."""
        if not self.key:
            return ""
        free = [column for column in self.columns if column.name not in self.key]
        if not free:
            return f"ON CONFLICT ({self._list(self.key)}) DO NOTHING"
        named = [self._quote(name) for name in (*(column.name for column in free), *SYSTEM)]
        sets = ", ".join(f"{name} = excluded.{name}" for name in named)
        changed = [self._compared(column, differs, "excluded") for column in free]
        groups = [" OR ".join(changed[start : start + _DEEPEST]) for start in range(0, len(changed), _DEEPEST)]
        where = f"({') OR ('.join(groups)})"
        return f"ON CONFLICT ({self._list(self.key)}) DO UPDATE SET {sets} WHERE {where}"

    def _compared(self, column: Column, comparison: str, other: str) -> str:
        name = self._quote(column.name)
        cast = "::text" if column.strict and column.kind is Kind.OTHER else ""  # json, xml: no equality
        return f"{self._quote(self.table)}.{name}{cast} {comparison} {other}.{name}{cast}"

    def _cursor(self) -> Any:  # noqa: ANN401  the driver's own
        return self.connection.connection.cursor()

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def _list(self, names: Sequence[str]) -> str:
        return ", ".join(map(self._quote, names))

    def _quote(self, name: str) -> str:
        return quoted(self.connection, name)
