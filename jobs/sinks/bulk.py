"""Many rows at once by the driver's own way: executemany on SQLite, COPY into a staging table on PostgreSQL.

Both compare before they write: a row that stands there already is left alone, its `_run_id` and `_synced_at`
too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

import sqlalchemy as sa

from jobs.contract import Json
from jobs.sinks.kinds import Column, Kind
from jobs.sinks.schema import SYSTEM, quoted

_DEEPEST = 500  # terms in a row; SQLite refuses an expression of more than 1,000
_STAGES = count()  # staging tables of one transaction must differ in name


@dataclass(frozen=True)
class Stamp:
    """What the system's columns say of the rows written together."""

    run_id: int
    at: datetime


@dataclass(frozen=True)
class Statement:
    """An INSERT into these columns; with a key, an upsert."""

    connection: sa.Connection
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def write(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        """Stores the rows; returns how many were new or changed."""
        return (self._executemany if self.connection.dialect.name == "sqlite" else self._copy)(rows, stamp)

    def _executemany(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        ends = (stamp.run_id, stamp.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        values = f"VALUES ({', '.join('?' * (len(self.columns) + len(SYSTEM)))})"
        sql = self._insert(values, "IS NOT")
        return self.connection.exec_driver_sql(sql, [(*row, *ends) for row in rows]).rowcount

    def _copy(self, rows: Sequence[tuple[Json, ...]], stamp: Stamp) -> int:
        stage, columns = self._quote(f"_stage_{next(_STAGES)}"), self._list(self._names)
        like = f"SELECT {columns} FROM {self._quote(self.table)} WITH NO DATA"  # noqa: S608 - names are quoted
        select = f"SELECT {columns}, %s, %s FROM {stage}"  # noqa: S608 - names are quoted
        cursor: Any = self.connection.connection.cursor()
        with cursor:
            cursor.execute(f"CREATE TEMP TABLE {stage} ON COMMIT DROP AS {like}")
            with cursor.copy(f"COPY {stage} ({columns}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(self._insert(select, "IS DISTINCT FROM"), (stamp.run_id, stamp.at))
            return int(cursor.rowcount)

    def _insert(self, rows: str, differs: str) -> str:
        columns = self._list((*self._names, *SYSTEM))
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
        changed = [self._changed(column, differs) for column in free]
        groups = [" OR ".join(changed[start : start + _DEEPEST]) for start in range(0, len(changed), _DEEPEST)]
        where = f"({') OR ('.join(groups)})"
        return f"ON CONFLICT ({self._list(self.key)}) DO UPDATE SET {sets} WHERE {where}"

    def _changed(self, column: Column, differs: str) -> str:
        name = self._quote(column.name)
        cast = "::text" if column.strict and column.kind is Kind.OTHER else ""  # json, xml: no equality
        return f"{self._quote(self.table)}.{name}{cast} {differs} excluded.{name}{cast}"

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def _list(self, names: Sequence[str]) -> str:
        return ", ".join(map(self._quote, names))

    def _quote(self, name: str) -> str:
        return quoted(self.connection, name)
