"""Cron strings with the meaning of cron(5), read by cronsim after what it does not know is written out.

Beyond cron(5): ranges may wrap (`22-2`, `sat-mon`); `H`, `H/15` and `H(0-29)` stand for a value that is
stable for a job's name; `L` and `LW` are a month's last day and last working day, `fri#2` and `friL` its
second and last Friday.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b

from cronsim import CronSim, CronSimError

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ITEM = re.compile(
    r"(?:(?P<star>\*)|(?P<spread>h)(?:\((?P<low>\d+)-(?P<high>\d+)\))?|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?",
    re.ASCII | re.IGNORECASE,
)
_NTH_DAY = re.compile(r"(\w+?)(#[1-5]|l)", re.ASCII | re.IGNORECASE)
_CALENDAR_REPEATS = timedelta(days=28 * 365 + 7)  # every date falls on every weekday in that time
_ANY_DAY = datetime(2024, 1, 1)  # noqa: DTZ001  cronsim is asked about dates only; a zone would switch on its own DST rule
_NEVER = "{!r} never fires: no date has that day, month and weekday"


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    spread_high: int | None = None  # H stays below it, so that it fires in each month and week alike

    def value(self, text: str) -> int:
        """Returns the number a person wrote as digits or as a name; raises ValueError."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        if text.isascii() and text.isdigit() and self.low <= int(text) <= self.high:
            return int(text)
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        raise ValueError(f"{self.name}: expected {self.low} to {self.high}{named}, found {text!r}")


_DAY_OF_MONTH = _Field("day of month", 1, 31, spread_high=28)
_DAY_OF_WEEK = _Field("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"), spread_high=6)
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _DAY_OF_MONTH,
    _Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    _DAY_OF_WEEK,
)


@dataclass(frozen=True)
class CronRule:
    """A cron string, understood for one job.

    `wild` is true where the minute or the hour begins with a star: over a change of clocks such a job runs in
    real time, as in Debian's cron, and not by its times of day.
    """

    fields: str  # names, H and wrapped ranges written out
    times: tuple[time, ...]
    wild: bool
    _days: CronSim

    def on(self, day: date) -> bool:
        """Tells whether the rule fires on that date: day or weekday; day and weekday if one is a star."""
        return day.month in self._days.months and self._days.match_day(day)

    def describe(self) -> str:
        """Returns the rule in words."""
        words = str(self._days.explain())
        return words[0].lower() + words[1:]


def read_cron(text: str, name: str = "") -> CronRule:
    """Returns the rule of a cron string for the job `name`; raises ValueError that names the field."""
    rule = _rule(" ".join(_written_out(text, name)))
    if rule is None:
        raise ValueError(_NEVER.format(text))
    return rule


@lru_cache(maxsize=4096)
def _rule(fields: str) -> CronRule | None:
    """Returns the rule, one for all jobs that have it; None for one that never fires."""
    try:
        sim = CronSim(fields, _ANY_DAY)
    except CronSimError:  # each field is good by now: it found no month with that day
        return None
    minute, hour, *_ = fields.split()
    times = tuple(time(h, m) for h in sorted(sim.hours) for m in sorted(sim.minutes))
    rule = CronRule(fields, times, minute.startswith("*") or hour.startswith("*"), sim)
    return rule if _fires(rule) else None


def _fires(rule: CronRule) -> bool:
    first = _ANY_DAY.date()
    return any(rule.on(first + timedelta(days=n)) for n in range(_CALENDAR_REPEATS.days))


def _written_out(text: str, name: str) -> list[str]:
    found = text.split()
    if len(found) == 1 and found[0].startswith("@"):
        nickname = _NICKNAMES.get(found[0].lower())
        if nickname is None:
            raise ValueError(f"expected one of {', '.join(_NICKNAMES)}, found {text!r}")
        found = nickname.split()
    if len(found) != len(_FIELDS):
        raise ValueError(
            "expected a cron string of five fields (minute, hour, day of month, month, day of week), "
            f'found {text!r}; seconds are written {{ every = "10s" }}'
        )
    return [
        ",".join(_item(field, item, name) for item in part.split(","))
        for field, part in zip(_FIELDS, found, strict=True)
    ]


def _item(field: _Field, item: str, name: str) -> str:
    if field is _DAY_OF_MONTH and item.upper() in ("L", "LW"):
        return item.upper()
    if field is _DAY_OF_WEEK and (nth := _NTH_DAY.fullmatch(item)):
        return f"{field.value(nth[1])}{nth[2].upper()}"
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(f"{field.name}: expected *, 5, 1-5, */15, 10-50/10, H or a list of these, found {item!r}")
    step = _step(field, match)
    if match["star"]:
        return item
    if match["spread"]:
        return _spread(field, match, step, name)
    return _range(field, match, step)


def _step(field: _Field, match: re.Match[str]) -> int:
    if match["step"] is None:
        return 1
    if match["first"] and not match["last"]:
        raise ValueError(
            f"{field.name}: a step needs a range, found {match[0]!r}; write {match['first']}-{field.high}/N"
        )
    step = int(match["step"])
    if not 1 <= step <= field.high:
        raise ValueError(f"{field.name}: expected a step of 1 to {field.high}, found {match[0]!r}")
    return step


def _spread(field: _Field, match: re.Match[str], step: int, name: str) -> str:
    low = field.value(match["low"]) if match["low"] else field.low
    high = field.value(match["high"]) if match["high"] else field.spread_high or field.high
    if low > high:
        raise ValueError(f"{field.name}: expected a range that grows, found {match[0]!r}")
    number = int.from_bytes(blake2b(f"{field.name} {name}".encode(), digest_size=8).digest())
    if match["step"] is None:
        return str(low + number % (high - low + 1))
    start = low + number % min(step, high - low + 1)
    return ",".join(str(value) for value in range(start, high + 1, step))


def _range(field: _Field, match: re.Match[str], step: int) -> str:
    first = field.value(match["first"])
    if match["last"] is None:
        return str(first)
    last = field.value(match["last"])
    if first <= last:
        return f"{first}-{last}" if step == 1 else f"{first}-{last}/{step}"
    return ",".join(str(value) for value in _wrapped(field, first, last)[::step])


def _wrapped(field: _Field, first: int, last: int) -> list[int]:
    if field is _DAY_OF_WEEK:  # 7 and 0 are one day
        return [*range(first, 7), *range(last + 1)]
    return [*range(first, field.high + 1), *range(field.low, last + 1)]
