"""How jobs would go over a span of time: the real clock and the real ledger, on a time that leaps to what comes next.

Clock, dispatch, claims, the start and the end of attempts and the rescue after a death are the daemon's own; made up
are only the time, how long a run takes, and whether it fails. Conditions, steps and accounts are not looked at.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from worker.config.configuration import JobDefinition
from worker.engine.schedule import Occurrences, of_job
from worker.model.moments import new_id
from worker.runs.book import Book
from worker.runs.lifetime import Circumstances, Life, World
from worker.store import jobs as jobs_table
from worker.store import retention
from worker.store.scratch import Inline
from worker.store.tallies import Tally, tallies

_FORGET = 50_000  # steps after which the rows before are counted and let go
_INBOX = 100  # steps between two looks into the queue
_LOOK = 1_000  # runs in one look at what may go


class Simulation(World):
    """One node after the other on one ledger, from one moment on."""

    def __init__(
        self,
        jobs: Mapping[str, JobDefinition],
        zone: ZoneInfo,
        writer: Inline,
        circumstances: Circumstances,
        since: datetime,
    ) -> None:
        super().__init__(since, writer, Book(jobs), _schedules(jobs, zone), circumstances)
        self.steps = 0
        self._life: Life | None = None
        rows = [jobs_table.JobRow(job.name, job.hash, job.policy.enabled, since) for job in jobs.values()]
        writer.call(lambda connection: jobs_table.configure(connection, rows, []))
        self.start()
        for down, up in circumstances.downs:
            self.at(down, self.die)
            self.at(up, self.start)

    def run(self, until: datetime, on_step: Callable[[datetime], None] = lambda _: None) -> None:
        """Lives up to a moment, and then until what has begun has ended."""
        while (upcoming := self._next()) is not None and upcoming + self.shift <= until:
            self._step(upcoming)
            on_step(self.now())
        self.passed = max(self.passed, until - self.shift)
        self._drain()
        self._count(self.writer.call(tallies))
        self.writer.settle()

    def start(self) -> None:
        """Starts the process, where none lives, as the daemon starts."""
        if self._life is None:
            self._life = Life(self)
            self._life.begin()

    def die(self) -> None:
        """Ends the process at once."""
        if self._life is not None:
            self._life.die()
        self._life = None

    def _next(self) -> datetime | None:
        tick = self._life.next_tick() if self._life else None
        found = [self.upcoming(), tick - self.shift if tick else None]
        return min((moment for moment in found if moment is not None), default=None)

    def _step(self, moment: datetime) -> None:
        self.passed = max(self.passed, moment)
        self.steps += 1
        self.do()
        if self._life is not None:
            if self.steps % _INBOX == 0:
                self._life.look()
            self._life.once()
        if self.steps % _FORGET == 0 and self.circumstances.forgets:
            self._forget()

    def _drain(self) -> None:
        """Ends what has begun, and tells no tick that is due later."""
        told = 1
        while told or self.upcoming():
            self.start()
            told = self._life.last_words() if self._life else 0
            if upcoming := self.upcoming():
                self._step(upcoming)

    def _forget(self) -> None:
        """Counts the rows that the ledger needs no more, and lets them go."""
        before = new_id()

        def forget(connection: sa.Connection) -> list[Tally]:
            gone: list[Tally] = []
            last: int | None = 0
            while last is not None:
                part = retention.old_runs(connection, before, last, _LOOK)
                if part.doomed:
                    gone += tallies(connection, part.doomed)
                    retention.drop_runs(connection, part.doomed)
                last = part.last
            return gone

        self._count(self.writer.call(forget))

    def _count(self, found: list[Tally]) -> None:
        for tally in found:
            self.stories[tally.job].add(tally)


def _schedules(jobs: Mapping[str, JobDefinition], zone: ZoneInfo) -> dict[str, Occurrences]:
    found = {name: of_job(job.policy, zone, name) for name, job in jobs.items() if job.policy.enabled}
    return {name: schedule for name, schedule in found.items() if schedule is not None}
