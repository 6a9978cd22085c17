"""An operator asks that a run end: what waits ends at once, what runs at its next check, wherever it runs."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.model.records import AttemptState, Reason, Run, RunState
from worker.runs.book import Book
from worker.runs.ending import Ended, close
from worker.runs.executor import Executor
from worker.runs.outcome import Cancelled, Outcome
from worker.store import openruns, runs
from worker.store.database import Database

CANCEL_POLL_S = 0.5
_GRACE_S = 30.0  # how long an attempt may go on after its cancellation or timeout before it loses its right to write


@dataclass(frozen=True)
class Asked:
    """What came of the wish; what it set free is to be handed to `Dispatch.pass_on` after the commit.

    `run` is as it stands now: `cancelled` where it waited (or was cancelled before), `running` where its node
    interrupts it within about a second, any other state where it had ended before; None where there is no such run.
    """

    run: Run | None
    ended: Ended = Ended(mine=False)  # noqa: RUF009  frozen


def ask(connection: sa.Connection, book: Book, run_id: int, by: str, now: datetime) -> Asked:
    """Asks in the caller's transaction that a run end as cancelled; whoever asks again changes nothing.

    Its retries are over too: an attempt that fails, or whose node dies, after this is the run's last.
    """
    run = runs.locked(connection, run_id)
    if run is None or run.state.ended:
        return Asked(run)
    openruns.ask_cancel(connection, run_id, by, now)
    if run.state is RunState.RUNNING:
        return Asked(runs.get(connection, run_id))
    why = ("cancelled", f"cancelled by {by} before it ran")
    outcome = Outcome(AttemptState.CANCELLED, Reason.OPERATOR, why)
    ended = close(connection, book, run, RunState.CANCELLED, now, outcome)
    return Asked(runs.get(connection, run_id), ended)


@dataclass(frozen=True)
class Cancellations:
    """Interrupts what is underway here and was asked to end, and fences off what does not heed; `once` is one pass."""

    database: Database
    executor: Executor
    grace_s: float = _GRACE_S

    def once(self) -> None:
        """Makes one pass; raises StoreError where the database cannot be reached."""
        here = {underway.started.run.id for underway in self.executor.underway()}
        if not here:
            return
        with self.database.read() as connection:
            asked = openruns.to_cancel(connection)
        for run_id in here & asked.keys():
            self.executor.interrupt(Cancelled(f"cancelled by {asked[run_id]}"), run_id)
        self.executor.abandon_overdue(self.grace_s)
