"""Rows into a table of a SQL database: made when missing, widened when fields come, upserted by key.

Columns are made from the records: a column whose values are all null yet waits for its first value. Rows that
the database refuses are found by halving the page behind savepoints, so that one bad row costs its page nothing
but time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import Annotated, Literal, Protocol, Self

import sqlalchemy as sa
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from jobs.contract import Context, DatabaseRef, Json, Record, TableRef, Unit
from jobs.flow import Batch, Refused
from jobs.kinds import Kind
from jobs.options import Options
from jobs.progress import Progress
from jobs.sinks import schema
from jobs.sinks.bulk import Stamp, Statement
from jobs.sinks.kinds import Column, fit, infer

_Key = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


_TOO_LARGE = "54000"  # PostgreSQL: a row beyond its page, a value beyond its index


class SqlOptions(Options):
    """Which table rows go to, and how."""

    database: DatabaseRef | None = Field(default=None, description="Absent: the worker's own.")
    table: TableRef
    key: _Key = Field(default=(), description="The columns that tell one row from another.")
    mode: Literal["upsert", "append"] = Field(
        default="upsert", description="append: each run adds its rows, whatever is there."
    )

    @model_validator(mode="after")
    def _has_its_key(self) -> Self:
        if self.mode == "upsert" and not self.key:
            raise ValueError('key is missing; mode = "upsert" needs the columns that tell one row from another')
        return self


class Taking(Protocol):
    """What the sink needs of a unit."""

    @property
    def connection(self) -> sa.Connection:
        """The connection on which rows are written."""

    def reject(self, record: Json, reason: str) -> None:
        """Takes a row that could not be stored."""

    def count(self, *, written: int = 0, unchanged: int = 0) -> None:
        """Takes the counts, in rows."""


class SqlDestination:
    """A table that a sync fills; each group of batches is one transaction."""

    def __init__(self, options: SqlOptions, context: Context, progress: Progress, *, whole: bool) -> None:
        self._database = options.database
        self._context = context
        self._progress = progress
        self._sink = SqlSink(options, whole=whole)

    @property
    def at_once(self) -> int:
        """One page: SQLite's write lock is held no longer."""
        return 1

    def begin(self) -> None:
        """Does nothing: the table is looked at with the first page."""

    def store(self, batches: Sequence[Batch]) -> None:
        """Stores batches with their counts, rejects and cursor."""
        with self._context.unit(self._database) as unit:
            for batch in batches:
                refusing = _Refusing(unit)
                self._sink.write(refusing, batch.rows, self._context)
                self._progress.book(unit, batch, refusing.refused)

    def finish(self) -> None:
        """Does nothing: each row stands where it belongs."""


@dataclass
class _Refusing:
    """A unit whose rejects are the progress's to book."""

    unit: Unit
    refused: list[Refused] = field(default_factory=list)

    @property
    def connection(self) -> sa.Connection:
        return self.unit.connection

    def reject(self, record: Json, reason: str) -> None:
        self.refused.append((record, reason))

    def count(self, *, written: int = 0, unchanged: int = 0) -> None:
        self.unit.count(written=written, unchanged=unchanged)


