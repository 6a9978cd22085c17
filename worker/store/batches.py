"""What each run costs, for many runs in a handful of statements: first attempts that start, and that end.

Only what is plain is done here. Runs that wait for a lock, retries, followers and races take the longer way, one by
one: see `runs/starting` and `runs/ending`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from worker.model.records import AttemptState, Run, RunState
from worker.store.dialect import spelled
from worker.store.many import among, binding, changing, deleting, inserting, words
from worker.store.runrows import HELD
from worker.store.tables import attempts, calls, jobs, locks, runs

_SUMMED = ("read", "written", "unchanged", "deleted", "rejected", "pages")
# What is open is told by the moment that is missing. By its state PostgreSQL would look it up in the index of what is
# open, and pass all that was so since its last vacuum: ten thousand entries a batch.
_BEGIN = inserting(attempts, ["run_id", "number", "node_id", "state", "started_at"])
_START = changing(
    runs,
    "state = 'running', attempt = 1, started_at = given.started_at, window_since = given.window_since, "
    "window_until = given.window_until, not_before = NULL, reason = NULL, definition_hash = given.definition_hash",
    ["of_id", "started_at", "window_since", "window_until", "definition_hash"],
    "id = given.of_id AND attempt = 0 AND finished_at IS NULL",
)
_END = changing(
    attempts,
    "state = given.state, ended_at = given.ended_at, error_kind = given.error_kind, error = given.error",
    ["of_run_id", "of_number", "state", "ended_at", "error_kind", "error"],
    "run_id = given.of_run_id AND number = given.of_number AND attempts.ended_at IS NULL",
)
_RELEASE = deleting(locks, "run_id")
_FINISH = changing(
    runs,
    ", ".join(f"{name} = given.{name}" for name in (*_SUMMED, "calls", "finished_at", "reason"))
    + ", state = given.state, not_before = NULL, error_kind = given.error_kind, error = given.error",
    ["of_id", *_SUMMED, "calls", "state", "finished_at", "reason", "error_kind", "error"],
    "id = given.of_id AND runs.finished_at IS NULL",
)


class Startable(NamedTuple):
    """A queued run that was not attempted yet; its row is locked until the transaction ends."""

    run_id: int
    holds: bool  # every lock that it needs
    paused: bool  # its job, or that is in quarantine
    covered: datetime | None  # up to when runs of its job have covered the time


class Endable(NamedTuple):
    """The first attempt of a run that is to end; its row and the run's are locked."""

    run_id: int
    calls: int
    sums: tuple[int, ...]  # of records and pages, in the order of `_SUMMED`


class Finish(NamedTuple):
    """How the first attempt of a run ends, and its run with it; both states are the same word."""

    attempt: Endable
    state: RunState
    at: datetime
    reason: str | None
    error: tuple[str, str] | None


@cache
def _startable(dialect: str) -> sa.Select[Any]:
    job = sa.select(locks.c.run_id).where(locks.c.name == sa.literal("job:") + runs.c.job).scalar_subquery()
    mutex = sa.select(locks.c.run_id).where(locks.c.name == sa.literal("mutex:") + runs.c.mutex).scalar_subquery()
    holds = sa.and_(job == runs.c.id, sa.or_(runs.c.mutex.is_(None), mutex == runs.c.id))
    job_row = sa.select(jobs.c.name).where(jobs.c.name == runs.c.job)
    still = job_row.where(sa.or_(jobs.c.paused_at.is_not(None), jobs.c.quarantined_at.is_not(None)))
    paused = still.exists().label("paused")
    past, succeeded = runs.alias("past"), spelled(RunState.SUCCEEDED)
    reached = sa.select(sa.func.max(past.c.window_until)).where(past.c.job == runs.c.job, past.c.state == succeeded)
    own = reached.where(past.c.trigger.not_in(map(spelled, HELD)))
    covered = sa.func.coalesce(own.scalar_subquery(), reached.scalar_subquery())
    query = sa.select(runs.c.id, sa.func.coalesce(holds, sa.false()).label("holds"), paused, covered.label("covered"))
    fresh = query.where(runs.c.finished_at.is_(None), runs.c.attempt == 0)
    ours = fresh.where(among(dialect, runs.c.id, "ids")).order_by(runs.c.id)
    return ours.with_for_update(skip_locked=True, of=runs)


@cache
def _endable(dialect: str) -> sa.Select[Any]:
    other, queued, running = runs.alias("other"), spelled(RunState.QUEUED), spelled(AttemptState.RUNNING)
    waits = sa.select(other.c.id).where(
        other.c.job == runs.c.job, other.c.state.in_([queued, running]), other.c.state == queued
    )
    made = sa.select(sa.func.count()).where(calls.c.run_id == attempts.c.run_id).scalar_subquery()
    query = sa.select(attempts.c.run_id, made, *(attempts.c[name] for name in _SUMMED)).join_from(attempts, runs)
    ours = query.where(among(dialect, attempts.c.run_id, "ids"), attempts.c.number == 1, ~waits.exists())
    plain = ours.where(attempts.c.ended_at.is_(None), runs.c.attempt == 1, runs.c.mutex.is_(None))
    return plain.order_by(attempts.c.run_id).with_for_update(of=[attempts, runs])


def startable(connection: sa.Connection, ids: Iterable[int]) -> dict[int, Startable]:
    """Returns those of the runs that wait for their first attempt and that no other transaction has locked just now."""
    rows = connection.execute(_startable(connection.dialect.name), {"ids": sorted(ids)})
    return {row[0]: Startable(*row) for row in rows}


def start(connection: sa.Connection, begun: Sequence[Run], node_id: int) -> None:
    """Opens the first attempt of each run; the runs are handed over as they are to stand."""
    bound, running = binding(connection), AttemptState.RUNNING.value
    opened, started = [], []
    for run in begun:
        at = bound(run.started_at)
        opened.append((run.id, 1, node_id, running, at))
        started.append((run.id, at, bound(run.window_since), bound(run.window_until), run.definition_hash))
    _BEGIN.execute(connection, opened)
    _START.execute(connection, started)


def endable(connection: sa.Connection, ids: Iterable[int]) -> dict[int, Endable]:
    """Returns the running first attempts of the runs that hold no mutex and that no run of their job waits for."""
    rows = connection.execute(_endable(connection.dialect.name), {"ids": sorted(ids)})
    return {row[0]: Endable(row[0], row[1], row[2:]) for row in rows}


def end(connection: sa.Connection, finishes: Sequence[Finish]) -> None:
    """Ends the attempts and their runs, in the order of their ids, and gives back what locks the runs held."""
    bound = binding(connection)
    ended, finished = [], []
    for (run_id, made, sums), state, moment, reason, error in sorted(finishes):
        at = bound(moment)
        kind, text = (error[0], words(connection, error[1])) if error else (None, None)
        ended.append((run_id, 1, state.value, at, kind, text))
        finished.append((run_id, *sums, made, state.value, at, reason, kind, text))
    _END.execute(connection, ended)
    _FINISH.execute(connection, finished)
    _RELEASE.execute(connection, [(row[0],) for row in ended])
