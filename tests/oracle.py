"""What was due, worked out by hand: a second method that shares no line with `worker/engine` or `worker/model/cron.py`.

A day on which the zone's clock goes evenly is arithmetic. On a night of change each minute is walked, and read off the
zone's clock. Forms: cron of five fields (numbers, names, ranges, lists, steps), `every`, `once`, `at` with days of the
week, `monthly`; with `dst` and `hours`; times to the minute.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CRON_DAYS = ("sun", *_WEEK[:6])
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

Falls = Callable[[date], bool]
Schedule = str | Mapping[str, Any]
Span = tuple[datetime, datetime]


def due(schedule: Schedule, zone: str, span: Span, dst: str = "once", hours: str = "") -> list[datetime]:
    """Returns the instants after the span's beginning up to and with its end, in UTC, in order."""
    clock = ZoneInfo(zone)
    found = [at for at in sorted(set(_all(schedule, clock, span, dst))) if span[0] < at <= span[1]]
    return [at for at in found if _within(at.astimezone(clock), hours)] if hours else found


def _all(schedule: Schedule, zone: ZoneInfo, span: Span, dst: str) -> Iterator[datetime]:
    if isinstance(schedule, str):
        minutes, hours, *days = schedule.split()
        manner = "wild" if minutes[0] == "*" or hours[0] == "*" else dst
        times = [time(h, m) for h in _numbers(hours, 0, 23) for m in _numbers(minutes, 0, 59)]
        return _on_wall(times, _cron_falls(*days), zone, span, manner)
    if "every" in schedule:
        return _every(_seconds(schedule["every"]), _seconds(schedule.get("offset", "0s")), span)
    if "once" in schedule:
        return iter([schedule["once"].astimezone(UTC)])
    times = [time.fromisoformat(at) for at in _many(schedule["at"])]
    falls = _monthly(_many(schedule["monthly"])) if "monthly" in schedule else _weekly(_many(schedule.get("days", [])))
    return _on_wall(times, falls, zone, span, dst)


def _every(step_s: int, offset_s: int, span: Span) -> Iterator[datetime]:
    number = int((span[0] - _EPOCH).total_seconds()) // step_s - 1
    while (at := _EPOCH + timedelta(seconds=offset_s + number * step_s)) <= span[1]:
        yield at
        number += 1


def _on_wall(times: Sequence[time], falls: Falls, zone: ZoneInfo, span: Span, manner: str) -> Iterator[datetime]:
    day = span[0].astimezone(zone).date() - _DAY
    while day <= span[1].astimezone(zone).date() + _DAY:
        if falls(day):
            shown = _night_of_change(day, zone)
            for at in times:
                local = datetime.combine(day, at)
                yield from _walked(shown, local, manner) if shown else [local.replace(tzinfo=zone).astimezone(UTC)]
        day += _DAY


@lru_cache(maxsize=8192)  # the jobs of a zone ask for the same days
def _night_of_change(day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Returns what the zone's clock shows each minute of a day and around it; nothing on an even day."""
    start = datetime.combine(day, time(), UTC) - timedelta(hours=14)  # the earliest zone's midnight
    if len({(start + n * timedelta(hours=10)).astimezone(zone).utcoffset() for n in range(6)}) == 1:
        return []
    minutes = (start + n * _MINUTE for n in range(50 * 60))
    return [(at, at.astimezone(zone).replace(tzinfo=None)) for at in minutes]


def _walked(shown: Sequence[tuple[datetime, datetime]], local: datetime, manner: str) -> list[datetime]:
    """Returns the minutes at which the clock showed that time, as the job's manner takes them."""
    passages = [at for at, reading in shown if reading == local]
    if manner == "wild":
        return passages
    if passages:
        return passages if manner == "both" else passages[:1]
    if manner == "skip":
        return []
    leaps = [after for before, after in pairwise(shown) if before[1] < local < after[1]]
    return [leaps[0][0]] if leaps else []


def _cron_falls(days: str, months: str, weekdays: str) -> Falls:
    in_month = set(_numbers(days, 1, 31))
    months_due = set(_numbers(months, 1, 12, _MONTHS))
    in_week = {number % 7 for number in _numbers(weekdays, 0, 7, _CRON_DAYS)}
    starred = days[0] == "*" or weekdays[0] == "*"

    def falls(day: date) -> bool:
        fits = (day.day in in_month, day.isoweekday() % 7 in in_week)
        return day.month in months_due and (all(fits) if starred else any(fits))

    return falls


def _numbers(field: str, low: int, high: int, names: Sequence[str] = ()) -> list[int]:
    found: set[int] = set()
    for item in field.split(","):
        spread, _, step = item.partition("/")
        first, _, last = spread.partition("-")
        start = low if first == "*" else _number(first, low, names)
        stop = high if first == "*" else _number(last or first, low, names)
        found.update(range(start, stop + 1, int(step or 1)))
    return sorted(found)


def _number(text: str, low: int, names: Sequence[str]) -> int:
    return names.index(text) + low if text in names else int(text)


def _weekly(words: Sequence[str]) -> Falls:
    wanted: set[str] = set()
    for word in words or ["mon-sun"]:
        first, _, last = word.partition("-")
        wanted.update(_WEEK[_WEEK.index(first) : _WEEK.index(last or first) + 1])
    return lambda day: _WEEK[day.weekday()] in wanted


def _monthly(days: Sequence[int | str]) -> Falls:
    def falls(day: date) -> bool:
        last = (date(day.year + day.month // 12, day.month % 12 + 1, 1) - _DAY).day
        return day.day in {last if wanted == "last" else min(int(wanted), last) for wanted in days}

    return falls


def _within(local: datetime, hours: str) -> bool:
    first, end = hours.split("-")
    shown = f"{local:%H:%M:%S}"
    return first <= shown < end if first < end else shown >= first or shown < end


def _seconds(text: str) -> int:
    return int(text[:-1]) * _UNITS[text[-1]]


def _many(value: Any) -> list[Any]:  # noqa: ANN401  as written in TOML
    return list(value) if isinstance(value, list | tuple) else [value]
