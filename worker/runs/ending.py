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
from worker.store import attempts, batches, locks, openruns, runs
from worker.store.openruns import Waiting


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
    """Ends many attempts: first ones of runs that nothing waits for in a handful of statements, all others singly.

    The jobs that come after them are claimed together. Asked again after an unknown commit, with the same times, it
    knows the ends as its own; what those set free is in the ledger, where the inbox finds it.
    """
    plain: dict[int, End] = {}
    for one in asked:
        if _is_plain(one):
            plain.setdefault(one.run.id, one)  # of two ends of one attempt the second is to find it ended
    for run_id in plain.keys() - batches.end(connection, [_finish(one) for one in plain.values()]):
        del plain[run_id]
    ended = [Ended(True, one.outcome.run) if plain.get(one.run.id) is one else _end(connection, one) for one in asked]
    return _followed(connection, asked, ended)


def _is_plain(asked: End) -> bool:
    return asked.outcome.wait_s is None and asked.run.attempt == 1 and asked.run.mutex is None


def _finish(asked: End) -> batches.Finish:
    return batches.Finish(asked.run.id, asked.outcome.run, asked.now, asked.outcome.reason, asked.outcome.error)


def end(connection: sa.Connection, book: Book, run: Run, outcome: Outcome, now: datetime) -> Ended:
    """Ends attempt `run.attempt` with its outcome, as `end_many` does."""
    asked = [End(book, run, outcome, now)]
    return _followed(connection, asked, [_end(connection, asked[0])])[0]


def _end(connection: sa.Connection, asked: End) -> Ended:
    """Ends one attempt; a run that an operator cancelled meanwhile gets no further one."""
    _, run, outcome, now = asked
    if not attempts.end(connection, run.id, run.attempt, outcome.attempt, now, outcome.error):
        found = attempts.get(connection, run.id, run.attempt)
        mine = found is not None and (found.state, found.ended_at) == (outcome.attempt, now)
        return Ended(mine, outcome.run)
    if outcome.wait_s is None:
        return _close(connection, run, outcome.run, now, outcome)
    later = now + timedelta(seconds=outcome.wait_s) if outcome.wait_s else None  # at once, whatever clocks say
    if not runs.requeue(connection, run.id, run.attempt, later, outcome.reason):
        cancelled = replace(outcome, reason=Reason.OPERATOR)
        return _close(connection, run, RunState.CANCELLED, now, cancelled)
    locks.release(connection, run.id, [locks.LAST_CHANCE])
    return Ended(mine=True, handed=_pass_mutex_on(connection, run, now))


def close(connection: sa.Connection, book: Book, run: Run, state: RunState, now: datetime, outcome: Outcome) -> Ended:
    """Ends a run for good, passes its locks on and claims the jobs that come after."""
    ended = _close(connection, run, state, now, outcome)
    return _followed(connection, [End(book, run, outcome, now)], [ended])[0]


def _close(connection: sa.Connection, run: Run, state: RunState, now: datetime, outcome: Outcome) -> Ended:
    runs.finish(connection, run.id, state, now, outcome.reason, outcome.error)
    locks.release(connection, run.id)
    return Ended(True, state, handed=[*_pass_job_on(connection, run.job, now), *_pass_mutex_on(connection, run, now)])


def _followed(connection: sa.Connection, asked: Sequence[End], ended: Sequence[Ended]) -> list[Ended]:
    """Claims the jobs that come after the runs that ended, by the latest book, and returns what they recorded too."""
    following = [
        (place, of_parent(job, one.run, what.state, one.now))
        for place, (one, what) in enumerate(zip(asked, ended, strict=True))
        for job in one.book.followers.get(one.run.job, ())
        if what.mine and what.state.ended
    ]
    if not following:
        return list(ended)
    places = {(run.job, run.cause): place for place, run in reversed(following)}  # of two ends of a run the first
    recorded: dict[int, list[Run]] = {}
    for run in record(connection, asked[-1].book, [run for _, run in following], max(one.now for one in asked)):
        recorded.setdefault(places[run.job, run.cause], []).append(run)
    return [replace(what, recorded=recorded.get(place, [])) for place, what in enumerate(ended)]


def _pass_job_on(connection: sa.Connection, job: str, now: datetime) -> list[Waiting]:
    """Gives the job's lock to its run that has waited longest, so that a newer tick cannot overtake it."""
    return _passed(connection, locks.job_lock(job), openruns.waiting(connection, job, now), now)


def _pass_mutex_on(connection: sa.Connection, run: Run, now: datetime) -> list[Waiting]:
    """Gives the mutex that a run held to the first of those that wait for it; so no later one overtakes."""
    if run.mutex is None:
        return []
    lock = locks.mutex_lock(run.mutex)
    if locks.holders(connection, [lock]).get(lock, run.id) != run.id:
        return []  # the run waited for it too
    locks.release(connection, run.id, [lock])
    return _passed(connection, lock, openruns.next_of_mutex(connection, run.mutex, now), now)


def _passed(connection: sa.Connection, lock: str, to: Waiting | None, now: datetime) -> list[Waiting]:
    if to is None or locks.take(connection, [(lock, to.id)], now).get(lock) != to.id:
        return []
    return [to]
