"""How sources write times and dates, and how they are put out; in between, one form each, in UTC.

A time is kept as `YYYY-MM-DDTHH:MM:SS.ffffffZ`, a date as `YYYY-MM-DD`. A time without a zone is a wall clock's in the
column's zone. One that a change of clocks brings twice is taken for its first passage (fold 0), and one that it leaves
out is moved on by the gap: 02:30 becomes 03:30, as zoneinfo does. A date is the day in the column's zone. Fractions
beyond microseconds are cut, and a date alone is its midnight.
"""

import re
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_FLOOR
from functools import cache
from time import strptime
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, WithJsonSchema

from jobs.contract import Json
from jobs.numerals import decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMED = ("iso", "servicenow", "epoch", "epoch_ms")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)
_SERVICENOW = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?", re.ASCII)
_DIRECTIVE = re.compile("%.", re.DOTALL)
_FOUR_DIGITS = 1000  # the first year that has them
_TRIAL = datetime(2027, 11, 23, 21, 45, 56, tzinfo=UTC)
_zones = cache(available_timezones)  # reads a folder of some hundred files

Reader = Callable[[Json], Json]
"""Returns a time or date in the form that is kept; raises ValueError or OverflowError."""

Moments = Callable[[Json], datetime]


def _readable(pattern: str) -> str:
    if pattern in NAMED:
        return pattern
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, about patterns without a year: they are refused below
            told = datetime.strptime(_TRIAL.strftime(pattern), pattern)  # noqa: DTZ007 - only its day is looked at
    except ValueError as error:
        raise ValueError(_unknown(pattern, f"strptime: {error}")) from None
    if told.date() != _TRIAL.date():
        raise ValueError(_unknown(pattern, "it does not tell year, month and day"))
    return pattern


def _writable(pattern: str) -> str:
    if pattern not in NAMED and _TRIAL.strftime(pattern) == pattern:
        raise ValueError(_unknown(pattern, "nothing in it stands for a part of the time"))
    return pattern


def _unknown(pattern: str, why: str) -> str:
    return f"expected one of {', '.join(NAMED)}, or a pattern such as %d.%m.%Y %H:%M, found {pattern!r} ({why})"


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError(f"expected an IANA zone such as Europe/Berlin, found {name!r}")
    return name


Format = Annotated[str, AfterValidator(_readable), WithJsonSchema({"type": "string", "examples": [*NAMED, "%d.%m.%Y"]})]
Output = Annotated[str, AfterValidator(_writable), WithJsonSchema({"type": "string", "examples": [*NAMED, "%d.%m.%Y"]})]
ZoneName = Annotated[str, AfterValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]


def timestamps(pattern: str, zone: str) -> Reader:
    """Returns what reads times written in this format."""
    read = _moments(pattern, ZoneInfo(zone))

    def slow(value: Json) -> str:
        return f"{read(value).astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"

    if pattern == "servicenow" and zone == "UTC":
        return _quick_servicenow(slow)
    return _quick_iso(slow) if pattern == "iso" else slow


def dates(pattern: str, zone: str) -> Reader:
    """Returns what reads dates, and days of times, written in this format."""
    home, quick = ZoneInfo(zone), pattern in ("iso", "servicenow")
    read = _moments(pattern, home)

    def day(value: Json) -> str:
        if quick and _is_date(value):
            return str(value)
        return read(value).astimezone(home).date().isoformat()

    return day


def _is_date(value: Json) -> bool:
    """Tells whether a text has the form of a date in ISO 8601; raises ValueError where it is none all the same."""
    if type(value) is not str or len(value) != len("YYYY-MM-DD") or not value[4] == value[7] == "-":
        return False
    date.fromisoformat(value)
    return True


def whole_day(value: Json) -> str:
    """Returns a date from its text or from a time at midnight, which loses nothing; raises ValueError."""
    if _is_date(value):
        return str(value)
    if isinstance(value, str) and _ISO.fullmatch(value):
        moment = datetime.fromisoformat(value)
        if moment.time() == time():
            return moment.date().isoformat()
    raise ValueError("no whole day")


