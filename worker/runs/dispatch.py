"""What becomes of due ticks and of ticks that were missed: one transaction each, then to the engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock

import sqlalchemy as sa

from worker.engine.schedule import Occurrences
from worker.model.events import RunSkipped
from worker.model.listening import Events
from worker.model.records import Run, RunState, Tick
from worker.runs.book import Book
from worker.runs.candidates import of_stray_tick, of_tick
from worker.runs.catchup import of_downtime
from worker.runs.claims import record
from worker.runs.ending import Ended
from worker.runs.fresh import Fresh
from worker.store import jobs
from worker.store.dialect import in_parts
from worker.store.writer import Ticket, Writer

_AT_ONCE = 1000  # ticks in one transaction


@dataclass(frozen=True)
class Dispatch:
    """Records ticks and hands what is to run to the engine."""

    book: Callable[[], Book]
    writer: Writer
    submit: Callable[[int, int], None]  # a run's id and its priority
    events: Events
    now: Callable[[], datetime]
    fresh: Fresh = field(default_factory=Fresh, kw_only=True)  # what was submitted and not begun
    firing: Lock = field(default_factory=Lock, kw_only=True)  # held while more are recorded than one transaction takes

    def fire(self, ticks: Sequence[Tick]) -> None:
        """Records the ticks due at this instant, a thousand in one transaction, all of them before the first starts.

        To start a run takes longer than to claim it, and until it is claimed nobody knows of it. Raises StoreError;
        asked again, it knows what was recorded before.
        """
        recorded: list[Run] = []
        with self.firing if len(ticks) > _AT_ONCE else nullcontext():
            try:
                for claimed in self.claims(ticks):
                    recorded += claimed
            finally:
                self.settle(recorded)

    def claims(self, ticks: Sequence[Tick]) -> Iterator[list[Run]]:
        """Yields what the ticks became, in their order, part by part as each is on disk; raises StoreError.

        None is handed in before those ahead of it are: a job's later tick must not pass for all before it.
        """
        book, now = self.book(), self.now()
        ticket: Ticket[list[Run]] | None = None
        for part in in_parts(ticks, _AT_ONCE):
            candidates = [_candidate(book, tick, now) for tick in part]  # while the writer is at work
            if ticket is not None:
                yield ticket.wait()
            ticket = self.writer.submit(partial(record, book=book, candidates=candidates, now=now))
        if ticket is not None:
            yield ticket.wait()

    def catch_up(self, schedules: Mapping[str, Occurrences], until: datetime) -> None:
        """Accounts for every tick between each job's last one and `until`, as its policy says."""
        book = self.book()

        def account(connection: sa.Connection) -> list[Run]:
            rows = jobs.locked(connection, sorted(schedules))
            missed = [
                run
                for name, occurrences in schedules.items()
                if (job := book.get(name)) and name in rows
                for run in of_downtime(job, rows[name].accounted, until, occurrences)
            ]
            return record(connection, book, missed, until)

        self.settle(self.writer.call(account))

    def settle(self, recorded: Sequence[Run]) -> None:
        """Submits the runs that may start now, the highest priority first, and tells of those that never happen."""
        for run in sorted(recorded, key=lambda run: -run.priority):  # the first that is handed in has the free place
            if run.state is RunState.QUEUED and run.not_before:
                continue  # the inbox submits it when its time has come
            if run.state is RunState.QUEUED:
                self.fresh.keep(run)
                self.submit(run.id, run.priority)
            elif run.state.ended:
                reason = run.reason or "unknown"
                self.events.emit(RunSkipped(run.job, run.id, run.state, reason, run.ticks))

    def pass_on(self, ended: Ended) -> None:
        """Submits and tells what the end of a run set free."""
        for waiting in sorted(ended.handed, key=lambda waiting: -waiting.priority):
            self.submit(waiting.id, waiting.priority)
        self.settle(ended.recorded)


def _candidate(book: Book, tick: Tick, now: datetime) -> Run:
    job = book.get(tick.job)
    return of_tick(job, tick.at, now, again=tick.again) if job else of_stray_tick(tick, now)
