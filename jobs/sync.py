"""The job type `sync`: read, map, write, advance; one transaction a page."""

from contextlib import closing
from dataclasses import dataclass, field
from typing import Self

import sqlalchemy as sa
from pydantic import Field, model_validator

from jobs.contract import Context, Counts, Job, Json, Page, TooManyRejects, Unit
from jobs.mapping import Mapping, mapping
from jobs.options import Options
from jobs.paths import Path
from jobs.sinks.schema import SYSTEM
from jobs.sinks.sql import SqlOptions, SqlSink
from jobs.sources.rest import RestOptions, RestSource

_TELLING = 1000  # records read before a share of rejects is judged in mid-run


class SyncOptions(Options):
    """From where to where, and which column comes from what."""

    source: RestOptions
    destination: SqlOptions
    map: dict[str, Path] | None = Field(
        default=None, description="Column to JMESPath; absent: every field becomes a column."
    )

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        for column in self.map or {}:
            if column in SYSTEM:
                raise ValueError(f"map: the column {column} is the worker's own; name it otherwise")
        missing = [column for column in self.destination.key if self.map is not None and column not in self.map]
        if missing and self.destination.mode == "upsert":
            raise ValueError(f"map: the column {missing[0]} is missing, which destination.key names")
        if self.destination.mode == "append" and self.source.cursor:
            raise ValueError(
                'destination: mode = "append" would double what a cursor reads again; use upsert with a key'
            )
        return self


class Sync(Job[SyncOptions]):
    """Moves records from a source to a destination; what was stored stays stored if a later page fails."""

    options_model = SyncOptions

    def run(self, context: Context) -> None:
        """Stores page after page; raises TooManyRejects, and what source and destination raise."""
        source = RestSource(self.options.source)
        sink = SqlSink(self.options.destination, whole=self.options.map is None)
        transfer = _Transfer(context, mapping(self.options.map, SYSTEM), sink, self.options.destination.database)
        with closing(source.pages(context)) as pages:
            for page in pages:
                transfer.store(page)
        transfer.judge(final=True)


@dataclass
class _Tally:
    """A unit that also knows how many rejects it holds."""

    unit: Unit
    rejected: int = 0

    @property
    def connection(self) -> sa.Connection:
        return self.unit.connection

    def reject(self, record: Json, reason: str) -> None:
        self.rejected += 1
        self.unit.reject(record, reason)

    def advance(self, value: Json, name: str = "") -> None:
        self.unit.advance(value, name)

    def count(self, *, read: int = 0, written: int = 0, unchanged: int = 0, deleted: int = 0) -> None:
        self.unit.count(read=read, written=written, unchanged=unchanged, deleted=deleted)


@dataclass
class _Transfer:
    """One run's way from pages to units."""

    context: Context
    mapping: Mapping
    sink: SqlSink
    database: str | None
    total: Counts = field(default_factory=Counts)  # of what this run stored

    def store(self, page: Page) -> None:
        """Stores one page in one unit; raises TooManyRejects once that is certain, with the rejects kept."""
        if page.total is not None and page.total != self.total.expected:
            self.total.expected = page.total
            self.context.expect(page.total)
        if not page.records and not page.rejects and page.cursor is None:
            return
        with self.context.unit(self.database) as unit:
            self._fill(_Tally(unit), page)
        self.judge(final=False)

    def _fill(self, unit: _Tally, page: Page) -> None:
        unit.count(read=len(page.records) + len(page.rejects))
        rows, unmapped = self.mapping.rows(page.records)
        for record, reason in [*page.rejects, *unmapped]:
            unit.reject(record, reason)
        self.sink.write(unit, rows, self.context)
        self.total.read += len(page.records) + len(page.rejects)
        self.total.rejected += unit.rejected
        # Beyond the limit the cursor stays, so that the records come again once the cause is mended.
        if page.cursor is not None and not self.context.max_rejects.passed(self.total):
            unit.advance(page.cursor)

    def judge(self, *, final: bool) -> None:
        """Raises TooManyRejects: a number counts at once, a share at the end or after a thousand records."""
        limit, total = self.context.max_rejects, self.total
        if limit.passed(total) and (final or limit.count is not None or total.read >= _TELLING):
            allowed = f"{limit.count}" if limit.count is not None else f"{limit.share or 0:.2%}"
            raise TooManyRejects(
                f"{total.rejected} of {total.read} records were rejected, allowed are {allowed}: "
                f"look at them with `worker rejects {self.context.run_id}`, or raise max_rejects."
            )
