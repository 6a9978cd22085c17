"""Calendars in the iCalendar format (RFC 5545): what their events take of each day.

icalendar reads the file, recurring-ical-events finds the instances of what repeats.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema

from worker.model.moments import utc_now
from worker.model.portions import Portion, Portions, clipped, joined

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_LARGEST = 8 * 1024 * 1024  # bytes
_TOO_OFTEN = ("SECONDLY", "MINUTELY")  # a year of them would not fit into memory
_lock = Lock()  # the library does not say that threads may share a calendar


@dataclass(frozen=True)
class Calendar:
    """The events of one file as it was when it was read."""

    path: Path
    digest: str  # SHA-256 of the file, hexadecimal
    instances: Any = field(repr=False, compare=False)  # recurring_ical_events.CalendarQuery

    def of(self, day: date, zone: ZoneInfo) -> Portions:
        """Returns what events take of a date in a zone."""
        return _year(self, day.year, zone).get(day, ())


@lru_cache(maxsize=256)
def _year(calendar: Calendar, year: int, zone: ZoneInfo) -> dict[date, Portions]:
    found: defaultdict[date, list[Portion]] = defaultdict(list)
    first, end = date(year, 1, 1), date(year + 1, 1, 1)
    for start, stop in _spans(calendar, year, zone):
        day = max(start.date(), first)
        while day <= min(stop.date(), end - _DAY):
            found[day].extend(clipped(start, stop, day))
            day += _DAY
    return {day: joined(portions) for day, portions in found.items()}


def _spans(calendar: Calendar, year: int, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Yields the local begin and end of each event that touches a year."""
    with _lock:
        events = calendar.instances.between((year - 1, 12, 30), (year + 1, 1, 3))
    for event in events:
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            yield from _shown(event.start, event.end, zone)


def _shown(start: date, end: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Yields the local times of an event: two spans where clocks change in it, which may show an hour twice."""
    if isinstance(start, datetime) and isinstance(end, datetime) and start.tzinfo and end.tzinfo:
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        offset = start.astimezone(zone).utcoffset()
        while start < end and end.astimezone(zone).utcoffset() != offset:
            change = _change(start, end, zone)
            yield _local(start, zone), _local(change - _SECOND, zone) + _SECOND
            start, offset = change, change.astimezone(zone).utcoffset()
    yield _local(start, zone), _local(end, zone)


def _change(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """Returns when the offset that a zone has at the start ends, to the second; at the end it has another."""
    offset, before, after = start.astimezone(zone).utcoffset(), 0, int((end - start).total_seconds()) + 1
    while after - before > 1:
        middle = (before + after) // 2
        if (start + middle * _SECOND).astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return start + after * _SECOND


def _local(moment: date, zone: ZoneInfo) -> datetime:
    """Returns what the zone's clock shows; a date begins at midnight and a time without a zone is that of any."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time())
    return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment


def read_calendar(value: object) -> object:
    """Returns the calendar in a file; raises ValueError that says what is wrong with it."""
    if isinstance(value, Calendar):
        return value
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError(f'expected the path of an iCalendar file such as "holidays.ics", found {value!r}')
    path = Path(value)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > _LARGEST:
        raise ValueError(f"expected a calendar of at most {_LARGEST // 1024**2} MB, found {path} to be larger")
    found = _calendar(path, content)
    if isinstance(found, str):
        raise ValueError(found)  # noqa: TRY004  what is wrong, kept as a text
    return found


@lru_cache(maxsize=64)  # ten thousand jobs may name one file
def _calendar(path: Path, content: bytes) -> Calendar | str:
    """Returns the calendar, or what is wrong with it."""
    try:
        calendar = Calendar(path, hashlib.sha256(content).hexdigest(), _parsed(path, content))
        _try(calendar)
    except ValueError as error:
        return str(error)
    return calendar


def _parsed(path: Path, content: bytes) -> Any:  # noqa: ANN401  the library has no types
    # Here: who has no calendar does not wait for what reads them
    import icalendar  # noqa: PLC0415
    import recurring_ical_events  # noqa: PLC0415

    try:
        calendar = icalendar.Calendar.from_ical(content)
        events = list(calendar.walk("VEVENT"))
        often = any(str(rule).upper() in _TOO_OFTEN for event in events for rule in _frequencies(event))
        query = recurring_ical_events.of(calendar)
    except Exception:  # noqa: BLE001  a broken file makes it raise whatever it likes, its text included
        raise ValueError(f"expected an iCalendar file, and {path} is none that can be read") from None
    if not events:
        raise ValueError(f"expected a calendar with events, and {path} has none")
    if often:
        raise ValueError(f"expected events that repeat each hour or more seldom, and {path} has others")
    return query


def _frequencies(event: Any) -> list[str]:  # noqa: ANN401  as above
    rules = event.get("RRULE", [])
    rules = rules if isinstance(rules, list) else [rules]
    return [frequency for rule in rules for frequency in rule.get("FREQ", [])]


def _try(calendar: Calendar) -> None:
    """Looks into two years, so that what the file hides is told now and not when a job is due."""
    year = utc_now().year
    try:
        for each in (year, year + 1):
            _year(calendar, each, ZoneInfo("UTC"))
    except Exception:  # noqa: BLE001  as above
        raise ValueError(f"an event of {calendar.path} has a rule or a time that cannot be understood") from None


CalendarFile = Annotated[
    Calendar, BeforeValidator(read_calendar), WithJsonSchema({"type": "string", "examples": ["holidays.ics"]})
]
"""An iCalendar file, relative to the file that names it."""
