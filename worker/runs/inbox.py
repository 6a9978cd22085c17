"""What waits in the database: operators' commands, and queued runs whose time has come."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from jobs.contract import Json
from worker.model.events import CommandTaken
from worker.model.records import Command, Run
from worker.runs.book import Book
from worker.runs.candidates import of_request
from worker.runs.claims import record
from worker.runs.dispatch import Dispatch
from worker.store import commands, runs
from worker.store.database import Database
from worker.store.writer import Writer

POLL_S = 0.5
_ASKING = ("trigger", "replay")  # for a run now


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

    def once(self) -> None:
        """Makes one pass; raises StoreError where the database cannot be reached."""
        with self.database.read() as connection:
            waiting = commands.waiting(connection)
            due = runs.due(connection, self.now())
        for run in due:
            self.dispatch.submit(run.id, run.priority)
        for command in waiting:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        book, now = self.book(), self.now()

        def carry_out(connection: sa.Connection) -> tuple[str, list[Run]] | None:
            outcome, candidates = _plan(command, book, now)
            if not commands.end(connection, command.id, self.node_id, now, outcome):
                return None
            return outcome, record(connection, book, candidates, now)

        done = self.writer.call(carry_out)
        if done is not None:
            outcome, recorded = done
            self.dispatch.events.emit(CommandTaken(command.verb, command.target, command.by, outcome))
            self.dispatch.settle(recorded)


def _plan(command: Command, book: Book, now: datetime) -> tuple[str, list[Run]]:
    """Returns what came of a command, and the runs it asks for."""
    if command.verb not in _ASKING:
        return f"refused: unknown verb {command.verb}", []
    job = book.get(command.target)
    if job is None:
        return f"refused: no job {command.target} is configured", []
    arguments: Json = command.arguments  # as it stands: anybody can write to the table
    if not isinstance(arguments, dict):
        return f"refused: expected parameters by name, found {arguments!r:.200}", []
    return "done", [of_request(job, command.id, now, arguments)]
