"""Rows that the source no longer has: marked or deleted by their keys, behind a guard."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from jobs.contract import Json, Log, WorkerError
from jobs.ids import begun_by
from jobs.kinds import Kind
from jobs.sinks import schema
from jobs.sinks.bulk import Stamp
from jobs.sinks.sqloptions import SqlOptions

Gone = tuple[Sequence[Json], datetime | None]
"""A stored key, and when the source lost its record, where that is told."""

_BEFORE = "__before"


class TooManyGone(WorkerError):
    """More rows would have been marked or deleted than the guard allows."""

    kind = "too_many_gone"
    permanent = True


class Removal:
    """Takes rows away during one attempt; marked rows keep their values."""

    def __init__(self, options: SqlOptions, log: Log) -> None:
        self._options = options
        self._log = log
        self._marks = options.gone == "mark"
        self._limit: int | None = None
        self._removed = 0

    def open(self, connection: sa.Connection, table: schema.Table) -> None:
        """Adds the column of marks where it is needed and missing."""
        if self._marks and schema.DELETED_AT not in table.columns:
            schema.extend(connection, table, {schema.DELETED_AT: Kind.TIMESTAMP})

    def live(self, table: schema.Table) -> sa.TableClause:
        """Returns the table with the columns that tell which rows are there."""
        marks = [schema.DELETED_AT] if schema.DELETED_AT in table.columns else []
        names = dict.fromkeys([*self._options.key, *marks, *schema.SYSTEM])
        return sa.table(table.name, *map(untyped, names))

    def is_live(self, rows: sa.TableClause) -> sa.ColumnElement[bool]:
        """Returns the condition that a row of `live` is not marked, and has its key."""
        known = [rows.c[name].is_not(None) for name in self._options.key]
        unmarked = [rows.c[schema.DELETED_AT].is_(None)] if schema.DELETED_AT in rows.c else []
        return sa.and_(*known, *unmarked)

    def measure(self, connection: sa.Connection, table: schema.Table) -> None:
        """Settles how many rows this attempt may take away, by those that are there before it takes any."""
        if self._limit is None:
            rows = self.live(table)
            count = sa.select(sa.func.count()).select_from(rows).where(self.is_live(rows))
            self._limit = self._options.guard.limit(connection.scalar(count) or 0)

    def allow(self, table: schema.Table, more: int) -> None:
        """Takes so many more rows for removed; raises TooManyGone where these are too many for one run."""
        before = self._removed
        self._removed += more
        if self._limit is not None and self._removed > self._limit:
            verb = "marked as deleted" if self._marks else "deleted"
            outcome = "no more than the first of them were" if before else "none of them was"
            raise TooManyGone(
                f"{self._removed} rows of the table {table.name} would be {verb}, allowed are {self._limit} "
                f"(guard.max_delete = {self._options.guard.words}), so {outcome}. "
                "See whether the source answered in full; if the rows are rightly gone, raise guard.max_delete."
            )

    def remove(self, connection: sa.Connection, table: schema.Table, gone: Sequence[Gone], stamp: Stamp) -> int:
        """Marks or deletes rows; returns how many were there and not yet marked.

        What a run that began after a row had gone wrote was made again: it stays.
        """
        if not gone:
            return 0
        rows = self.live(table)
        named = [f"__key_{number}" for number in range(len(self._options.key))]
        ours = [
            rows.c[column] == sa.bindparam(name, type_=sa.types.NullType())
            for name, column in zip(named, self._options.key, strict=True)
        ]
        written_by = sa.func.coalesce(rows.c[schema.RUN_ID], sa.literal(0, sa.BigInteger))
        ours.append(written_by < sa.bindparam(_BEFORE, type_=sa.BigInteger))
        change: sa.Update | sa.Delete = sa.delete(rows).where(*ours)
        if self._marks:
            run_id, at, version = stamp.values
            values = dict(zip((*schema.SYSTEM, schema.DELETED_AT), (run_id, at, version, at), strict=True))
            change = sa.update(rows).where(*ours, self.is_live(rows)).values(values)
        parameters = [dict(zip(named, key, strict=True)) | {_BEFORE: begun_by(at)} for key, at in gone]
        try:
            removed = connection.execute(change, parameters).rowcount
        except sa.exc.IntegrityError as error:
            raise schema.TableUnfit(
                f"rows of the table {table.name} cannot be deleted: {str(error.orig).splitlines()[0]}. "
                'Other rows refer to them; say gone = "mark", or let the foreign key cascade.'
            ) from error
        return removed


def untyped(name: str) -> sa.ColumnClause[Json]:
    """Returns a column whose values go to the driver as they are, without a cast."""
    return sa.column(name, sa.types.NullType())
