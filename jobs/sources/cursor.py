"""Incremental reading: what is asked for, what may come, and how far the cursor may move.

The range asked for is closed and starts at the cursor less the look-back; what is read twice meets the upsert's
key. An upper bound is sent where `until_param` names its parameter. The cursor moves to the greatest time seen that is
not after the run's `window.until`: a record stamped in the future does not carry it along.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal, get_args

from pydantic import Field, field_validator

from jobs.contract import BadAnswer, Context, Duration, GiveUp, Json
from jobs.fields import values_of
from jobs.options import Options
from jobs.paths import descent
from jobs.sources.steps import Carrier, Span
from jobs.stamps import whole_seconds
from jobs.times import Output, written

Format = Literal["iso", "servicenow", "epoch", "epoch_ms"]
_PATTERNS = {"iso": "%Y-%m-%dT%H:%M:%SZ", "servicenow": "%Y-%m-%d %H:%M:%S"}
_PLACE = "{cursor}"
_UNTIL = "{until}"
_TOLERANCE = timedelta(seconds=1)  # what is sent is cut to whole seconds


class CursorOptions(Options):
    """How a source is asked for what changed since the last run."""

    kind: Literal["time"] = "time"
    field: str = Field(min_length=1, description="The record's time of change; dotted for one inside.")
    param: str = Field(
        default="",
        description="The parameter that asks for what changed since; left out where the paging asks for it itself.",
    )
    lookback: Duration = Field(default=0.0, description="Read again so far back, for changes that showed up late.")
    format: Format = Field(
        default="iso", description="iso: 2026-01-31T08:00:00Z, servicenow: 2026-01-31 08:00:00, both UTC."
    )
    param_format: Output | None = Field(
        default=None,
        description="How parameters take times, where that is not as `format`; a pattern such as %Y-%m-%d too.",
    )
    template: str = Field(default=_PLACE, description="The parameter's value; {cursor} is where the time goes in.")
    until_param: str = Field(
        default="", description="The parameter of the upper bound, which is the end of the run's window; empty: none."
    )
    until_template: str = Field(
        default=_UNTIL, description="That parameter's value; {until} is where the time goes in."
    )
    carrier: Carrier = Field(default="query", alias="in", description="Where these parameters stand.")
    initial: str = Field(default="", description="Where the first run starts, in ISO 8601; empty: everything.")
    sorted: bool = Field(
        default=False,
        description="The server sorts by the field, oldest first: the cursor moves with every page.",
    )

    @field_validator("template")
    @classmethod
    def _has_a_place(cls, template: str) -> str:
        if _PLACE not in template:
            raise ValueError(f"expected a text that holds {_PLACE}, found {template!r}")
        return template

    @field_validator("until_template")
    @classmethod
    def _has_a_place_for_the_end(cls, template: str) -> str:
        if _UNTIL not in template:
            raise ValueError(f"expected a text that holds {_UNTIL}, found {template!r}")
        return template

    @field_validator("initial")
    @classmethod
    def _is_a_time(cls, initial: str) -> str:
        read_time(initial, "iso")
        return initial


def read_time(value: Json, kind: Format) -> datetime | None:
    """Returns an aware UTC time, None for null and empty; a time without a zone is UTC. Raises ValueError."""
    if value is None or value == "":
        return None
    if kind in ("epoch", "epoch_ms"):
        return datetime.fromtimestamp(float(value) / (1000 if kind == "epoch_ms" else 1), UTC)
    if not isinstance(value, str):
        raise ValueError(f"expected a time in ISO 8601, found a {type(value).__name__}")  # noqa: TRY004 - one error
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def write_time(moment: datetime, kind: str) -> str:
    """Returns a time as a server takes it, in UTC, cut to whole seconds (`epoch_ms`: to milliseconds).

    `kind` is one of the formats, or a pattern of strftime, which cuts to what it tells.
    """
    if kind == "epoch":
        return str(int(moment.timestamp()))
    if kind == "epoch_ms":
        return str(int(moment.timestamp() * 1000))
    return written(moment, _PATTERNS.get(kind, kind))


def _told(moment: datetime, kind: str) -> datetime:
    """Returns the time that a server reads from what `write_time` writes."""
    if kind in get_args(Format):
        return moment
    try:
        told = datetime.strptime(written(moment, kind), kind)  # noqa: DTZ007 - it is told in UTC
    except ValueError:  # a pattern that cannot be read back tells at least its day
        return moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return told.replace(tzinfo=UTC)


class Watermark:
    """How far one run's reading has got; `moved` tells whether the cursor has to follow."""

    def __init__(self, options: CursorOptions, cursor: datetime | None, until: datetime) -> None:
        self._options = options
        *outer, self._name = options.field.split(".")
        self._get = descent((*outer, self._name))
        self._holder = descent(tuple(outer)) if outer else lambda record: record
        self._is_deep = bool(outer)
        self._lacking: Json = None  # a record without the field, while no other had it
        self._is_known = False  # a record had the field, whatever it held
        self._until = until
        self._cursor = cursor
        self._newest = cursor  # of what was seen, within the window
        self._latest: datetime | None = None  # of what was seen, wherever
        self._since = cursor - timedelta(seconds=options.lookback) if cursor else read_time(options.initial, "iso")
        self._written = options.param_format or options.format
        self._least = _told(self._since, self._written) - _TOLERANCE if self._since else None

    @classmethod
    def of(cls, options: CursorOptions, context: Context, name: str = "", database: str | None = None) -> "Watermark":
        """Returns the watermark a run starts from; raises GiveUp for a stored cursor that is no time."""
        value = context.cursor(name, database).value
        try:
            return cls(options, read_time(value, "iso"), context.window.until)
        except ValueError:
            raise GiveUp(
                f"the cursor of {context.job} is {value!r}; expected a time in ISO 8601. Set or reset the cursor."
            ) from None

    @property
    def span(self) -> Span:
        """What is asked for, for kinds of paging that write it into their own query."""
        return Span(self._until, self._options.field, self._since)

    def params(self) -> dict[str, str]:
        """Returns the parameters that ask for what changed since; no lower bound on a first run without a start."""
        options, wanted = self._options, dict[str, str]()
        if self._since is not None and options.param:
            since = write_time(self._since, self._written)
            wanted[options.param] = options.template.replace(_PLACE, since)
        if options.until_param:
            until = write_time(self._until, self._written)
            wanted[options.until_param] = options.until_template.replace(_UNTIL, until)
        return wanted

    def value(self) -> str | None:
        """Returns the cursor to move to, as ISO 8601 in UTC; None where it stays."""
        if self._newest is None or self._newest == self._cursor:
            return None
        return self._newest.isoformat().replace("+00:00", "Z")

    def check_field(self, place: str) -> None:
        """Raises BadAnswer where records came and none of them had the field: the cursor would never move."""
        if self._lacking is not None and not self._is_known:
            raise BadAnswer(
                f"{place} gave no record with the field {self._options.field}, by which the cursor moves; "
                f"one has {', '.join(sorted(self._lacking))[:200]}. Check cursor.field."
            )

    def take(self, records: list[Json], place: str) -> tuple[list[Json], list[tuple[Json, str]]]:
        """Notes the times of a page, and parts its records from those whose time cannot be read.

        A record without a time is kept. Raises BadAnswer where the server did not filter or sort as asked.
        """
        kept, rejects = records, list[tuple[Json, str]]()
        self._is_known = self._is_known or any(map(self._has_field, records))
        if records and not self._is_known:
            self._lacking = records[0]
        try:
            times = self._times(records)
        except (ValueError, TypeError, OverflowError, OSError):
            kept, rejects, times = self._parted(records)
        if times:
            self._note(times, place)
        return kept, rejects

    def _has_field(self, record: Json) -> bool:
        holder = self._holder(record)
        return isinstance(holder, dict) and self._name in holder

    def _times(self, records: list[Json]) -> list[datetime]:
        values = list(map(self._get, records)) if self._is_deep else values_of(records, self._options.field)
        if self._options.format == "iso" and set(map(type, values)) == {str}:
            times = whole_seconds(values)
            if times is not None:
                return times
        return [at for value in values if (at := read_time(value, self._options.format)) is not None]

    def _time(self, record: Json) -> datetime | None:
        return read_time(self._get(record), self._options.format)

    def _parted(self, records: list[Json]) -> tuple[list[Json], list[tuple[Json, str]], list[datetime]]:
        kept, rejects, times = list[Json](), list[tuple[Json, str]](), list[datetime]()
        for record in records:
            try:
                at = self._time(record)
            except (ValueError, TypeError, OverflowError, OSError):
                expected = f"expected a time of the format {self._options.format}"
                rejects.append((record, f"{self._options.field} is {self._get(record)!r:.60}; {expected}"))
                continue
            kept.append(record)
            if at is not None:
                times.append(at)
        return kept, rejects, times

    def _note(self, times: list[datetime], place: str) -> None:
        self._check_filter(min(times), place)
        if self._options.sorted:
            self._check_order(times, place)
        self._latest = times[-1]
        newest: datetime | None = max(times)
        if newest and newest > self._until:
            newest = max((at for at in times if at <= self._until), default=None)
        if newest and (self._newest is None or newest > self._newest):
            self._newest = newest

    def _check_filter(self, oldest: datetime, place: str) -> None:
        if self._since is not None and self._least is not None and oldest < self._least:
            param = f"cursor.param ({self._options.param}), cursor.template and " if self._options.param else ""
            raise BadAnswer(
                f"{place} gave a record whose {self._options.field} is {write_time(oldest, 'iso')}, though only "
                f"those since {write_time(self._since, 'iso')} were asked for: the server left the filter out. "
                f"Check {param}cursor.field."
            )

    def _check_order(self, times: list[datetime], place: str) -> None:
        before = [self._latest] if self._latest else []
        if any(later < earlier for earlier, later in pairwise([*before, *times])):
            raise BadAnswer(
                f"{place} gave records that are not in the order of {self._options.field}, oldest first. "
                "Ask the server to sort by it, or set cursor.sorted = false."
            )
