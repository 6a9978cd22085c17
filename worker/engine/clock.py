"""The clock: tells which jobs are due, and nothing else; APScheduler keeps them in order.

Of APScheduler we use its registry of jobs, its memory store, triggers and the executor's place; the pass over
due jobs is ours (`once`), because the stock one reads a wall clock that cannot be injected, dies of one
trigger's exception, loses the tick when an executor raises, sleeps through a jump of the wall clock, and
builds lists without bound.

Jumps of the wall clock. Forward, or a process that stood still: what was passed by more than a minute is told as
one gap (`on_gap`), as after a downtime, and the job goes on from now; so are more than 1,000 ticks of one job. Back:
a job with one instant at most before its next one waits for that, so that a day's job runs once that day; others go on
from now, and say of an instant that it comes `again`. Back by more than a day: the clock had been wrong, and all jobs
go on from now.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.triggers.base import BaseTrigger

from worker.engine.handover import Callbacks, Gap, Handover
from worker.engine.schedule import Occurrences, Span
from worker.model.moments import utc_now
from worker.model.records import Tick

_LONGEST_WAIT_S = 5.0  # a jump of the wall clock is noticed within this
_MOST_TICKS = 1000  # of one job at once
_LEAP = timedelta(minutes=1)  # what was passed by more is no tick that is a bit late
_SKEW = timedelta(minutes=5)  # clocks of nodes differ by less
_STEP_BACK = timedelta(seconds=5)  # by less, jobs wait
_INSTANT = timedelta(microseconds=1)
_WRONG = timedelta(days=1)  # a step back beyond this mends a clock that was wrong


class Clock:
    """Tells the callbacks what is due: all ticks that wait at once, each exactly with its scheduled instant.

    `on_due` and `on_gap` (a job, and the ticks it missed in a row) are called in one thread of the clock's
    own; what raises there is kept and offered again, in order, with pauses of up to 5 s. So a tick may be
    told twice, and it is told at least once while the process lives. `on_error` hears what failed, in words,
    and why. `on_pass`, which must not raise, is called
    after each pass and every 5 s at least: it shows that the loop turns.
    """

    def __init__(
        self,
        on_due: Callable[[Sequence[Tick]], None],
        on_gap: Callable[[str, Span], None],
        on_error: Callable[[str, Exception], None],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # at INFO it tells every job it adds
        self._callbacks = Callbacks(on_due, on_gap, on_error)
        self.on_pass: Callable[[], None] = lambda: None
        self._now = now
        self._lock = threading.RLock()
        self._handover = Handover(self._callbacks)
        self._outlet = _Outlet()
        self._store = MemoryJobStore()
        self._scheduler = _Scheduler(
            jobstores={"default": self._store}, executors={"default": self._outlet}, timezone=UTC
        )
        self._scheduler.start(paused=True)  # opens the store; runs no thread
        self._shown = now()  # by the wall clock, at the last pass
        self._again: dict[str, datetime] = {}  # instants before these were told, and come once more
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def set(self, name: str, occurrences: Occurrences, after: datetime) -> None:
        """Puts a job on the clock or replaces it there; its first tick lies strictly after `after`."""
        upcoming = occurrences.next_after(after)
        with self._lock:
            self.remove(name)
            if upcoming is not None:
                self._scheduler.add_job(_unused, _Trigger(occurrences), id=name, next_run_time=upcoming)

    def remove(self, name: str) -> None:
        """Takes a job off the clock; a name it does not hold is no error."""
        with self._lock:
            self._again.pop(name, None)
            if self._store.lookup_job(name) is not None:
                self._scheduler.remove_job(name)

    def change(self, schedules: Mapping[str, Occurrences | None], after: datetime) -> None:
        """Puts jobs on the clock, replaces them there or, for None, takes them off: in one step, after what is due now.

        First ticks lie strictly after `after`.
        """
        with self._lock:
            self._pass()
            for name, occurrences in schedules.items():
                if occurrences is None:
                    self.remove(name)
                else:
                    self.set(name, occurrences, after)

    def recall(self, told: Mapping[str, datetime], now: datetime) -> None:
        """Takes over what earlier processes told last, where the wall clock was set back since then: it comes again."""
        with self._lock:
            for name, last in told.items():
                job = self._store.lookup_job(name)
                if job is None or last - now <= _SKEW:
                    continue
                occurrences: Occurrences = job.trigger.occurrences
                if len(occurrences.between(now, last, 2)) > 1 and (until := occurrences.next_after(last)):
                    self._again[name] = until

    def names(self) -> list[str]:
        """Returns the jobs that have an instant to come, in order of their names."""
        with self._lock:
            return sorted(job.id for job in self._store.get_all_jobs())

    def next_fire(self, name: str) -> datetime | None:
        """Returns the instant a job waits for; None if it waits for none."""
        with self._lock:
            job = self._store.lookup_job(name)
            return job.next_run_time if job is not None else None

    @property
    def waiting(self) -> int:
        """Ticks that are due and that no callback has taken yet."""
        return self._handover.waiting

    def next_tick(self) -> datetime | None:
        """Returns the earliest instant that any job waits for."""
        with self._lock:
            found: datetime | None = self._store.get_next_run_time()
            return found

    def next_ticks(self) -> dict[str, datetime]:
        """Returns the instant that each job waits for which waits for one."""
        with self._lock:
            return {job.id: job.next_run_time for job in self._store.get_all_jobs()}

    def start(self) -> None:
        """Starts to tell; once in the clock's life."""
        self._handover.start()
        self._scheduler.resume()
        self._thread.start()

    def stop(self, timeout_s: float = _LONGEST_WAIT_S) -> bool:
        """Offers once more what waits and ends; returns False if a callback did not return in time."""
        deadline = time.monotonic() + timeout_s
        self._stopping = True
        self._scheduler.wakeup()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        ended = self._handover.stop(max(0.0, deadline - time.monotonic()))
        if self._scheduler.running:
            self._scheduler.shutdown()
        return ended and not self._thread.is_alive()

    def once(self) -> int:
        """Tells what is due now, in the caller's thread; for a clock not started. Returns how many."""
        self._pass()
        return self._handover.once()

    def _run(self) -> None:
        while not self._stopping:
            self._pass()
            self.on_pass()
            self._scheduler.changed.wait(self._wait_s())
            self._scheduler.changed.clear()  # here: what set it is seen by the check above or by the next pass

    def _pass(self) -> None:
        now = self._now()
        with self._lock:
            since = self._notice(now)
            if self._handover.full:
                return  # nothing is lost: the jobs stay due
            due = self._store.get_due_jobs(now)
            turns = [turn for job in due if (turn := self._turn(job, now, leapt=now - since > _LEAP)) is not None]
            for turn in turns:
                self._outlet.submit_job(turn.job, turn.times)
            gaps = [Gap(turn.job.id, turn.gap) for turn in turns if turn.gap is not None]
            self._handover.put([*gaps, *map(self._marked, self._outlet.take())])
            for turn in turns:  # after the handover: the next instants can wait, those that are due cannot
                self._put_back(turn)

    def _notice(self, now: datetime) -> datetime:
        """Returns what the clock showed at the last pass; where it went back, jobs that would wait for long go on."""
        before, self._shown = self._shown, now
        if now < before - _STEP_BACK:
            for job in self._store.get_all_jobs():
                self._go_on(job, now, wrong=now < before - _WRONG)
        return before

    def _go_on(self, job: Job, now: datetime, *, wrong: bool) -> None:
        told_before, upcoming = job.next_run_time, job.trigger.occurrences.between(now, job.next_run_time, 3)
        if len(upcoming) > 2:  # noqa: PLR2004  two instants that were told, and the next one
            self._again[job.id] = max(told_before, self._again.get(job.id, told_before))
        if len(upcoming) > 2 or wrong:  # noqa: PLR2004
            self._put_back(_Turn(job, [], None, job.trigger.occurrences.next_after(now)))

    def _marked(self, tick: Tick) -> Tick:
        """Returns a tick that says so where its instant was told before."""
        until = self._again.get(tick.job)
        if until is None or tick.at < until:
            return replace(tick, again=until)
        del self._again[tick.job]
        return tick

    def _turn(self, job: Job, now: datetime, *, leapt: bool) -> "_Turn | None":
        try:
            return _Turn.of(job, now, leapt=leapt)
        except Exception as error:  # noqa: BLE001  one job's schedule must not stop the others'
            self._scheduler.remove_job(job.id)
            self._callbacks.failed(f"the schedule of job {job.id} failed, and the job left the clock", error)
            return None

    def _put_back(self, turn: "_Turn") -> None:
        if turn.upcoming is None:
            self._scheduler.remove_job(turn.job.id)
        else:
            self._scheduler.modify_job(turn.job.id, next_run_time=turn.upcoming)

    def _wait_s(self) -> float:
        with self._lock:
            upcoming = self._store.get_next_run_time()
        if upcoming is None or self._handover.full:
            return _LONGEST_WAIT_S
        left_s: float = (upcoming - self._now()).total_seconds()
        return min(max(left_s, 0.0), _LONGEST_WAIT_S)


