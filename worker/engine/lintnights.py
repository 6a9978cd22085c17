"""What a schedule does on the nights on which its zone's clocks change, where that is not once (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from worker.engine.changes import ClockChange, changes
from worker.engine.occurrences import Occurrences
from worker.engine.schedule import wall_clock
from worker.engine.shut import shut
from worker.engine.wallclock import WallClock
from worker.model.options import JobOptions
from worker.model.portions import holds

_INSTANT = timedelta(microseconds=1)
_HOURS_OF_A_DAY = 24
_NAMED = 3  # times that a message names


@dataclass(frozen=True)
class Odd:
    """One night on which a job runs twice or not at all at times of its schedule."""

    kind: Literal["left out", "twice"]
    key: str
    message: str
    at: datetime  # of the change, UTC


def odd_nights(
    policy: JobOptions, zone: ZoneInfo, name: str, due: Occurrences, span: tuple[datetime, datetime]
) -> Iterator[Odd]:
    """Yields the nights within a span of time on which a job does not run once for each time of its schedule."""
    clock = wall_clock(policy, zone, name)
    if clock is None or (_is_all_day(clock) and not policy.hours):
        return  # in real time, and no hour of the day means anything to it
    for change in changes(zone, *span):
        if times := _times(clock, policy, zone, change):
            judge = _left_out if change.leaves_out else _twice
            if odd := judge(policy, clock, due, change, times):
                yield odd


def _is_all_day(clock: WallClock) -> bool:
    return clock.rule.wild and len({at.hour for at in clock.rule.times}) == _HOURS_OF_A_DAY


def _times(clock: WallClock, policy: JobOptions, zone: ZoneInfo, change: ClockChange) -> list[datetime]:
    """Returns the local times of the schedule that the change leaves out or brings twice."""
    low, high = change.odd
    days = {low.date(), (high - _INSTANT).date()}
    times = sorted(at for day in days for at in clock.nominal(day) if low <= at < high)
    quiet = shut(policy.blackout, zone)
    return [
        at for at in times if not holds(quiet(at.date()), at) and (policy.hours is None or at.time() in policy.hours)
    ]


def _left_out(
    policy: JobOptions, clock: WallClock, due: Occurrences, change: ClockChange, times: list[datetime]
) -> Odd | None:
    end = f"{change.odd[1]:%H:%M}"
    if clock.rule.wild:
        why, key = f"the job does not run then, {_REAL_TIME}", "schedule"
    elif policy.dst == "skip":
        why, key = f'with dst = "skip" the job does not run; dst = "once" runs it at {end}', "dst"
    elif due.next_after(change.at - _INSTANT) != change.at:
        why, key = f'dst = "{policy.dst}" would run it at {end}, outside of {policy.hours}; widen hours', "hours"
    else:
        return None
    return Odd("left out", key, f"{_told(change)}, which leaves out {_named(times)}: {why}", change.at)


def _twice(
    policy: JobOptions, clock: WallClock, due: Occurrences, change: ClockChange, times: list[datetime]
) -> Odd | None:
    passages = [[(at - offset).replace(tzinfo=UTC) for offset in (change.before, change.after)] for at in times]
    both = [
        (at, first, second)
        for at, (first, second) in zip(times, passages, strict=True)
        if due.next_after(first - _INSTANT) == first and due.next_after(second - _INSTANT) == second
    ]
    if not both:
        return None
    _, first, second = both[0]
    remedy, key = _REAL_TIME, "schedule"
    if not clock.rule.wild:
        remedy, key = f'with dst = "{policy.dst}"; dst = "once" runs it at the first', "dst"
    why = f"the job runs at {first:%H:%M} and {second:%H:%M} UTC, {remedy}"
    return Odd("twice", key, f"{_told(change)}, which brings {_named([at for at, *_ in both])} twice: {why}", change.at)


_REAL_TIME = "since its minute or hour begins with a star; written out (0-59/10 for */10) it keeps to dst"


def _told(change: ClockChange) -> str:
    low, high = change.odd
    early, late = (low, high) if change.leaves_out else (high, low)
    return f"on {early:%Y-%m-%d} clocks go from {early:%H:%M} to {late:%H:%M} ({change.at:%Y-%m-%d %H:%M} UTC)"


def _named(times: list[datetime]) -> str:
    shown = ", ".join(f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}" for at in times[:_NAMED])
    return f"{shown} and {len(times) - _NAMED} more" if len(times) > _NAMED else shown