def _quick_iso(slow: Reader) -> Reader:
    def read(value: Json) -> Json:
        """Reads the two forms that nearly all times have without arithmetic."""
        if type(value) is str and value[-1:] == "Z" and value[10:11] == "T" and value[4] == value[7] == "-":
            datetime.fromisoformat(value)  # refuses what is no time
            if len(value) == len("YYYY-MM-DDTHH:MM:SSZ") and value[13] == value[16] == ":":
                return f"{value[:19]}.000000Z"
            if len(value) == len("YYYY-MM-DDTHH:MM:SS.ffffffZ") and value[13] == value[16] == ":":
                return f"{value[:19]}.{value[20:]}"
        return slow(value)

    return read


def _quick_servicenow(slow: Reader) -> Reader:
    def read(value: Json) -> Json:
        """Reads the one form that ServiceNow has, in UTC, without arithmetic."""
        if type(value) is str and _SERVICENOW.fullmatch(value) and value[10:]:
            datetime.fromisoformat(value)  # refuses what is no time
            return f"{value[:10]}T{value[11:]}.000000Z"
        return slow(value)

    return read


def _moments(pattern: str, zone: ZoneInfo) -> Moments:
    """Returns what reads aware times, in the zone where they tell none."""
    if pattern in ("epoch", "epoch_ms"):
        return _since_epoch(1_000_000 if pattern == "epoch" else 1_000)
    form = {"iso": _ISO, "servicenow": _SERVICENOW}.get(pattern)
    parse = _by_form(form) if form else _by_pattern(pattern)

    def read(value: Json) -> datetime:
        moment = parse(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)

    return read


def _by_form(form: re.Pattern[str]) -> Moments:
    def parse(value: Json) -> datetime:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ValueError("of another form")
        return datetime.fromisoformat(value)

    return parse


def _by_pattern(pattern: str) -> Moments:
    def parse(value: Json) -> datetime:
        if type(value) is int and value >= 0:  # 20260131
            value = str(value)
        if not isinstance(value, str):
            raise ValueError("no text")  # noqa: TRY004 - one error for all that does not fit
        moment = datetime.strptime(value, pattern)  # noqa: DTZ007 - the zone comes in afterwards
        return moment if moment.tzinfo or "%Z" not in pattern else _named(moment, value, pattern)

    return parse


def _named(moment: datetime, value: str, pattern: str) -> datetime:
    """Returns a time in the zone that its text names, which strptime reads and drops; raises ValueError but for UTC."""
    if strptime(value, pattern).tm_zone.lower() not in ("utc", "gmt"):
        raise ValueError("a zone that is another one elsewhere")
    return moment.replace(tzinfo=UTC)


def _since_epoch(units_us: int) -> Moments:
    def read(value: Json) -> datetime:
        if type(value) is int:
            return EPOCH + timedelta(microseconds=value * units_us)
        return EPOCH + timedelta(microseconds=int((decimal(value) * units_us).to_integral_value(ROUND_FLOOR)))

    return read


def moment_writer(output: str) -> Callable[[str], Json]:
    """Returns what puts out a kept time, in UTC; `epoch` and `epoch_ms` as whole numbers, rounded down."""
    if output == "iso":
        return str
    if output == "servicenow":
        return lambda kept: f"{kept[:10]} {kept[11:19]}"
    if output in ("epoch", "epoch_ms"):
        unit = timedelta(seconds=1) if output == "epoch" else timedelta(milliseconds=1)
        return lambda kept: (datetime.fromisoformat(kept) - EPOCH) // unit
    return lambda kept: written(datetime.fromisoformat(kept), output)


def date_writer(output: str) -> Callable[[str], Json]:
    """Returns what puts out a kept date; `epoch` and `epoch_ms` as its midnight in UTC."""
    if output in ("iso", "servicenow"):
        return str
    write = moment_writer(output)
    if output in ("epoch", "epoch_ms"):
        return lambda kept: write(f"{kept}T00:00:00.000000Z")
    return lambda kept: written(date.fromisoformat(kept), output)


def written(day: date, pattern: str) -> str:
    """Returns a time or date by a pattern; a year has four digits, which the C library leaves out before 1000."""
    if day.year >= _FOUR_DIGITS:
        return day.strftime(pattern)
    parts = {"%Y": f"{day.year:04}", "%G": f"{day.isocalendar().year:04}", "%F": f"{day.year:04}-%m-%d"}
    return day.strftime(_DIRECTIVE.sub(lambda found: parts.get(found[0], found[0]), pattern))
