"""Where the coming runs get into each other's way (pure)."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from worker.runs.forecast import Frame, Lane


class Kind(StrEnum):
    """What collides."""

    ITSELF = "itself"  # a run takes longer than the time to the job's next fire
    MUTEX = "mutex"  # jobs that exclude each other are due at the same time
    STAMPEDE = "stampede"  # more jobs fall due in one instant than may run at once


@dataclass(frozen=True)
class Collision:
    """One thing to know before it happens."""

    kind: Kind
    jobs: tuple[str, ...]
    at: datetime
    what: str  # a sentence


@dataclass(frozen=True)
class ChangeOfClocks:
    """A night on which a zone's clock is set."""

    zone: str
    at: datetime
    before: datetime  # what the clock shows until then
    after: datetime
    jobs: int  # with schedules in that zone


def collisions(lanes: Sequence[Lane], concurrency: int) -> list[Collision]:
    """Returns what collides in the frame; what will not run collides with nothing."""
    going = [lane for lane in lanes if not lane.idle]
    return [*_with_itself(going), *_in_a_mutex(going), *_stampedes(going, concurrency)]


def at_once(lanes: Sequence[Lane], frame: Frame) -> tuple[int, ...]:
    """Returns for each column how many runs are expected at the same time, at the most."""
    going = [lane for lane in lanes if not lane.idle]
    alike = Counter((id(lane.fires), lane.prospect.length) for lane in going)  # jobs that share a schedule
    one_of = {(id(lane.fires), lane.prospect.length): lane for lane in going}
    changes = sorted(
        change
        for key, count in alike.items()
        for start, end in one_of[key].runs()
        for change in ((start, count), (end, -count))
    )
    most, running, column = [0] * frame.columns, 0, 0
    for at, step in changes:  # of one instant the ends first
        here = min(frame.column(at), frame.columns)
        for passed in range(column, here):
            most[passed] = max(most[passed], running)
        column, running = here, running + step
        if column < frame.columns:
            most[column] = max(most[column], running)
    beyond = Counter(column for lane in going if lane.fires and not lane.whole for column in _beyond(lane, frame))
    return tuple(count + beyond[column] for column, count in enumerate(most))


def _beyond(lane: Lane, frame: Frame) -> list[int]:
    """Returns the columns with fires of a lane that were only counted: one run at a time is expected of it there."""
    first = frame.column(lane.fires[-1]) + 1
    return [column for column in range(first, frame.columns) if lane.counts[column]]


def changes_of_clocks(lanes: Sequence[Lane], zone: ZoneInfo, frame: Frame) -> list[ChangeOfClocks]:
    """Returns the changes of clocks in the frame, of every zone in which a job has its schedule."""
    zones = Counter((lane.job.policy.timezone or zone).key for lane in lanes)
    return sorted(
        (_change(key, count, at) for key, count in zones.items() for at in _instants(ZoneInfo(key), frame)),
        key=lambda change: (change.at, change.zone),
    )


def _with_itself(lanes: Sequence[Lane]) -> Iterator[Collision]:
    for lane in lanes:
        takes_s = lane.prospect.takes_s
        shortest_s = lane.shortest_s if takes_s is not None else None
        if takes_s is not None and shortest_s is not None and takes_s > shortest_s:
            fate = "is skipped" if lane.job.policy.overlap == "skip" else "waits, and falls further behind"
            what = f"a run takes {_s(takes_s)} and the next is due after {_s(shortest_s)}: that one {fate}"
            yield Collision(Kind.ITSELF, (lane.name,), lane.fires[0], what)


def _in_a_mutex(lanes: Sequence[Lane]) -> Iterator[Collision]:
    sharing: dict[str, list[Lane]] = defaultdict(list)
    for lane in lanes:
        name = lane.job.policy.mutex
        if name:
            sharing[name].append(lane)
    for name, several in sorted(sharing.items()):
        spans = sorted((start, end, lane.name) for lane in several for start, end in lane.runs())
        met = [(one, other) for one, other in pairwise(spans) if other[0] <= one[1] and one[2] != other[2]]
        if met:
            at = met[0][1][0]
            jobs = sorted({span[2] for pair in met for span in pair})
            what = f"they share the mutex {name} and wait for each other {len(met):,} times"
            yield Collision(Kind.MUTEX, tuple(jobs), at, what)


def _stampedes(lanes: Sequence[Lane], concurrency: int) -> Iterator[Collision]:
    """Yields the largest; followers are due when a run ends, not in one instant."""
    clocked = [lane for lane in lanes if not lane.depth]
    alike = Counter(id(lane.fires) for lane in clocked)  # jobs that share a schedule
    due: Counter[datetime] = Counter()
    for key, fires in {id(lane.fires): lane.fires for lane in clocked}.items():
        due.update(dict.fromkeys(fires, alike[key]))
    large = sorted((-count, at) for at, count in due.items() if count > concurrency)
    if large:
        count, at = -large[0][0], large[0][1]
        names = [lane.name for lane in clocked if _holds(lane.fires, at)]
        more = f"; so it is in {len(large) - 1:,} other instants" if len(large) > 1 else ""
        what = f"{count:,} jobs are due in one instant, and {concurrency} may run at once{more}"
        yield Collision(Kind.STAMPEDE, tuple(sorted(names)), at, what)


def _holds(fires: Sequence[datetime], at: datetime) -> bool:
    place = bisect_left(fires, at)
    return place < len(fires) and fires[place] == at


def _instants(zone: ZoneInfo, frame: Frame) -> Iterator[datetime]:
    """Yields when the zone's offset changes, to the second."""
    day, at = timedelta(days=1), frame.start
    while at < frame.end:
        later = min(at + day, frame.end)
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            yield _between(zone, at, later)
        at = later


def _between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _change(key: str, jobs: int, at: datetime) -> ChangeOfClocks:
    shown = at.astimezone(ZoneInfo(key))
    before = (at - timedelta(seconds=1)).astimezone(ZoneInfo(key)) + timedelta(seconds=1)
    return ChangeOfClocks(key, at, before, shown, jobs)


def _s(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004  two minutes
