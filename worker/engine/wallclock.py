"""Times of day in a zone, over its changes of clocks (pure).

A time that a change leaves out fires at the first instant after the gap; a time that it brings twice fires at
its first passage; so a daily job fires once a day. With the rule `skip` the former does not fire, with `both`
the latter fires twice. A `wild` rule runs in real time instead, as Debian's cron
runs a job whose minute or hour begins with a star: at every instant at which the zone's clock shows one of
its times.

cronsim says which dates and times a cron means; the walk from one instant to the next is ours, because
cronsim's own goes astray where clocks change by half an hour or at midnight (Lord Howe, Beirut, Havana), and
looks back in time when it is asked from the second passage of an hour.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from worker.model.schedules import Dst

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_HORIZON_DAYS = 41 * 366  # 29 February on one given weekday: at most 40 years apart, over 2100


@dataclass(frozen=True)
class Rule:
    """Times of day, and the dates on which they hold."""

    times: tuple[time, ...]
    falls: Callable[[date], bool]
    wild: bool = False
    dst: Dst = "once"


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Returns the instant at which a date begins on the zone's clock, the first one of two."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


@lru_cache(maxsize=8192)
def is_plain(day: date, zone: ZoneInfo) -> bool:
    """Tells whether the zone's clock runs through that date without a change."""
    before, after = datetime.combine(day, time(), zone), datetime.combine(day + _DAY, time(fold=1), zone)
    return before.utcoffset() == after.utcoffset()


class WallClock:
    """Finds the instants of a rule in a zone; safe to share between threads."""

    def __init__(self, rule: Rule, zone: ZoneInfo) -> None:
        self.rule = rule
        self._zone = zone
        self._past_midnight = {timedelta(hours=at.hour, minutes=at.minute, seconds=at.second) for at in rule.times}
        self._on = lru_cache(maxsize=8)(self._compute)  # a busy cron asks for the same date all day
        self.next_after = lru_cache(maxsize=64)(self._search)  # jobs that share a schedule ask alike

    def nominal(self, day: date) -> list[datetime]:
        """Returns the rule's times of a date, as a clock that never changes would show them."""
        return [datetime.combine(day, at) for at in self.rule.times] if self.rule.falls(day) else []

    def _search(self, moment: datetime) -> datetime | None:
        """Returns the first instant strictly after `moment`, in UTC; None if 41 years bring none."""
        # Clocks that change at midnight let a date reach into its neighbours: begin one early, look one ahead
        yesterday = moment.astimezone(self._zone).date() - _DAY
        for day in (yesterday + n * _DAY for n in range(_HORIZON_DAYS)):
            if later := self._later(day, moment):
                return min(later, self._later(day + _DAY, moment) or later)
        return None

    def last_until(self, moment: datetime) -> datetime | None:
        """Returns the last instant up to and with `moment`, in UTC; None if the 41 years before bring none."""
        tomorrow = moment.astimezone(self._zone).date() + _DAY
        for day in (tomorrow - n * _DAY for n in range(_HORIZON_DAYS)):
            if earlier := self._earlier(day, moment):
                return max(earlier, self._earlier(day - _DAY, moment) or earlier)
        return None

    def count(self, since: datetime, until: datetime) -> int:
        """Returns how many instants lie after `since` up to and with `until`; whole plain days are not walked."""
        first, last = (moment.astimezone(self._zone).date() for moment in (since, until))
        whole, others = 0, set[datetime]()  # one set: a gap at midnight lets two dates fire at one instant
        for day in (first + n * _DAY for n in range(-1, (last - first).days + 2)):
            if first + _DAY < day < last - _DAY and self._is_far_from_changes(day):
                whole += len(self._past_midnight) if self.rule.falls(day) else 0
            else:
                others.update(at for at in self._on(day) if since < at <= until)
        return whole + len(others)

    def _is_far_from_changes(self, day: date) -> bool:
        return all(is_plain(near, self._zone) for near in (day - _DAY, day, day + _DAY))

    def _earlier(self, day: date, moment: datetime) -> datetime | None:
        instants = self._on(day)
        place = bisect_right(instants, moment)
        return instants[place - 1] if place else None

    def _later(self, day: date, moment: datetime) -> datetime | None:
        instants = self._on(day)
        place = bisect_right(instants, moment)
        return instants[place] if place < len(instants) else None

    def _compute(self, day: date) -> tuple[datetime, ...]:
        """Returns the rule's instants of one date, in order."""
        if not self.rule.falls(day):
            return ()
        if is_plain(day, self._zone):
            start = midnight(day, self._zone)
            return tuple(sorted(start + past for past in self._past_midnight))
        passages = _passages if self.rule.wild else _MANNERS[self.rule.dst]
        local = [datetime.combine(day, at, self._zone) for at in self.rule.times]
        return tuple(sorted({instant for at in local for instant in passages(at)}))


def _passages(local: datetime) -> list[datetime]:
    """Returns the instants at which the zone's clock shows that time: none in a gap, two in a fold."""
    shown = local.replace(tzinfo=None)
    instants = {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in instants if at.astimezone(local.tzinfo).replace(tzinfo=None) == shown)


def _first_passage(local: datetime) -> list[datetime]:
    return _passages(local)[:1] or [_end_of_gap(local)]


def _passages_or_end_of_gap(local: datetime) -> list[datetime]:
    return _passages(local) or [_end_of_gap(local)]


def _first_of_passages(local: datetime) -> list[datetime]:
    return _passages(local)[:1]


_MANNERS: dict[Dst, Callable[[datetime], list[datetime]]] = {
    "once": _first_passage,
    "skip": _first_of_passages,
    "both": _passages_or_end_of_gap,
}


def _end_of_gap(local: datetime) -> datetime:
    """Returns the first instant after the gap in which the time lies, to the second."""
    before, after = (local.replace(fold=fold).astimezone(UTC) for fold in (1, 0))  # PEP 495: swapped in a gap
    offset = after.astimezone(local.tzinfo).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        if middle.astimezone(local.tzinfo).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
