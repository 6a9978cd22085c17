"""Spans of time cut in slices, each asked for by itself: for APIs that bear no long spans, and for years of history.

A slice ends where the next one begins, and both ends are sent: whichever of them a server leaves out, the neighbour
brings. The cursor moves to a slice's end once its last page is stored: a long way may take any number of runs. It stays
before a slice in which records may have slipped past.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from jobs.contract import Context, Duration, FailedAnswer, GiveUp, Json
from jobs.flow import Page, Refused
from jobs.options import Options
from jobs.sources.cursor import read_time, write_time
from jobs.sources.lanes import in_lanes
from jobs.sources.rest import RestSource
from jobs.sources.steps import Carrier, Span
from jobs.times import Format, written

_TRIAL = datetime(2026, 1, 1, tzinfo=UTC)


class SlicesOptions(Options):
    """How a span of time is cut, and how its slices are asked for."""

    by: Duration = Field(gt=0, description="The length of a slice.")
    start: str = Field(alias="from", min_length=1, description="Where the first run starts, in ISO 8601.")
    since_param: str = Field(default="", description="The parameter of a slice's beginning, or write {slice.since}.")
    until_param: str = Field(default="", description="The parameter of its end, or write {slice.until}.")
    format: Format = Field(
        default="iso", description="iso, servicenow, epoch, epoch_ms, or a pattern such as %Y-%m-%d; in UTC."
    )
    lookback: Duration = Field(default=0.0, description="Read again so far back, for changes that showed up late.")
    carrier: Carrier = Field(default="query", alias="in", description="Where the parameters stand.")
    parallel: int = Field(default=1, ge=1, le=16, description="Slices that are walked through at once.")

    @field_validator("start")
    @classmethod
    def _is_a_time(cls, start: str) -> str:
        read_time(start, "iso")
        return start

    @model_validator(mode="after")
    def _is_wide_enough(self) -> Self:
        if self.floor(_TRIAL + timedelta(seconds=self.by)) <= _TRIAL:
            raise ValueError(f"slices.by is finer than slices.format {self.format!r} can tell")
        return self

    def write(self, moment: datetime) -> str:
        """Returns a time as the server takes it."""
        return write_time(moment, self.format)

    def floor(self, moment: datetime) -> datetime:
        """Returns the latest time, not after this one, that the format can tell."""
        if self.format == "epoch_ms":
            return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        if self.format in ("iso", "servicenow", "epoch"):
            return moment.replace(microsecond=0)
        told = datetime.strptime(written(moment, self.format), self.format)  # noqa: DTZ007 - it is told in UTC
        return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


class SliceMark:
    """One slice's standing: what is asked for, and the end that the cursor moves to."""

    def __init__(self, options: SlicesOptions, ends: tuple[datetime, datetime], reached: datetime | None) -> None:
        self._options = options
        self._since, self._until = ends
        self._moves = reached is None or self._until > reached
        self.span = Span(self._until)
        self.carried_in: Carrier = options.carrier

    def params(self) -> dict[str, Json]:
        """Returns the parameters of both ends."""
        named = {
            self._options.since_param: self._options.write(self._since),
            self._options.until_param: self._options.write(self._until),
        }
        return {name: text for name, text in named.items() if name}

    @property
    def values(self) -> dict[str, Json]:
        """What fills the places of both ends."""
        return {
            "slice.since": self._options.write(self._since),
            "slice.until": self._options.write(self._until),
        }

    def take(self, records: list[Json], place: str) -> tuple[list[Json], list[Refused]]:  # noqa: ARG002 - one form
        """Returns all records: which of its times a server asks for is its own affair."""
        return records, []

    def value(self, document: Json, place: str, *, last: bool) -> Json:  # noqa: ARG002 - one form
        """Returns the slice's end with its last page."""
        return self._until.isoformat().replace("+00:00", "Z") if last and self._moves else None

    def anew(self, error: FailedAnswer) -> None:  # noqa: ARG002 - one form
        """Returns None: a span of time does not run out."""
        return


def cut(start: datetime, until: datetime, options: SlicesOptions) -> Iterator[tuple[datetime, datetime]]:
    """Yields the slices of a span in their order; what the format cannot tell at its end waits for the next run."""
    since, end = options.floor(start), options.floor(until)
    while since < end:
        following = min(options.floor(since + timedelta(seconds=options.by)), end)
        yield since, following
        since = following


def sliced(options: SlicesOptions, source: RestSource, context: Context, stored: Json) -> Generator[Page]:
    """Yields the pages of slice after slice, from the cursor to the end of the run's window; raises GiveUp."""
    try:
        reached = read_time(stored, "iso")
    except ValueError:
        raise GiveUp(
            f"the cursor of {context.job} is {stored!r}; expected a time in ISO 8601. Set or reset the cursor."
        ) from None
    start = reached - timedelta(seconds=options.lookback) if reached else read_time(options.start, "iso")

    def walks() -> Generator[Generator[Page]]:
        for ends in cut(start or context.window.until, context.window.until, options):
            mark = SliceMark(options, ends, reached)
            yield source.walked(context, mark, mark.values)

    held = False  # a slice may be incomplete: the next run begins with it
    with closing(in_lanes(walks(), options.parallel)) as pages:
        for page in pages:
            held = held or page.partial
            yield replace(page, total=None, cursor=None if held else page.cursor)
