"""What becomes of due ticks and of ticks that were missed: one transaction each, then to the engine."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.config.configuration import JobDefinition
from worker.engine.schedule import Occurrences, Span
from worker.model.events import Events, RunSkipped
from worker.model.records import Run, RunState, Tick, Trigger
from worker.runs.book import Book
from worker.runs.candidates import of_gap, of_tick
from worker.runs.claims import record
from worker.store import jobs
from worker.store.writer import Writer

_CAUGHT_UP_AT_MOST = 1_000  # runs of one job after a downtime, the latest ones
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Dispatch:
    """Records ticks and hands what is to run to the engine."""

    book: Callable[[], Book]
    writer: Writer
    submit: Callable[[int], None]
    events: Events
    now: Callable[[], datetime]

    def fire(self, ticks: Sequence[Tick]) -> None:
        """Records all ticks due at this instant in one transaction; raises StoreError, then none is recorded."""
        book, now = self.book(), self.now()
        candidates = [of_tick(job, tick.at, now) for tick in ticks if (job := book.get(tick.job))]
        self.settle(self.writer.call(lambda connection: record(connection, book, candidates, now)))

    def catch_up(self, schedules: Mapping[str, Occurrences], until: datetime) -> None:
        """Accounts for every tick between each job's last one and `until`, as its policy says."""
        book = self.book()

        def account(connection: sa.Connection) -> list[Run]:
            rows = jobs.locked(connection, sorted(schedules))
            missed = [
                run
                for name, occurrences in schedules.items()
                if (job := book.get(name)) and name in rows
                for run in _of_downtime(job, rows[name].accounted, until, occurrences)
            ]
            return record(connection, book, missed, until)

        self.settle(self.writer.call(account))

    def settle(self, recorded: Sequence[Run]) -> None:
        """Submits the runs that wait and tells of those that never happen."""
        for run in recorded:
            if run.state is RunState.QUEUED:
                self.submit(run.id)
            elif run.state.ended:
                reason = run.reason or "unknown"
                self.events.emit(RunSkipped(run.job, run.id, run.state, reason, run.ticks))


def _of_downtime(job: JobDefinition, since: datetime, until: datetime, occurrences: Occurrences) -> Iterator[Run]:
    """Yields one row for the ticks that are left out, then a run for each that is made up for."""
    missed = occurrences.span(since, until)
    if missed is None:
        return
    made_up = _made_up(job.policy.catch_up, since, missed, occurrences)
    left_out = occurrences.span(since, made_up[0] - _INSTANT) if made_up else missed
    if left_out is not None:
        yield of_gap(job, left_out.first, left_out.last, left_out.count, until)
    for tick in made_up:
        yield of_tick(job, tick, until, Trigger.CATCH_UP)


def _made_up(policy: str, since: datetime, missed: Span, occurrences: Occurrences) -> list[datetime]:
    if policy == "none":
        return []
    if policy == "last":
        return [missed.last]
    return list(deque(_each(occurrences, since, missed.last), _CAUGHT_UP_AT_MOST))


def _each(occurrences: Occurrences, since: datetime, until: datetime) -> Iterator[datetime]:
    tick = occurrences.next_after(since)
    while tick is not None and tick <= until:
        yield tick
        tick = occurrences.next_after(tick)
