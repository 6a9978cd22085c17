"""Times at which a job is not to run, and days that are no business days: what may be written for them.

    "2026-12-24", "2026-12-24..2026-12-26"             dates, the last one included
    "12-24..12-26"                                     each year
    "2026-12-24 22:00..2026-12-25 06:00"               one span
    "sat 22:00 - mon 04:00"                            each week
    "22:00-23:30", "sun", "last fri 18:00-24:00"       hours of each day, whole days, hours of some days
    { ics = "holidays.ics" }                           the events of a calendar

All are times on the wall of the job's zone, and an end is not included but where it is a date.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, RootModel, field_validator

from worker.model.calendars import CalendarFile
from worker.model.days import BUSINESS, DayRule, falls_on, is_weekday, read_days, weekday_of
from worker.model.hours import DayHours, read_hours
from worker.model.portions import Portions, clipped, joined, whole

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_LEAP_YEAR = 2024  # for 02-29
_DATE, _TIME, _WEEKDAY = r"\d{4}-\d\d-\d\d", r"\d\d:\d\d", "mon|tue|wed|thu|fri|sat|sun"
_DATES = re.compile(rf"({_DATE})(?: ?\.\. ?({_DATE}))?", re.ASCII)
_YEARLY = re.compile(r"(\d\d-\d\d)(?: ?\.\. ?(\d\d-\d\d))?", re.ASCII)
_SPAN = re.compile(rf"({_DATE})[ t]({_TIME}) ?\.\. ?({_DATE})[ t]({_TIME})", re.ASCII)
_WEEKLY = re.compile(rf"({_WEEKDAY}) ({_TIME}) ?- ?({_WEEKDAY}) ({_TIME})", re.ASCII)
_HOURS = re.compile(rf"(?:(.+?) )?({_TIME}-{_TIME})", re.ASCII)
_EXPECTED = (
    'expected a blackout such as "2026-12-24..2026-12-26", "12-24..12-26", "sat 22:00 - mon 04:00", "22:00-23:30", '
    '"last fri" or { ics = "holidays.ics" }'
)


class Shut(Protocol):
    """What is shut of each date."""

    def of(self, day: date) -> Portions:
        """Returns what is shut of a date."""


@dataclass(frozen=True)
class Dates:
    """Whole days from one date to another, both included."""

    first: date
    last: date

    def of(self, day: date) -> Portions:
        """Returns the whole day or nothing."""
        return (whole(day),) if self.first <= day <= self.last else ()


@dataclass(frozen=True)
class Yearly:
    """Whole days of each year, from one month and day to another, both included; over New Year, too."""

    first: tuple[int, int]
    last: tuple[int, int]

    def of(self, day: date) -> Portions:
        """Returns the whole day or nothing."""
        after, before = (day.month, day.day) >= self.first, (day.month, day.day) <= self.last
        inside = (after and before) if self.first <= self.last else (after or before)
        return (whole(day),) if inside else ()


@dataclass(frozen=True)
class OneSpan:
    """From one local time to another."""

    start: datetime
    end: datetime

    def of(self, day: date) -> Portions:
        """Returns what of the span lies on that date."""
        return clipped(self.start, self.end, day)


@dataclass(frozen=True)
class Weekly:
    """A span of each week, from a time of a weekday on."""

    weekday: int
    start: time
    length: timedelta

    def of(self, day: date) -> Portions:
        """Returns what of the week's span, or of the one before, lies on that date."""
        begun = datetime.combine(day - (day.weekday() - self.weekday) % 7 * _DAY, self.start)
        return joined(part for start in (begun - _WEEK, begun) for part in clipped(start, start + self.length, day))


@dataclass(frozen=True)
class OnDays:
    """Hours of some days; hours over midnight reach into the day that follows."""

    rules: frozenset[DayRule]
    hours: DayHours | None

    def of(self, day: date) -> Portions:
        """Returns the hours of that date, those that began on the day before included."""
        if self.hours is None:
            return (whole(day),) if self._falls(day) else ()
        spans = (self.hours.span(on) for on in (day - _DAY, day) if self._falls(on))
        return joined(part for start, end in spans for part in clipped(start, end, day))

    def _falls(self, day: date) -> bool:
        return falls_on(day, self.rules, is_weekday)


