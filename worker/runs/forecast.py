"""What the schedules will bring in a span of time, drawn into columns (pure).

Bounded: a job's fires are walked one by one up to a number, and so are those of all; beyond, they are only counted,
column by column, and beyond that not looked at. What was not looked at is told, never guessed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from worker.config.configuration import JobDefinition
from worker.engine.schedule import Occurrences, of_job
from worker.engine.shut import in_blackout, outside
from worker.model.schedules import After

_OF_ONE = 3_000  # fires of one job that are walked
_OF_ALL = 300_000
_UNKNOWN_S = 1.0
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Frame:
    """A span of time, cut into columns of equal length."""

    start: datetime
    step: timedelta
    columns: int

    @property
    def end(self) -> datetime:
        """The instant that is no longer in it."""
        return self.start + self.step * self.columns

    def edge(self, column: int) -> datetime:
        """Returns the first instant of a column."""
        return self.start + self.step * column

    def column(self, at: datetime) -> int:
        """Returns the column of an instant, also of one outside."""
        return (at - self.start) // self.step


@dataclass(frozen=True)
class Prospect:
    """What is known of a job beside its configuration."""

    takes_s: float | None = None  # a run, by the last successes
    idle: str = ""  # why it will not run: paused, quarantined, its account is blocked

    @property
    def length(self) -> timedelta:
        """How long a run is taken to last; a second where nobody knows."""
        return timedelta(seconds=self.takes_s if self.takes_s is not None else _UNKNOWN_S)


@dataclass(frozen=True)
class Lane:
    """One job's coming fires; of one that follows another, those expected to follow that one's."""

    job: JobDefinition
    counts: tuple[int, ...]  # fires per column, as far as `counted` reaches
    fires: tuple[datetime, ...] = ()  # each of them, or the first ones
    counted: bool = True
    prospect: Prospect = Prospect()
    depth: int = 0  # how many jobs it follows, one after the other
    closed: frozenset[int] = frozenset()  # columns in which its hours or a blackout keep it

    @property
    def name(self) -> str:
        """The job's name."""
        return self.job.name

    @property
    def total(self) -> int:
        """Fires in the frame."""
        return sum(self.counts)

    @property
    def whole(self) -> bool:
        """True where `fires` holds each fire."""
        return self.counted and len(self.fires) == self.total

    @property
    def idle(self) -> str:
        """Why it will not run; empty where it will."""
        return self.prospect.idle if self.job.policy.enabled else "disabled"

    @property
    def shortest_s(self) -> float | None:
        """Seconds between the two of its fires that lie closest."""
        gaps = (later - earlier for earlier, later in pairwise(self.fires))
        return min((gap.total_seconds() for gap in gaps), default=None)

    def runs(self) -> Iterator[tuple[datetime, datetime]]:
        """Yields when each run is expected to begin and end; one does not begin before another of its job ended."""
        length = self.prospect.length
        until: datetime | None = None
        for fire in self.fires:
            if until is None or fire >= until:
                until = fire + length
                yield fire, until


@dataclass
class _Budget:
    left: int = _OF_ALL

    def spend(self, wanted: int) -> bool:
        """Takes from what may be walked; False where it does not reach."""
        if wanted > min(self.left, _OF_ONE):
            return False
        self.left -= wanted
        return True


@dataclass
class _Counter:
    """Counts fires, once for all jobs that share a schedule."""

    frame: Frame
    budget: _Budget = field(default_factory=_Budget)
    known: dict[Occurrences, tuple[tuple[int, ...], tuple[datetime, ...], bool]] = field(default_factory=dict)

    def of(self, due: Occurrences) -> tuple[tuple[int, ...], tuple[datetime, ...], bool]:
        """Returns the fires per column, the fires, and whether they were counted."""
        if due not in self.known:
            self.known[due] = self._count(due)
        return self.known[due]

    def _count(self, due: Occurrences) -> tuple[tuple[int, ...], tuple[datetime, ...], bool]:
        frame = self.frame
        since, until = frame.start - _INSTANT, frame.end - _INSTANT
        if self.budget.left <= 0:
            return (0,) * frame.columns, (), False
        fires = tuple(due.between(since, until, _OF_ONE + 1))
        if self.budget.spend(len(fires)):
            return columns_of(frame, fires), fires, True
        self.budget.left -= _OF_ONE
        edges = [frame.edge(column) - _INSTANT for column in range(frame.columns + 1)]
        spans = [due.span(*pair) for pair in pairwise(edges)]
        return tuple(span.count if span else 0 for span in spans), fires[:_OF_ONE], True


