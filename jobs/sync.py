"""The job type `sync`: read, map, store; what is read next is fetched while what was read is stored."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import cast

from jobs.ahead import ahead
from jobs.contract import Context, Job, Json, Shown
from jobs.destinations import rest_destination
from jobs.flow import Batch, Destination, Page
from jobs.fullpass import Reading, note, reading, resumes
from jobs.held import Held, backfill_problem, unmoved, window_problem
from jobs.lookups import finder
from jobs.mapped import Parted, parted
from jobs.mapping import Mapping as RowMapping
from jobs.mapping import mapping
from jobs.origins import pages as source_pages
from jobs.preview import Preview, Witness
from jobs.progress import Progress
from jobs.rowkeys import KeyOf, key_reader
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.schema import RESERVED
from jobs.sinks.sql import Intake, SqlDestination
from jobs.sources.kept import KeptSource
from jobs.syncoptions import SyncOptions

__all__ = ["Sync", "SyncOptions"]


@dataclass(frozen=True)
class _Line:
    """One attempt's way: how the source is read, how records become rows, and where those go."""

    how: Reading
    mapping: RowMapping
    destination: Destination

    def batch(self, page: Page) -> Batch:
        """Returns a page whose records have become rows."""
        mapped = self.mapping.rows(page.records)
        return Batch(page, mapped.rows, mapped.records, [*page.rejects, *mapped.rejects])


class Sync(Job[SyncOptions]):
    """Moves records from a source to a destination; what was stored stays stored if a later page fails."""

    options_model = SyncOptions

    def run(self, context: Context) -> None:
        """Stores page after page; raises TooManyRejects, and what source and destination raise.

        With the parameter `rejects` it tries again what it rejected before, and nothing else.
        """
        progress = Progress(context, self._key_of)
        line = self._line(context, progress)
        line.destination.begin()
        if context.params.get("rejects"):
            self._move(line, context, progress, judged=False)
            return
        came_whole = self._move(line, context, progress, judged=True)
        progress.judge(final=True)
        line.destination.finish()
        if line.how.is_full and came_whole:
            note(context, self.options.database)

    def preview(self, context: Context, rows: int) -> Shown:
        """Returns what a run would store or send of the first pages."""
        witness = Witness(context, self._key_of)
        line = self._line(context, witness)
        pages = self._pages(line, context)
        return Preview(context, witness, rows).shown(pages, line.batch, line.destination, self.options.destination)

    def window_problem(self, params: Mapping[str, Json]) -> str:
        """Returns why its source cannot be held to a window."""
        return window_problem(self.options.source, params)

    def backfill_problem(self, params: Mapping[str, Json]) -> str:
        """Returns why a backfill makes no sense: of all there is, of what no span of time bounds, or into `replace`."""
        destination = self.options.destination
        mode = "" if isinstance(destination, RestDestinationOptions) else destination.mode
        return backfill_problem(self.options.source, mode, params)

    @property
    def _key_of(self) -> KeyOf:
        return key_reader(self.options.destination.key, self.options.map)

    def _line(self, context: Context, progress: Progress) -> _Line:
        said = self.options
        made = mapping(said.map, flatten=said.flatten, types=said.types, reserved=RESERVED, find=finder(context))
        how = self._how(context)
        if isinstance(said.destination, RestDestinationOptions):
            destination: Destination = rest_destination(said.destination, said.source, said.map, context, progress)
        else:
            intake = Intake(said.map is None, made.kinds, self._keys(context), resumes(said.source), how.is_whole)
            destination = SqlDestination(said.destination, context, progress, intake)
        return _Line(how, made, destination)

    def _keys(self, context: Context) -> Parted:
        """Returns what makes of records the columns of the key at least, whatever the others hold."""
        said, key = self.options, self.options.destination.key
        columns = said.map and {column: said.map[column] for column in key if column in said.map}
        types = said.types and {column: said.types[column] for column in key if column in said.types}
        return parted(mapping(columns, flatten=said.flatten, types=types, reserved=RESERVED, find=finder(context)))

    def _how(self, context: Context) -> Reading:
        said = self.options
        if context.window.given and resumes(said.source):
            return Reading(said.source, cast("Context", Held(context)), is_whole=False, is_full=False)
        return reading(said.source, context, said.database, said.full_every)

    def _move(self, line: _Line, context: Context, progress: Progress, *, judged: bool) -> bool:
        """Stores page after page; returns whether none of them told that records may have slipped past."""
        whole = True
        with ahead(self._pages(line, context), self.options.prefetch, line.destination.at_once) as groups:
            progress.begin()
            for group in groups:
                for page in group:
                    progress.expect(page)
                    whole = whole and not page.partial
                batches = [batch for batch in map(line.batch, group) if not batch.is_empty]
                if batches:
                    line.destination.store(batches)
                if judged:
                    progress.judge(final=False)
                batches.clear()  # else these pages stay until the next ones are there
                group.clear()
        return whole

    def _pages(self, line: _Line, context: Context) -> Generator[Page]:
        if context.params.get("rejects"):
            return KeptSource().pages(context)

        prefetch = 0 if context.dry else self.options.prefetch
        renamed = parted(line.mapping)
        pages = source_pages(line.how.options, line.how.context, prefetch, self.options.database, renamed)
        return unmoved(pages) if context.window.given else pages
