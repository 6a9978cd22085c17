"""What becomes of the queued runs of a job that is no longer configured."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from worker.model.records import AttemptState, Reason, RunState
from worker.runs.book import Book
from worker.runs.candidates import skipped
from worker.runs.ending import Ended, close
from worker.runs.outcome import Outcome
from worker.store import openruns, runs

_REMOVED = Outcome(AttemptState.SKIPPED, Reason.REMOVED)


def remove(connection: sa.Connection, book: Book, names: Collection[str], now: datetime) -> list[Ended]:
    """Ends what waits of these jobs as skipped, and returns what that set free; what runs goes on to its end."""
    waiting = [run_id for run_id, job in openruns.open_jobs(connection) if job in names] if names else []
    found = (run for run_id in waiting if (run := runs.locked(connection, run_id)))
    ended: list[Ended] = []
    for run in found:
        if run.state is RunState.QUEUED:
            closed = close(connection, book, run, RunState.SKIPPED, now, _REMOVED)
            ended.append(replace(closed, recorded=[skipped(run, Reason.REMOVED, now), *closed.recorded]))
    return ended
