"""The transaction that ends an attempt: its run ends or waits, its locks pass on, the jobs after it are claimed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.model.records import Run, RunState
from worker.runs.book import Book
from worker.runs.candidates import of_parent
from worker.runs.claims import record
from worker.runs.outcome import Outcome
from worker.store import attempts, locks, runs


@dataclass(frozen=True)
class Ended:
    """What ending an attempt set free; `mine` is False where the attempt had lost its right and nothing was written."""

    mine: bool
    recorded: list[Run] = field(default_factory=list)  # runs of the jobs that come after
    handed: int | None = None  # the job's next run, which waited for this one


def end(connection: sa.Connection, book: Book, run: Run, outcome: Outcome, now: datetime) -> Ended:
    """Ends attempt `run.attempt` with its outcome.

    Asked again after an unknown commit, with the same `now`, it knows the end as its own; what that set free is in the
    ledger, where the inbox finds it.
    """
    if not attempts.end(connection, run.id, run.attempt, outcome.attempt, now, outcome.error):
        found = attempts.get(connection, run.id, run.attempt)
        return Ended(mine=found is not None and (found.state, found.ended_at) == (outcome.attempt, now))
    if outcome.wait_s is not None:
        later = now + timedelta(seconds=outcome.wait_s) if outcome.wait_s else None  # at once, whatever clocks say
        runs.requeue(connection, run.id, run.attempt, later, outcome.reason)
        return Ended(mine=True)
    return close(connection, book, run, outcome.run, now, outcome)


def close(connection: sa.Connection, book: Book, run: Run, state: RunState, now: datetime, outcome: Outcome) -> Ended:
    """Ends a run for good, passes its job's lock on and claims the jobs that come after."""
    runs.finish(connection, run.id, state, now, outcome.reason, outcome.error)
    locks.release(connection, run.id)
    following = [of_parent(job, run, state, now) for job in book.followers.get(run.job, ())]
    handed = _hand_on(connection, run.job, now)
    recorded = record(connection, book, following, now) if following else []
    return Ended(mine=True, recorded=recorded, handed=handed)


def _hand_on(connection: sa.Connection, job: str, now: datetime) -> int | None:
    """Gives the job's lock to its run that has waited longest, so that a newer tick cannot overtake it."""
    waiting = runs.waiting(connection, job, now)
    if waiting is not None:
        locks.take(connection, [(locks.job_lock(job), waiting)], now)
    return waiting
