"""The job type `sync`: read, map, store; what is read next is fetched while what was read is stored."""

from collections.abc import Generator
from typing import Self

from pydantic import Field, model_validator

from jobs.agreement import full_problem, reserved, table_problem
from jobs.ahead import ahead
from jobs.contract import Context, Duration, Job, Json, Record, Shown
from jobs.destinations import DestinationOptions, rest_destination, rest_problem
from jobs.flow import Batch, Destination, Page, Refused
from jobs.fullpass import Reading, note, reading, resumes
from jobs.mapping import Mapping, mapping
from jobs.options import Options
from jobs.origins import SourceOptions
from jobs.origins import pages as source_pages
from jobs.paths import Path
from jobs.preview import Preview, Witness
from jobs.progress import Progress
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.schema import RESERVED
from jobs.sinks.sql import Intake, SqlDestination
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

    full_every: Duration | None = Field(
        default=None,
        description="How often a run reads everything, whatever its cursor says; "
        "`worker trigger JOB --param full=true` does it once.",
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        destination, source = self.destination, self.source
        if isinstance(destination, RestDestinationOptions):
            problem = rest_problem(destination, source, self.map) or full_problem("", source, self.full_every)
        else:
            problem = table_problem(destination, source, self.map)
            problem = problem or full_problem(destination.mode, source, self.full_every)
        problem = reserved(self.map or ()) or problem
        if problem:
            raise ValueError(problem)
        return self


class Sync(Job[SyncOptions]):
    """Moves records from a source to a destination; what was stored stays stored if a later page fails."""

    options_model = SyncOptions

    def run(self, context: Context) -> None:
        """Stores page after page; raises TooManyRejects, and what source and destination raise.

        With the parameter `rejects` it tries again what it rejected before, and nothing else.
        """
        progress = Progress(context)
        how = reading(self.options.source, context, self._database, self.options.full_every)
        destination = self._destination(context, progress, is_whole=how.is_whole)
        destination.begin()
        if context.params.get("rejects"):
            self._move(KeptSource().pages(context), destination, progress, judged=False)
            return
        self._move(self._pages(how), destination, progress, judged=True)
        progress.judge(final=True)
        destination.finish()
        if how.is_full:
            note(context, self._database)

    def preview(self, context: Context, rows: int) -> Shown:
        """Returns what a run would store or send of the first pages."""
        witness = Witness(context)
        how = reading(self.options.source, context, self._database, self.options.full_every)
        destination = self._destination(context, witness, is_whole=how.is_whole)
        pages = KeptSource().pages(context) if context.params.get("rejects") else self._pages(how)
        maps = mapping(self.options.map, reserved=RESERVED)
        show = Preview(context, witness, rows)
        return show.shown(pages, lambda page: _batch(maps, page), destination, self.options.destination)

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

    @property
    def _database(self) -> str | None:
        """Where the rows go, and the cursor with them."""
        destination = self.options.destination
        return None if isinstance(destination, RestDestinationOptions) else destination.database

    def _pages(self, how: Reading) -> Generator[Page]:
        def renamed(rows: list[Json]) -> tuple[list[Record], list[Refused]]:
            mapped = mapping(self.options.map, reserved=RESERVED).rows(rows)
            return mapped.rows, mapped.rejects

        prefetch = 0 if how.context.dry else self.options.prefetch
        return source_pages(how.options, how.context, prefetch, self._database, renamed)

    def _destination(self, context: Context, progress: Progress, *, is_whole: bool) -> Destination:
        options = self.options.destination
        if isinstance(options, RestDestinationOptions):
            return rest_destination(options, self.options.source, self.options.map, context, progress)
        intake = Intake(
            whole=self.options.map is None,
            kinds=mapping(self.options.map, reserved=RESERVED).kinds,
            resumes=resumes(self.options.source),
            complete=is_whole,
        )
        return SqlDestination(options, context, progress, intake)


def _batch(rows: Mapping, page: Page) -> Batch:
    mapped = rows.rows(page.records)
    return Batch(page, mapped.rows, mapped.records, [*page.rejects, *mapped.rejects])
