"""The job type `sync`: read, map, store; what is read next is fetched while what was read is stored."""

from collections.abc import Generator
from typing import Self

from pydantic import Field, model_validator

from jobs.ahead import ahead
from jobs.contract import Context, Job, Json, Record
from jobs.destinations import DestinationOptions, rest_destination, rest_problem
from jobs.flow import Batch, Destination, Page, Refused
from jobs.mapping import Mapping, mapping
from jobs.options import Options
from jobs.origins import SourceOptions
from jobs.origins import pages as source_pages
from jobs.paths import Path
from jobs.progress import Progress
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.schema import RESERVED
from jobs.sinks.sql import Intake, SqlDestination
from jobs.sources.composed import ApiOptions
from jobs.sources.kept import KeptSource


class SyncOptions(Options):
    """From where to where, and which column comes from what."""

    source: SourceOptions
    destination: DestinationOptions
    map: dict[str, Path] | None = Field(
        default=None, description="Column to JMESPath; absent: every field becomes a column."
    )
    prefetch: int = Field(
        default=2, ge=0, le=16, description="Pages fetched ahead while others are stored; 0: one after the other."
    )

    @model_validator(mode="after")
    def _columns_agree(self) -> Self:
        for column in self.map or {}:
            if column in RESERVED:
                raise ValueError(f"map: the column {column} is the worker's own; name it otherwise")
        if isinstance(self.destination, RestDestinationOptions):
            if problem := rest_problem(self.destination, self.source, self.map):
                raise ValueError(problem)
            return self
        missing = [column for column in self.destination.key if self.map is not None and column not in self.map]
        if missing and self.destination.mode == "upsert":
            raise ValueError(f"map: the column {missing[0]} is missing, which destination.key names")
        if self.destination.mode == "append" and (
            self.source.cursor or (isinstance(self.source, ApiOptions) and self.source.slices)
        ):
            raise ValueError(
                'destination: mode = "append" would double what a cursor reads again; use upsert with a key'
            )
        return self


class Sync(Job[SyncOptions]):
    """Moves records from a source to a destination; what was stored stays stored if a later page fails."""

    options_model = SyncOptions

    def run(self, context: Context) -> None:
        """Stores page after page; raises TooManyRejects, and what source and destination raise.

        With the parameter `rejects` it tries again what it rejected before, and nothing else.
        """
        progress = Progress(context)
        destination = self._destination(context, progress)
        destination.begin()
        if context.params.get("rejects"):
            self._move(KeptSource().pages(context), destination, progress, judged=False)
            return
        self._move(self._pages(context), destination, progress, judged=True)
        progress.judge(final=True)
        destination.finish()

    def _move(self, pages: Generator[Page], destination: Destination, progress: Progress, *, judged: bool) -> None:
        rows = mapping(self.options.map, reserved=RESERVED)
        with ahead(pages, self.options.prefetch, destination.at_once) as groups:
            for group in groups:
                for page in group:
                    progress.expect(page)
                batches = [batch for page in group if not (batch := _batch(rows, page)).is_empty]
                if batches:
                    destination.store(batches)
                if judged:
                    progress.judge(final=False)

    def _pages(self, context: Context) -> Generator[Page]:
        options, destination = self.options, self.options.destination
        database = None if isinstance(destination, RestDestinationOptions) else destination.database

        def renamed(rows: list[Json]) -> tuple[list[Record], list[Refused]]:
            mapped = mapping(options.map, reserved=RESERVED).rows(rows)
            return mapped.rows, mapped.rejects

        return source_pages(options.source, context, options.prefetch, database, renamed)

    def _destination(self, context: Context, progress: Progress) -> Destination:
        options = self.options.destination
        if isinstance(options, RestDestinationOptions):
            return rest_destination(options, self.options.source, self.options.map, context, progress)
        return SqlDestination(options, context, progress, Intake(whole=self.options.map is None))


def _batch(rows: Mapping, page: Page) -> Batch:
    mapped = rows.rows(page.records)
    return Batch(page, mapped.rows, mapped.records, [*page.rejects, *mapped.rejects])