@dataclass(frozen=True)
class _Turn:
    """What is due of one job: its instants or a gap, and the one that comes after them."""

    job: Job
    times: list[datetime]
    gap: Span | None
    upcoming: datetime | None

    @classmethod
    def of(cls, job: Job, now: datetime, *, leapt: bool) -> "_Turn":
        first: datetime = job.next_run_time
        due: Occurrences = job.trigger.occurrences
        if leapt and now - first > _LEAP:
            return cls(job, [], due.span(first - _INSTANT, now), job.trigger.get_next_fire_time(None, now))
        times = [first, *due.between(first, now, _MOST_TICKS)]
        if len(times) <= _MOST_TICKS:
            return cls(job, times, None, job.trigger.get_next_fire_time(times[-1], now))
        return cls(job, [], due.span(first - _INSTANT, now), job.trigger.get_next_fire_time(None, now))


class _Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """Our occurrences, where APScheduler looks for them; never jitter, never a combination."""

    __slots__ = ("occurrences",)

    def __init__(self, occurrences: Occurrences) -> None:
        self.occurrences = occurrences

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        return self.occurrences.next_after(previous_fire_time or now)


class _Outlet(BaseExecutor):  # type: ignore[misc]  # APScheduler ships no types
    """Where APScheduler would run jobs, this one notes that they are due; it never counts one as running."""

    def __init__(self) -> None:
        super().__init__()
        self._ticks: list[Tick] = []

    def take(self) -> list[Tick]:
        """Returns what was noted since the last time."""
        ticks, self._ticks = self._ticks, []
        return ticks

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        self._ticks.extend(Tick(job.id, at) for at in run_times)
        self._run_job_success(job.id, [])


class _Scheduler(BaseScheduler):  # type: ignore[misc]  # APScheduler ships no types
    """APScheduler's registry of jobs, without its loop."""

    def __init__(self, **options: object) -> None:
        self.changed = threading.Event()
        super().__init__(**options)

    def wakeup(self) -> None:
        self.changed.set()

    def shutdown(self, wait: bool = False) -> None:  # noqa: FBT001, FBT002  APScheduler's signature
        super().shutdown(wait)


def _unused() -> None:
    """APScheduler wants a function with each job; ours is never called."""
