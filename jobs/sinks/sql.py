"""A table of a SQL database as the destination of a sync: which transactions there are, and what stands in each."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest

import sqlalchemy as sa

from jobs.contract import Context, Unit
from jobs.flow import Batch, Page, Refused
from jobs.progress import Progress
from jobs.sinks.bulk import Stamp
from jobs.sinks.schema import Table, TableUnfit
from jobs.sinks.sqloptions import Guard, SqlOptions
from jobs.sinks.tongues import tongue
from jobs.sinks.ways import Intake, way

__all__ = ["Guard", "Intake", "SqlDestination", "SqlOptions"]

_PAGES = 20  # in one transaction, where they lie ready
_LONGEST_S = {"sqlite": 0.02}  # after that a transaction takes no further page: its lock keeps all other writers out


class SqlDestination:
    """A table that a sync fills; each group of batches is one transaction."""

    def __init__(
        self,
        options: SqlOptions,
        context: Context,
        progress: Progress,
        intake: Intake,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._options = options
        self._context = context
        self._progress = progress
        self._now = now or _utc_now
        self._way = way(options, context, intake)
        self._opened = False

    @property
    def table(self) -> Table | None:
        """The table as the last transaction left it; None where no row has come."""
        return self._way.filling.table

    @property
    def at_once(self) -> int:
        """How many pages are stored together at most."""
        return _PAGES

    def begin(self) -> None:
        """Does nothing: the table is looked at with the first page."""

    def store(self, batches: Sequence[Batch]) -> None:
        """Stores batches with their counts, rejects and cursor; raises TableUnfit and TooManyGone."""
        left = list(batches)
        while left:
            with self._unit(Page.last_call(batch.page for batch in left)) as (unit, stamp):
                del left[: self._store_some(unit, left, stamp)]

    def _store_some(self, unit: Unit, batches: Sequence[Batch], stamp: Stamp) -> int:
        """Stores as many batches as one transaction takes, and returns their number."""
        ends_at = time.monotonic() + _LONGEST_S.get(unit.connection.dialect.name, math.inf)
        for number, batch in enumerate(batches, start=1):
            if self._store(unit, batch, stamp):
                stamp = self._stamp(unit.connection)
            if time.monotonic() > ends_at:
                return number
        return len(batches)

    def finish(self) -> None:
        """Swaps tables or takes away what is gone, as the mode has it; a preview has nothing to end."""
        if not self._context.dry:
            self._way.finish(self._unit)

    @contextmanager
    def _unit(self, upto_call: int | None = None) -> Iterator[tuple[Unit, Stamp]]:
        with self._context.unit(self._options.database, upto_call) as unit:
            if not self._opened or self._context.dry:  # a preview's last transaction left nothing behind
                self._way.open(unit.connection)
                self._opened = True
            yield unit, self._stamp(unit.connection)

    def _stamp(self, connection: sa.Connection) -> Stamp:
        zoned = tongue(connection).zoned
        return Stamp(self._context.run_id, self._now(), self._way.version(connection), zoned)

    def _store(self, unit: Unit, batch: Batch, stamp: Stamp) -> bool:
        """Stores one batch; returns whether the next one wants a version of its own."""
        taken = self._way.filling.write(unit.connection, batch.rows, stamp)
        unit.count(written=taken.written, unchanged=taken.unchanged)
        refused = [(batch.records[place], taken.refused[place]) for place in sorted(taken.refused)]
        if batch.page.gone:
            refused += self._take_away(unit, batch, stamp)
        self._way.took(unit.connection, batch, taken)
        moved = self._progress.book(unit, batch, refused)
        return self._way.booked(unit.connection, stamp, moved=moved)

    def _take_away(self, unit: Unit, batch: Batch, stamp: Stamp) -> list[Refused]:
        """Marks or deletes the rows that a page says are gone; returns what names no row."""
        options, removal, table = self._options, self._way.removal, self._way.filling.table
        if options.mode not in {"upsert", "mirror"}:
            raise TableUnfit(
                f'the source tells what is gone, which a table filled with mode = "{options.mode}" cannot follow; '
                'use "upsert" or "mirror".'
            )
        if table is None:  # nothing was ever stored
            return []
        removal.open(unit.connection, table)
        removal.measure(unit.connection, table)
        keys = [
            (self._way.filling.key_of(record), at) for record, at in zip_longest(batch.page.gone, batch.page.gone_at)
        ]
        nameless = [record for record, (key, _) in zip(batch.page.gone, keys, strict=True) if key is None]
        removed = removal.remove(unit.connection, table, [(key, at) for key, at in keys if key], stamp)
        removal.allow(table, removed)
        unit.count(deleted=removed)
        key = ", ".join(options.key)
        return [(record, f"what is gone is told without the table's key ({key})") for record in nameless]


def _utc_now() -> datetime:
    return datetime.now(UTC)
