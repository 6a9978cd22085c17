"""A simulated process from its start to its death, and the world it lives in."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush

from worker.engine.clock import Clock
from worker.engine.schedule import Occurrences, Span
from worker.model.errors import TimedOut
from worker.model.listening import Events
from worker.model.moments import new_id
from worker.model.records import Run, RunState
from worker.runs.book import Book
from worker.runs.dispatch import Dispatch
from worker.runs.ending import End, end_many
from worker.runs.outcome import judge
from worker.runs.pulse import Pulse
from worker.runs.starting import Start, Started, start_many
from worker.store import openruns
from worker.store.scratch import Inline
from worker.store.tallies import Tally

_ALL = 1_000_000


class SimulatedFailure(Exception):
    """What a run raises that is to fail."""


@dataclass(frozen=True)
class Circumstances:
    """What is made up."""

    takes_s: Callable[[str], float]  # a run of a job, about
    concurrency: int = 8
    failing: float = 0.0  # of all attempts
    uneven: float = 0.2  # a run takes so much more or less than usual
    downs: Sequence[tuple[datetime, datetime]] = ()  # the process dies at the first, and starts at the second
    seed: int = 0
    forgets: bool = True  # counts old rows and lets them go


@dataclass
class JobStory:
    """What became of one job."""

    ticks: int = 0
    runs: int = 0  # that were attempted
    attempts: int = 0
    longest_wait_s: float = 0.0  # from its tick to its first attempt
    states: Counter[str] = field(default_factory=Counter)  # of ticks and of runs without
    reasons: Counter[str] = field(default_factory=Counter)  # of those that never ran

    def add(self, tally: Tally) -> None:
        """Adds rows that ended alike."""
        count = max(tally.ticks, tally.runs)
        self.ticks += tally.ticks
        self.attempts += tally.attempts
        self.states[tally.state] += count
        if tally.state in (RunState.SKIPPED, RunState.MISSED):
            self.reasons[tally.reason or "unknown"] += count
        else:
            self.runs += tally.runs


@dataclass
class World:
    """The time that passes, the clock on the wall, an agenda, and what a process finds when it starts."""

    passed: datetime
    writer: Inline
    book: Book
    schedules: Mapping[str, Occurrences]
    circumstances: Circumstances
    shift: timedelta = timedelta()  # of the wall clock, against the time that passes
    stories: dict[str, JobStory] = field(default_factory=dict)
    most_at_once: int = 0
    troubles: list[str] = field(default_factory=list)  # what the clock could not hand over at once

    def __post_init__(self) -> None:
        """Seeds chance and opens the agenda."""
        self.chance = random.Random(self.circumstances.seed)  # noqa: S311  made-up fates are no secrets
        self.stories = {name: JobStory() for name in self.book.jobs}
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._entries = 0

    def now(self) -> datetime:
        """Returns what the wall clock shows."""
        return self.passed + self.shift

    def at(self, moment: datetime, act: Callable[[], None]) -> None:
        """Puts something on the agenda, by the time that passes."""
        self._entries += 1
        heappush(self._agenda, (moment, self._entries, act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Puts something on the agenda, so many seconds from now."""
        self.at(self.passed + timedelta(seconds=seconds), act)

    def upcoming(self) -> datetime | None:
        """Returns when something is on the agenda."""
        return self._agenda[0][0] if self._agenda else None

    def do(self) -> None:
        """Does what is on the agenda up to now."""
        while self._agenda and self._agenda[0][0] <= self.passed:
            heappop(self._agenda)[2]()

    def failed(self, what: str, error: Exception) -> None:
        """Notes what the clock could not do; it keeps the ticks."""
        self.troubles.append(f"{what}: {error}")


