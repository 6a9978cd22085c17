"""What a sync would do: a few pages are read, mapped and stored, in transactions that are rolled back."""

from collections.abc import Callable, Generator, Iterator, Sequence

from jobs.contract import Context, Record, Shown, ShownColumn, ShownRequest, Unit
from jobs.destinations import DestinationOptions
from jobs.fields import names_in
from jobs.flow import Batch, Destination, Page, Refused
from jobs.progress import Progress
from jobs.rowkeys import KeyOf
from jobs.shown import url_of
from jobs.sinks.kinds import Column, fit
from jobs.sinks.rest import RestDestination
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.schema import reflect
from jobs.sinks.sql import SqlDestination, SqlOptions

_PAGES = 3  # are read at most
_MADE_WHOLE = 'mode = "replace": a run makes the table anew from all pages'
_NOT_MISSED = 'mode = "mirror": what the source no longer has is not looked for here'
_GOES_ON = "a run reads on from here"


class Witness(Progress):
    """Books as ever, and keeps the rows that got through."""

    def __init__(self, context: Context, key_of: KeyOf) -> None:
        super().__init__(context, key_of)
        self.rows: list[Record] = []

    def book(self, unit: Unit, batch: Batch, refused: Sequence[Refused] = ()) -> bool:
        """Books a batch in the unit that stores it."""
        left = {id(record) for record, _ in refused}
        self.rows += [row for row, record in zip(batch.rows, batch.records, strict=True) if id(record) not in left]
        return super().book(unit, batch, refused)


class Preview:
    """Walks through the first pages of a sync; `most` bounds the rows that are shown."""

    def __init__(self, context: Context, witness: Witness, most: int) -> None:
        self._context, self._witness, self._most = context, witness, most
        self._goes_on = False

    def shown(
        self,
        pages: Generator[Page],
        batch: Callable[[Page], Batch],
        destination: Destination,
        options: DestinationOptions,
    ) -> Shown:
        """Returns what a run would store or send; raises what source and destination raise."""
        batches = self._batches(pages, batch)
        destination.begin()
        if isinstance(destination, RestDestination) and isinstance(options, RestDestinationOptions):
            return self._of_requests(batches, destination, options)
        if isinstance(destination, SqlDestination) and isinstance(options, SqlOptions):
            return self._of_rows(batches, destination, options)
        raise AssertionError("there are two kinds of destinations")

    def _batches(self, pages: Generator[Page], batch: Callable[[Page], Batch]) -> Iterator[Batch]:
        """Yields what is to be stored, until enough rows are there."""
        try:
            for number, page in enumerate(pages, 1):
                self._witness.expect(page)
                yield batch(page)
                if number == _PAGES or len(self._witness.rows) >= self._most:
                    self._goes_on = True
                    return
        finally:
            pages.close()

    def _of_requests(
        self, batches: Iterator[Batch], destination: RestDestination, options: RestDestinationOptions
    ) -> Shown:
        for batch in batches:
            destination.store([batch])
        base_url = self._context.api(options.account).base_url
        requests = (
            ShownRequest(one.method, url_of(base_url, one.path, one.params), one.body, one.headers)
            for one in destination.parcels[: self._most]
        )
        return Shown(_told_api(options), requests=tuple(requests), notes=self._notes())

    def _of_rows(self, batches: Iterator[Batch], destination: SqlDestination, options: SqlOptions) -> Shown:
        with self._context.read(options.database) as connection:
            before = reflect(connection, options.table)
        columns: dict[str, Column] = dict(before.columns) if before else {}
        for batch in batches:
            destination.store([batch])
            columns |= destination.table.columns if destination.table else {}
        rows = self._witness.rows
        names = names_in(rows)
        known = before.columns if before else {}
        told = tuple(_column(name, columns.get(name), is_new=name not in known) for name in names)
        return Shown(
            _told_table(options),
            told,
            tuple(_stored(rows[: self._most], names, columns)),
            notes=self._notes(options, is_new=before is None and bool(rows)),
        )

    @property
    def _has_all(self) -> bool:
        counts = self._context.counts
        return counts.expected is not None and counts.read >= counts.expected

    def _notes(self, options: SqlOptions | None = None, *, is_new: bool = False) -> tuple[str, ...]:
        modes = {"replace": _MADE_WHOLE, "mirror": _NOT_MISSED}
        mode = options.mode if options else ""
        said = [
            f"the table {options.table} would be made" if options and is_new else "",
            modes.get(mode, ""),
            _GOES_ON if self._goes_on and not self._has_all else "",
        ]
        return tuple(filter(None, said))


def _column(name: str, column: Column | None, *, is_new: bool) -> ShownColumn:
    return ShownColumn(name, column.kind if column else "made with its first value", is_new)


def _stored(rows: list[Record], names: list[str], columns: dict[str, Column]) -> Iterator[Record]:
    """Yields rows with their values as they are stored."""
    for row in rows:
        yield {name: fit(columns[name], [row.get(name)])[0][0] if name in columns else None for name in names}


def _told_table(options: SqlOptions) -> str:
    return f"the table {options.table}" + (f" of the database {options.database}" if options.database else "")


def _told_api(options: RestDestinationOptions) -> str:
    return f"{options.method} {options.path} (account {options.account})"
