"""The transaction that ends an attempt: its run ends or waits, its locks pass on, the jobs after it are claimed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from worker.model.records import Reason, Run, RunState
from worker.runs.book import Book
from worker.runs.candidates import of_parent
from worker.runs.claims import record
from worker.runs.outcome import Outcome
from worker.store import attempts, batches, locks, runs
from worker.store.runs import Waiting


@dataclass(frozen=True)
class Ended:
    """What ending an attempt set free; `mine` is False where the attempt had lost its right and nothing was written."""

    mine: bool
    state: RunState = RunState.QUEUED  # of the run now
    recorded: list[Run] = field(default_factory=list)  # runs of the jobs that come after
    handed: list[Waiting] = field(default_factory=list)  # runs that waited for a lock and have it now


class End(NamedTuple):
    """An attempt that is to end, as `end` is told."""

    book: Book
    run: Run
    outcome: Outcome
    now: datetime


def end_many(connection: sa.Connection, asked: Sequence[End]) -> list[Ended]:
    """Ends many attempts: first ones of runs that nothing waits for in a handful of statements, all others singly."""
    plain = {one.run.id for one in asked if _is_plain(one)}
    found = batches.endable(connection, plain) if plain else {}
    finishes: dict[int, batches.Finish] = {}  # by place, so that of two ends of one attempt the second finds it ended
    for place, one in enumerate(asked):
        if _is_plain(one) and (attempt := found.pop(one.run.id, None)):
            finishes[place] = batches.Finish(attempt, one.outcome.run, one.now, one.outcome.reason, one.outcome.error)
    batches.end(connection, list(finishes.values()))
    return [
        Ended(True, one.outcome.run) if place in finishes else end(connection, *one) for place, one in enumerate(asked)
    ]


def _is_plain(asked: End) -> bool:
    run = asked.run
    followed = run.job in asked.book.followers
    return asked.outcome.wait_s is None and run.attempt == 1 and run.mutex is None and not followed


def end(connection: sa.Connection, book: Book, run: Run, outcome: Outcome, now: datetime) -> Ended:
    """Ends attempt `run.attempt` with its outcome; a run that an operator cancelled meanwhile gets no further attempt.

    Asked again after an unknown commit, with the same `now`, it knows the end as its own; what that set free is in the
    ledger, where the inbox finds it.
    """
    if not attempts.end(connection, run.id, run.attempt, outcome.attempt, now, outcome.error):
        found = attempts.get(connection, run.id, run.attempt)
        mine = found is not None and (found.state, found.ended_at) == (outcome.attempt, now)
        return Ended(mine, outcome.run)
    if outcome.wait_s is None:
        return close(connection, book, run, outcome.run, now, outcome)
    later = now + timedelta(seconds=outcome.wait_s) if outcome.wait_s else None  # at once, whatever clocks say
    if not runs.requeue(connection, run.id, run.attempt, later, outcome.reason):
        cancelled = replace(outcome, reason=Reason.OPERATOR)
        return close(connection, book, run, RunState.CANCELLED, now, cancelled)
    locks.release(connection, run.id, [locks.LAST_CHANCE])
    return Ended(mine=True, handed=_pass_mutex_on(connection, run, now))


def close(connection: sa.Connection, book: Book, run: Run, state: RunState, now: datetime, outcome: Outcome) -> Ended:
    """Ends a run for good, passes its locks on and claims the jobs that come after."""
    runs.finish(connection, run.id, state, now, outcome.reason, outcome.error)
    locks.release(connection, run.id)
    following = [of_parent(job, run, state, now) for job in book.followers.get(run.job, ())]
    handed = [*_pass_job_on(connection, run.job, now), *_pass_mutex_on(connection, run, now)]
    recorded = record(connection, book, following, now) if following else []
    return Ended(True, state, recorded, handed)


def _pass_job_on(connection: sa.Connection, job: str, now: datetime) -> list[Waiting]:
    """Gives the job's lock to its run that has waited longest, so that a newer tick cannot overtake it."""
    return _passed(connection, locks.job_lock(job), runs.waiting(connection, job, now), now)


def _pass_mutex_on(connection: sa.Connection, run: Run, now: datetime) -> list[Waiting]:
    """Gives the mutex that a run held to the first of those that wait for it; so no later one overtakes."""
    if run.mutex is None:
        return []
    lock = locks.mutex_lock(run.mutex)
    if locks.holders(connection, [lock]).get(lock, run.id) != run.id:
        return []  # the run waited for it too
    locks.release(connection, run.id, [lock])
    return _passed(connection, lock, runs.next_of_mutex(connection, run.mutex, now), now)


def _passed(connection: sa.Connection, lock: str, to: Waiting | None, now: datetime) -> list[Waiting]:
    if to is None or locks.take(connection, [(lock, to.id)], now).get(lock) != to.id:
        return []
    return [to]