@lru_cache(maxsize=4096)
def read_blackout(words: str) -> Shut:
    """Returns what the words shut; raises ValueError that shows what may be written."""
    text = " ".join(words.lower().split())
    try:
        return _dated(text) or _by_the_week(text)
    except ValueError as error:
        raise ValueError(f"{_EXPECTED}; found {words!r}: {error}") from None


def _dated(text: str) -> Shut | None:
    if match := _DATES.fullmatch(text):
        first = date.fromisoformat(match[1])
        return _in_order(Dates(first, date.fromisoformat(match[2] or match[1])))
    if match := _YEARLY.fullmatch(text):
        return Yearly(_month_and_day(match[1]), _month_and_day(match[2] or match[1]))
    if match := _SPAN.fullmatch(text):
        return _in_order_in_time(OneSpan(_local(match[1], match[2]), _local(match[3], match[4])))
    return None


def _by_the_week(text: str) -> Shut:
    if match := _WEEKLY.fullmatch(text):
        start, end = (
            timedelta(days=weekday_of(match[n])) + (_local("2024-01-01", match[n + 1]) - _local("2024-01-01", "00:00"))
            for n in (1, 3)
        )
        length = (end - start) % _WEEK
        if not length:
            raise ValueError("it ends where it begins")
        return Weekly(weekday_of(match[1]), time.fromisoformat(match[2]), length)
    match = _HOURS.fullmatch(text)
    days = read_days((match[1] or "mon-sun") if match else text)
    if any(kind == BUSINESS for kind, _ in days):
        raise ValueError("a blackout knows no business days")
    return OnDays(days, read_hours(match[2]) if match else None)


def _in_order(dates: Dates) -> Dates:
    if dates.last < dates.first:
        raise ValueError("the last date lies before the first")
    return dates


def _in_order_in_time(span: OneSpan) -> OneSpan:
    if span.end <= span.start:
        raise ValueError("it ends before it begins")
    return span


def _month_and_day(text: str) -> tuple[int, int]:
    found = date.fromisoformat(f"{_LEAP_YEAR}-{text}")
    return found.month, found.day


def _local(day: str, at: str) -> datetime:
    """Returns a local time; 24:00 is the end of the day."""
    if at == "24:00":
        return datetime.combine(date.fromisoformat(day), time()) + _DAY
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(at))


class BlackoutWords(RootModel[str]):
    """A blackout in words, in the job's zone."""

    model_config = ConfigDict(
        frozen=True, json_schema_extra={"examples": ["2026-12-24..2026-12-26", "sat 22:00 - mon 04:00"]}
    )

    @field_validator("root")
    @classmethod
    def _means_something(cls, words: str) -> str:
        read_blackout(words)
        return " ".join(words.split())

    def of(self, day: date, _zone: ZoneInfo) -> Portions:
        """Returns what is shut of a date."""
        return read_blackout(self.root).of(day)


class HolidayWords(BlackoutWords):
    """Holidays in words: whole days."""

    @field_validator("root")
    @classmethod
    def _means_whole_days(cls, words: str) -> str:
        found = read_blackout(words)
        if isinstance(found, Weekly | OneSpan) or (isinstance(found, OnDays) and found.hours):
            raise ValueError(f'expected whole days such as "2026-12-24..2026-12-26" or "12-25", found {words!r}')
        return words


class CalendarEvents(BaseModel):
    """What the events of an iCalendar file take of each day; cancelled ones take nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
    ics: CalendarFile

    def of(self, day: date, zone: ZoneInfo) -> Portions:
        """Returns what events take of a date in a zone."""
        return self.ics.of(day, zone)


def _read(value: object, words: type[BlackoutWords]) -> object:
    if isinstance(value, Mapping):
        return CalendarEvents.model_validate(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return words(value.isoformat())
    if isinstance(value, str):
        return words(value)
    if isinstance(value, BlackoutWords | CalendarEvents):
        return value
    raise ValueError(f"{_EXPECTED}; found {value!r}")


Blackout = Annotated[BlackoutWords | CalendarEvents, BeforeValidator(lambda value: _read(value, BlackoutWords))]
"""A time at which a job is not to run."""

Holiday = Annotated[HolidayWords | CalendarEvents, BeforeValidator(lambda value: _read(value, HolidayWords))]
"""Days that are no business days."""