class SqlSink:
    """Fills one table during one run; with `whole` a row is all there is, and what it lacks becomes null."""

    def __init__(self, options: SqlOptions, *, whole: bool = True, now: Callable[[], datetime] | None = None) -> None:
        self._name = options.table
        self._key = options.key if options.mode == "upsert" else ()
        self._whole = whole
        self._now = now or _utc_now
        self._table: schema.Table | None = None
        self._begun = False

    def write(self, unit: Taking, rows: list[Record], context: Context) -> None:
        """Stores rows inside the unit, counts them, and rejects those that cannot be stored."""
        if not self._begun:
            self._begin(unit.connection, context)
        rows = self._with_key(unit, self._spelled(unit.connection, rows))
        if not rows:
            return
        columns = self._columns(unit.connection, rows)
        batch = self._fitted(unit, rows, columns)
        latest = self._latest(batch, columns)
        unit.count(unchanged=len(batch) - len(latest))  # an older state of a record of the same page
        statement = Statement(unit.connection, self._name, tuple(columns), self._key)
        self._store(unit, latest, statement, Stamp(context.run_id, self._now()))

    def _begin(self, connection: sa.Connection, context: Context) -> None:
        """Looks at the table once per run; an append drops what an earlier attempt of the run left behind."""
        self._table = schema.reflect(connection, self._name)
        self._begun = True
        if self._table is None:
            return
        schema.adopt(connection, self._table, self._key)
        if not self._key and context.attempt > 1:
            table = sa.table(self._name, sa.column(schema.RUN_ID))
            connection.execute(sa.delete(table).where(table.c[schema.RUN_ID] == context.run_id))

    def _spelled(self, connection: sa.Connection, rows: list[Record]) -> list[Record]:
        """Returns the rows with names as the table spells them, where its database knows no case."""
        if self._table is None or schema.tongue(connection).cased:
            return rows
        spelling = {name.lower(): name for name in self._table.columns}
        names = {name: spelling.get(name.lower(), name) for name in dict.fromkeys(chain.from_iterable(rows))}
        if all(name == own for name, own in names.items()):
            return rows
        return [{names[name]: value for name, value in row.items()} for row in rows]

    def _with_key(self, unit: Taking, rows: list[Record]) -> list[Record]:
        for column in self._key:
            if None in _values(rows, column):
                for row in rows:
                    if row.get(column) is None:
                        unit.reject(row, _without(column))
                rows = [row for row in rows if row.get(column) is not None]
        return rows

    def _columns(self, connection: sa.Connection, rows: list[Record]) -> list[Column]:
        """Returns the columns to write, after making those that are missing."""
        names = list(dict.fromkeys(chain.from_iterable(rows)))
        known = self._table.columns if self._table else {}
        missing = {name: kind for name in names if name not in known and (kind := infer(_values(rows, name)))}
        table = self._table = self._made(connection, missing)
        own = table.own if self._whole else []
        return [table.columns[name] for name in dict.fromkeys([*names, *own]) if name in table.columns]

    def _made(self, connection: sa.Connection, missing: dict[str, Kind]) -> schema.Table:
        if self._table is None:
            return schema.create(connection, self._name, missing, self._key)
        schema.extend(connection, self._table, missing)
        return self._table

    def _fitted(self, unit: Taking, rows: list[Record], columns: list[Column]) -> list[tuple[Record, tuple[Json, ...]]]:
        """Returns each row with its values as they are stored; rejects those that do not fit."""
        stored, reasons = list[Sequence[Json]](), dict[int, str]()
        for column in columns:
            values, bad = fit(column, _values(rows, column.name))
            stored.append(values)
            if column.name in self._key and None in values:  # SQLite would take null for a key, each time anew
                bad = {place: _without(column.name) for place, value in enumerate(values) if value is None} | bad
            reasons = bad | reasons
        for place in sorted(reasons):
            unit.reject(rows[place], reasons[place])
        batch = list(zip(rows, zip(*stored, strict=True), strict=True))
        return [pair for place, pair in enumerate(batch) if place not in reasons] if reasons else batch

    def _latest(
        self, batch: list[tuple[Record, tuple[Json, ...]]], columns: list[Column]
    ) -> list[tuple[Record, tuple[Json, ...]]]:
        """Returns the last state of each record: one statement must not meet a key twice."""
        if not self._key:
            return batch
        names = [column.name for column in columns]
        places = [names.index(column) for column in self._key]
        key = itemgetter(*places)
        return list({key(values): (row, values) for row, values in batch}.values())

    def _store(
        self, unit: Taking, batch: list[tuple[Record, tuple[Json, ...]]], statement: Statement, stamp: Stamp
    ) -> None:
        if not batch:
            return
        try:
            with unit.connection.begin_nested():
                written = statement.write([values for _, values in batch], stamp)
        except Exception as error:
            if not _blames_a_row(error, unit.connection):
                raise
            if len(batch) == 1:
                unit.reject(
                    batch[0][0],
                    f"the database refused it: {str(getattr(error, 'orig', error)).splitlines()[0]}",
                )
                return
            half = len(batch) // 2
            self._store(unit, batch[:half], statement, stamp)
            self._store(unit, batch[half:], statement, stamp)
        else:
            unit.count(written=written, unchanged=len(batch) - written)


def _without(column: str) -> str:
    return f"the record has no {column}, which is its key"


def _values(rows: list[Record], name: str) -> list[Json]:
    try:
        return list(map(itemgetter(name), rows))
    except KeyError:
        return [row.get(name) for row in rows]


def _blames_a_row(error: Exception, connection: sa.Connection) -> bool:
    """Tells whether a row's content is to blame, rather than the database or the statement."""
    driver = connection.dialect.loaded_dbapi
    faults = (sa.exc.DataError, sa.exc.IntegrityError, driver.DataError, driver.IntegrityError)
    return isinstance(error, (*faults, OverflowError, UnicodeError)) or getattr(error, "sqlstate", "") == _TOO_LARGE


def _utc_now() -> datetime:
    return datetime.now(UTC)
