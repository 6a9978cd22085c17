"""Table `runs` as one looks back at it: what became of ticks and requests, and how far runs have covered the time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.model.records import Run, RunState
from worker.store.dialect import spelled
from worker.store.runrows import ID, IS_HELD, IS_OPEN, JOB, OF_JOB, OPEN, SUCCEEDED, one_run, run_of
from worker.store.tables import runs

_IS_UNSUCCESSFUL = sa.and_(*(runs.c.state != spelled(state) for state in (*OPEN, RunState.SUCCEEDED)))
_ENDED_BEFORE = (
    OF_JOB.where(runs.c.id < ID, runs.c.state.not_in(map(spelled, OPEN))).order_by(runs.c.id.desc()).limit(1)
)
_LAST_SUCCESS = OF_JOB.where(SUCCEEDED, runs.c.window_until.is_not(None)).order_by(runs.c.window_until.desc()).limit(1)


def reach(job: sa.ColumnElement[str]) -> sa.Select[datetime | None]:
    """Returns the query for how far the successes of a job reach.

    Runs that were held to a window count where there are no others: what lies before theirs is not covered.
    """
    reached = sa.select(sa.func.max(runs.c.window_until)).where(runs.c.job == job, SUCCEEDED)
    own = reached.where(~IS_HELD)
    return sa.select(sa.func.coalesce(own.scalar_subquery(), reached.scalar_subquery()))


_COVERED = reach(JOB)


def near(connection: sa.Connection, job: str, first: str, last: str, *, newest: bool) -> Run | None:
    """Returns the run with the lowest cause from `first` to `last`, or with the highest; causes of ticks sort as time.

    It goes by the unique key, which needs no index on the tick.
    """
    order = runs.c.cause.desc() if newest else runs.c.cause.asc()
    query = sa.select(runs).where(runs.c.job == job, runs.c.cause >= first, runs.c.cause <= last)
    return one_run(connection, query.order_by(order).limit(1))


def listing(
    connection: sa.Connection,
    job: str | None = None,
    states: Iterable[RunState] = (),
    limit: int = 50,
    before: int | None = None,
) -> list[Run]:
    """Returns runs, newest first, of one job or of all.

    Each state is asked for by itself: its index has the newest first, and no table is sorted for a few rows.
    """
    query = sa.select(runs).limit(limit)
    if job is not None:
        query = query.where(runs.c.job == job)
    if before is not None:
        query = query.where(runs.c.id < before)
    queries = [_of_state(query, state) for state in dict.fromkeys(states)] or [query.order_by(runs.c.id.desc())]
    found = [run_of(row) for one in queries for row in connection.execute(one)]
    return sorted(found, key=lambda run: run.id, reverse=True)[:limit]


def _of_state(query: sa.Select[Any], state: RunState) -> sa.Select[Any]:
    """Returns the query for runs in a state, with the words of the index that holds them."""
    there = query.where(runs.c.state == spelled(state))
    if not state.ended:  # the sum keeps databases from looking for a few runs through the whole table in its order
        return there.where(IS_OPEN).order_by((runs.c.id + 0).desc())
    if state is not RunState.SUCCEEDED:
        there = there.where(_IS_UNSUCCESSFUL)
    return there.order_by(runs.c.id.desc())


def ended_before(connection: sa.Connection, run: Run) -> Run | None:
    """Returns the run of the same job before this one that has ended, whatever became of it."""
    return one_run(connection, _ENDED_BEFORE, of_job=run.job, of_id=run.id)


def last_success(connection: sa.Connection, job: str) -> Run | None:
    """Returns the run of a job that covered the latest time, of those that succeeded."""
    return one_run(connection, _LAST_SUCCESS, of_job=job)


def covered(connection: sa.Connection, job: str) -> datetime | None:
    """Returns up to when runs of a job have covered the time; None before the first that succeeded."""
    return connection.scalar(_COVERED, {"of_job": job})


def states_of(connection: sa.Connection, job: str, causes: str) -> dict[RunState, int]:
    """Returns how many of a job's runs stand in each state, of those whose cause begins so."""
    among = runs.c.cause.between(f"{causes}0", f"{causes}9999")  # years: found by the unique key
    query = sa.select(runs.c.state, sa.func.count()).where(runs.c.job == job, among, runs.c.cause.startswith(causes))
    return {RunState(state): count for state, count in connection.execute(query.group_by(runs.c.state))}
