"""This node's heart, and the rescue of runs whose node's heart stopped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from worker.model.events import JobQuarantined, RunRescued
from worker.model.records import Attempt, AttemptState, Reason, Run
from worker.runs import quarantine
from worker.runs.announcing import Announced
from worker.runs.book import Book
from worker.runs.dispatch import Dispatch
from worker.runs.ending import Ended, end
from worker.runs.outcome import Outcome
from worker.store import attempts, calls, jobs, locks, nodes, runs, tokens
from worker.store.database import Database
from worker.store.writer import Writer

BEATS = 8  # of a node's heart in one lease: what is dead is taken over within a lease and an eighth


@dataclass(frozen=True)
class _Rescued:
    run: Run
    node: int
    ended: Ended
    quarantine: str | None  # why the job is in quarantine from now on


@dataclass(frozen=True)
class Pulse:
    """Beats and rescues; `once` is one pass."""

    node_id: int
    database: Database
    writer: Writer
    book: Callable[[], Book]
    dispatch: Dispatch
    now: Callable[[], datetime]
    next_ticks: Callable[[], Mapping[str, datetime | None]]
    lines_dropped: Callable[[], int] = int  # by the log
    _announced: Announced = field(default_factory=Announced, init=False)

    def once(self) -> None:
        """Makes one pass; raises StoreError where the database cannot be reached."""
        book = self.book()
        news = self._announced.news(book, self.next_ticks())
        self.writer.call(lambda connection: self._beat(connection, news))
        self._announced.told(book, news)
        self.rescue()

    def _beat(self, connection: sa.Connection, news: Mapping[str, datetime | None]) -> None:
        nodes.beat(connection, self.node_id, self.database.lease_now(connection), self.lines_dropped())
        jobs.announce(connection, news)

    def rescue(self, *, alone: bool = False) -> int:
        """Puts runs of dead nodes back into the queue and returns how many.

        `alone` says that no other daemon can be alive: it holds on SQLite, where the file's lock was taken. Then token
        leases of the dead end too, which others have to wait out.
        """
        now, book = self.now(), self.book()
        orphans = self.writer.call(lambda connection: self._rescue(connection, book, now, alone=alone))
        found = [one for one in orphans if one.ended.mine]  # the others were rescued by another node just then
        for one in found:
            self._tell(one)
            self.dispatch.pass_on(one.ended)
        return len(found)

    def _tell(self, rescued: _Rescued) -> None:
        run = rescued.run
        self.dispatch.events.emit(RunRescued(run.job, run.id, run.attempt, rescued.node))
        if rescued.quarantine is not None:
            self.dispatch.events.emit(JobQuarantined(run.job, run.id, rescued.quarantine))

    def _rescue(self, connection: sa.Connection, book: Book, now: datetime, *, alone: bool) -> list[_Rescued]:
        alive = {self.node_id} if alone else self._alive(connection)
        if alone:
            tokens.end_leases(connection)
            nodes.stop_others(connection, self.node_id, now)
        calls.abandon(connection, alive)
        locks.release_ended(connection)
        orphans = [one for one in attempts.running(connection) if one.node_id not in alive]
        found = [(one, runs.get(connection, one.run_id)) for one in orphans]
        return [self._take_over(connection, book, one, run, now) for one, run in found if run is not None]

    def _take_over(self, connection: sa.Connection, book: Book, attempt: Attempt, run: Run, now: datetime) -> _Rescued:
        ended = end(connection, book, run, self._verdict(connection, attempt), now)
        return _Rescued(run, attempt.node_id, ended, quarantine.judge(connection, run, now) if ended.mine else None)

    def _alive(self, connection: sa.Connection) -> set[int]:
        return {self.node_id, *(node.id for node in nodes.living(connection, self.database.lease_now(connection)))}

    def _verdict(self, connection: sa.Connection, attempt: Attempt) -> Outcome:
        error = (quarantine.NODE_DIED, "the process that ran this attempt died")
        died = [one for one in attempts.of_run(connection, attempt.run_id) if one.error_kind == error[0]]
        if len(died) + 1 >= quarantine.DEATHS:
            return Outcome(AttemptState.FAILED, Reason.NODE_DIED, error)
        return Outcome(AttemptState.LOST, Reason.NODE_DIED, error, wait_s=0.0)