def columns_of(frame: Frame, fires: tuple[datetime, ...]) -> tuple[int, ...]:
    """Returns how many of the instants lie in each column."""
    found = Counter(frame.column(fire) for fire in fires)
    return tuple(found[column] for column in range(frame.columns))


def forecast(
    jobs: Mapping[str, JobDefinition], zone: ZoneInfo, frame: Frame, prospects: Mapping[str, Prospect]
) -> list[Lane]:
    """Returns a lane for each job: those of the clock in order of their first fire, each with its followers below.

    Then the jobs that only start by hand, then those that will not run.
    """
    counter = _Counter(frame)
    lanes = {name: _lane(job, zone, counter, prospects.get(name, Prospect())) for name, job in jobs.items()}
    followers: dict[str, list[str]] = {}
    for name, job in sorted(jobs.items()):
        if isinstance(job.policy.schedule, After):
            parent = next((one for one in job.policy.schedule.after if one in jobs), None)
            if parent is not None:
                followers.setdefault(parent, []).append(name)
    follows = {name for names in followers.values() for name in names}
    roots = sorted((lane for name, lane in lanes.items() if name not in follows), key=lambda lane: _rank(lane, frame))
    return [lane for root in roots for lane in _family(root, lanes, followers, frame)]


def _lane(job: JobDefinition, zone: ZoneInfo, counter: _Counter, prospect: Prospect) -> Lane:
    frame = counter.frame
    due = of_job(job.policy, zone, job.name)
    if due is None:
        return Lane(job, (0,) * frame.columns, prospect=prospect)
    counts, fires, counted = counter.of(outside(due, job.policy))
    return Lane(job, counts, fires, counted, prospect, closed=_closed(job, zone, frame))


def _closed(job: JobDefinition, zone: ZoneInfo, frame: Frame) -> frozenset[int]:
    hours, own = job.policy.hours, job.policy.timezone or zone
    if hours is None and not job.policy.blackout:
        return frozenset()
    parts = [frame.step * number // 4 for number in range(4)]

    def is_open(moment: datetime) -> bool:
        return (hours is None or moment.astimezone(own).time() in hours) and not in_blackout(job.policy, moment)

    columns = range(frame.columns)
    return frozenset(column for column in columns if not any(is_open(frame.edge(column) + part) for part in parts))


def _rank(lane: Lane, frame: Frame) -> tuple[bool, bool, datetime, str]:
    first = lane.fires[0] if lane.fires else frame.end
    return bool(lane.idle), not lane.total and lane.counted, first, lane.name


def _family(lane: Lane, lanes: Mapping[str, Lane], followers: Mapping[str, list[str]], frame: Frame) -> Iterator[Lane]:
    """Yields a lane, and below it those that follow; a job's configuration keeps them from following in a circle."""
    yield lane
    for name in followers.get(lane.name, ()):
        later = lane.prospect.length + _delay(lanes[name].job)
        fires = () if lane.idle else tuple(fire + later for fire in lane.fires)
        own = replace(
            lanes[name], fires=fires, counts=columns_of(frame, fires), counted=lane.whole, depth=lane.depth + 1
        )
        yield from _family(own, lanes, followers, frame)


def _delay(job: JobDefinition) -> timedelta:
    schedule = job.policy.schedule
    return timedelta(seconds=schedule.delay if isinstance(schedule, After) else 0.0)
