"""What waits in the database: operators' commands, and queued runs whose time has come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.model.errors import StoreError
from worker.model.events import CommandTaken
from worker.model.records import Command
from worker.runs.book import Book
from worker.runs.desk import Act, Desk, Done, Refused
from worker.runs.dispatch import Dispatch
from worker.runs.holding import held_jobs, is_known
from worker.runs.outcome import describe
from worker.runs.reloads import Reloads
from worker.runs.verbs import plan
from worker.store import commands, openruns
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.redact import redact

POLL_S = 0.5
_PATIENCE_S = 2.0  # how long a pass waits at most; ten thousand ticks take about one
_RELOAD = "reload"  # of one node, which its target names
_GONE = timedelta(minutes=1)  # a node that has not answered by then never will


@dataclass(frozen=True)
class Inbox:
    """Carries out commands and submits what is due; `once` is one pass.

    Submitting what is due makes up for every way a run can be left in the queue: a retry whose wait is over, a
    process that died between claim and submit, a lock that was passed on. The engine ignores what it has already.
    """

    node_id: int
    database: Database
    writer: Writer
    book: Callable[[], Book]
    dispatch: Dispatch
    now: Callable[[], datetime]
    reloads: Reloads = field(default_factory=Reloads)

    def once(self) -> None:
        """Makes one pass; raises StoreError where the database cannot be reached."""
        self._let_ticks_be_recorded()
        with self.database.read() as connection:
            waiting = [one for one in commands.waiting(connection) if not self._is_for_another(connection, one)]
            due = openruns.due(connection, self.now(), held_jobs(connection, self.book()))
        for run in due:
            self.dispatch.submit(run.id, run.priority)
        for command in waiting:
            if command.verb == _RELOAD:
                self._pass_on(command)
            else:
                self._carry_out(command)

    def _let_ticks_be_recorded(self) -> None:
        """Waits, not for ever, while many are: to start the first of them would keep the last from their record."""
        if self.dispatch.firing.acquire(timeout=_PATIENCE_S):
            self.dispatch.firing.release()

    def _is_for_another(self, connection: sa.Connection, command: Command) -> bool:
        """Tells whether a command names a job that only another node knows, which has a minute to carry it out."""
        target = command.target
        return not self._is_old(command) and self.book().get(target) is None and is_known(connection, target)

    def _is_old(self, command: Command) -> bool:
        return self.now() - command.at > _GONE  # not `at + _GONE`, which a row by hand may have beyond the calendar

    def _pass_on(self, command: Command) -> None:
        """Leaves a reload to the node that it names, which answers it; for one that is gone somebody else does."""
        if command.target == str(self.node_id):
            self.reloads.ask(command)
        elif self._is_old(command):
            gone = f"refused: no node {command.target} answers any more"
            self._record(command, lambda _: Done(gone), self.now())

    def _carry_out(self, command: Command) -> None:
        """Carries a command out in one transaction with its outcome, unless another node was first."""
        now = self.now()
        try:
            done = self._record(command, plan(Desk(command, self.book(), now)), now)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a verb meets must not hold up the commands behind it
            told = f"refused: {error}" if isinstance(error, Refused) else f"failed: {describe(error)[1]}"
            done = self._record(command, lambda _: Done(told), now)
        if done is not None:
            self.dispatch.events.emit(CommandTaken(command.verb, command.target, command.by, redact(done.outcome)))
            self.dispatch.settle(done.recorded)
            for ended in done.ended:
                self.dispatch.pass_on(ended)

    def _record(self, command: Command, act: Act, now: datetime) -> Done | None:
        """Returns what came of a command; None where another node has it."""

        def carry_out(connection: sa.Connection) -> Done | None:
            if not commands.take(connection, command.id, self.node_id, now):
                return None
            done = act(connection)
            commands.answer(connection, command.id, redact(done.outcome))
            return done

        return self.writer.call(carry_out)