class Life:
    """A process from its start to its death, and what it holds in memory."""

    def __init__(self, world: World) -> None:
        self._world, self._writer = world, world.writer
        self._alive = True
        self._node = new_id()
        self._waiting: dict[int, int] = {}  # priority by run
        self._running: set[int] = set()
        self._ending: list[End] = []
        self._dispatch = _Dispatch(lambda: world.book, world.writer, self._submit, Events(), world.now, self._later)
        self._clock = Clock(self._dispatch.fire, self._make_up, world.failed, world.now)

    def begin(self) -> None:
        """Does what a daemon does before its clock runs: rescue, missed ticks, what waits in the queue."""
        world, now = self._world, self._world.now()
        pulse = Pulse(
            self._node, self._writer.database, self._writer, lambda: world.book, self._dispatch, world.now, dict
        )
        pulse.rescue(alone=True)
        self._dispatch.catch_up(world.schedules, now)
        for name, schedule in world.schedules.items():
            self._clock.set(name, schedule, now)
        self.look()

    def look(self) -> None:
        """Submits what waits in the queue and may start, as the inbox does; whoever was not told of it finds it so."""
        now = self._world.now()
        for waiting in self._writer.call(lambda connection: openruns.due(connection, now, limit=_ALL)):
            self._submit(waiting.id, waiting.priority)

    def die(self) -> None:
        """Ends at once, in the midst of its runs."""
        self._alive = False
        self._clock.stop()

    def last_words(self) -> int:
        """Takes every job off the clock, and does what `once` does with what was told before; returns how much."""
        for name in self._clock.names():
            self._clock.remove(name)
        self.look()
        return self.once() + len(self._waiting)

    def next_tick(self) -> datetime | None:
        """Returns when the first job is due next, by the wall clock."""
        return self._clock.next_tick()

    def once(self) -> int:
        """Ends what is over, tells what is due by the wall clock, starts what there is room for; returns how much."""
        ended = self._end_all()
        told = self._clock.once()
        self._take_up()
        return ended + told

    def _take_up(self) -> None:
        """Starts what waits, the highest first; what cannot start now is submitted again by whoever lets it go on."""
        while room := self._world.circumstances.concurrency - len(self._running):
            wanted = sorted(self._waiting, key=lambda one: (-self._waiting[one], one))[:room]
            if not wanted:
                return
            for run_id in wanted:
                del self._waiting[run_id]
            self._start_all(wanted)

    def _start_all(self, wanted: Sequence[int]) -> None:
        world, now = self._world, self._world.now()
        fresh = self._dispatch.fresh
        asked = [Start(world.book, run_id, self._node, now, fresh.take(run_id)) for run_id in wanted]
        for started in self._writer.call(lambda connection: start_many(connection, asked)):
            if started is not None:
                self._running.add(started.run.id)
                self._tell_wait(started.run, now)
                takes_s, error = self._fate(started)
                world.after(takes_s, partial(self._over, started, error))
        world.most_at_once = max(world.most_at_once, len(self._running))

    def _tell_wait(self, run: Run, now: datetime) -> None:
        if run.attempt == 1 and run.tick is not None:
            story = self._world.stories[run.job]
            story.longest_wait_s = max(story.longest_wait_s, (now - run.tick).total_seconds())

    def _fate(self, started: Started) -> tuple[float, Exception | None]:
        """Returns how long an attempt takes, in seconds, and what it raises then."""
        made_up, chance = self._world.circumstances, self._world.chance
        takes_s = made_up.takes_s(started.run.job) * chance.uniform(1 - made_up.uneven, 1 + made_up.uneven)
        takes_s = max(round(takes_s), 1)  # so that many end at one moment, and in one transaction
        timeout = started.definition.policy.timeout
        if takes_s > timeout:
            return timeout, TimedOut("the simulated run took longer than its timeout")
        fails = chance.random() < made_up.failing
        return takes_s, SimulatedFailure("as the simulation wants it") if fails else None

    def _over(self, started: Started, error: Exception | None) -> None:
        """Notes that an attempt is over; all that are so at one moment end in one transaction."""
        world = self._world
        outcome = judge(error, started.failures, started.definition.policy.retry, world.chance.random)
        self._ending.append(End(world.book, started.run, outcome, world.now()))

    def _end_all(self) -> int:
        asked, self._ending = self._ending, []
        if not asked:
            return 0
        for one, ended in zip(asked, self._writer.call(lambda connection: end_many(connection, asked)), strict=True):
            self._running.discard(one.run.id)
            self._dispatch.pass_on(ended)
            if one.outcome.wait_s is not None:
                self._again(one.run, one.outcome.wait_s)
        return len(asked)

    def _submit(self, run_id: int, priority: int) -> None:
        if run_id not in self._running:
            self._waiting[run_id] = priority

    def _later(self, run: Run) -> None:
        if run.not_before is not None:
            self._again(run, (run.not_before - self._world.now()).total_seconds())

    def _again(self, run: Run, wait_s: float) -> None:
        """Submits a run once its time has come, as the inbox does; by the wall clock, which may have been set since."""
        due = self._world.now() + timedelta(seconds=wait_s)

        def submit() -> None:
            left_s = (due - self._world.now()).total_seconds()
            if self._alive and left_s > 0:
                self._world.after(left_s, submit)
            elif self._alive:
                self._submit(run.id, run.priority)

        self._world.after(max(wait_s, 0.0), submit)

    def _make_up(self, name: str, gap: Span) -> None:
        self._dispatch.catch_up({name: self._world.schedules[name]}, gap.last)


@dataclass(frozen=True)
class _Dispatch(Dispatch):
    """The daemon's, which also tells of runs that may start only later."""

    later: Callable[[Run], None]

    def settle(self, recorded: Sequence[Run]) -> None:
        """Submits the runs that wait, now or later."""
        super().settle(recorded)
        for run in recorded:
            if run.state is RunState.QUEUED and run.not_before is not None:
                self.later(run)
