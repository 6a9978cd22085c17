"""Table `runs`: the ledger, one row for each tick or request, whatever became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from jobs.contract import Counts
from worker.model.moments import new_id
from worker.model.records import AGAIN, Reason, Run, RunState, Trigger
from worker.store.dialect import in_parts
from worker.store.many import Row, among, bound, inserting, words
from worker.store.tables import Moment, attempts, calls, jobs, locks, runs

_NAMES = tuple(column.name for column in runs.columns)
_MOMENTS = tuple(column.name for column in runs.columns if isinstance(column.type, Moment))
_INSERT = inserting(runs, _NAMES)
_COUNTS = tuple(item.name for item in fields(Counts))
_OPEN = (RunState.QUEUED, RunState.RUNNING)
HELD = (Trigger.BACKFILL, Trigger.REPLAY)
"""What causes runs over windows that are given."""
# Spelled out in the statement: where a state is a parameter, SQLite takes no index that holds some rows only.
_IS_OPEN = runs.c.state.in_(sa.bindparam("open", [*map(str, _OPEN)], expanding=True, literal_execute=True))
_IS_QUEUED = runs.c.state == sa.literal(RunState.QUEUED, literal_execute=True)
_IS_UNSUCCESSFUL = runs.c.state.in_(
    sa.bindparam("unsuccessful", ["cancelled", "failed", "missed", "skipped"], expanding=True, literal_execute=True)
)
_SUCCEEDED = runs.c.state == sa.literal(RunState.SUCCEEDED, literal_execute=True)


class Waiting(NamedTuple):
    """A run that the engine is to be handed: who has waited longest goes first, within a priority."""

    id: int
    priority: int


def _row(connection: sa.Connection, run: Run) -> Row:
    """Returns a run's values as the driver takes them, in the table's order."""
    row = {**vars(run), **vars(run.counts)}
    row |= {name: bound(connection, row[name]) for name in _MOMENTS if row[name] is not None}
    row |= {name: row[name].value for name in ("state", "trigger", "reason") if row[name] is not None}
    row["params"] = orjson.dumps(run.params).decode()
    row["error"] = words(connection, run.error)
    return tuple([row[name] for name in _NAMES])


def run_of(row: Sequence[Any]) -> Run:
    """Returns the run of a row that begins with all columns of the table."""
    values = dict(zip(_NAMES, row, strict=False))
    counts = Counts(*[values.pop(name) for name in _COUNTS])
    values["state"] = RunState(values["state"])
    values["trigger"] = Trigger(values["trigger"])
    values["reason"] = Reason(values["reason"]) if values["reason"] else None
    return Run(**values, counts=counts)


def _first(connection: sa.Connection, query: sa.Select[Any]) -> Run | None:
    row = connection.execute(query).first()
    return run_of(row) if row else None


def claim(connection: sa.Connection, candidates: Sequence[Run]) -> list[Run]:
    """Inserts the runs whose (job, cause) has no row yet, and returns those: all others lost the race, in silence.

    The ids tell whose row stands, so that asking again after an unknown commit gives the same answer. One whose id
    another process gave to another run at that moment gets a new id.
    """
    _INSERT.execute(connection, [_row(connection, run) for run in candidates])
    standing = sa.select(runs.c.id, runs.c.job, runs.c.cause).where(among(connection.dialect.name, runs.c.id, "ids"))
    rows = connection.execute(standing, {"ids": [run.id for run in candidates]})
    stands = {run_id: (job, cause) for run_id, job, cause in rows}
    won = [run for run in candidates if stands.get(run.id) == (run.job, run.cause)]
    clashing = [run for run in candidates if stands.get(run.id, (run.job, run.cause)) != (run.job, run.cause)]
    return [*won, *claim(connection, [replace(run, id=new_id()) for run in clashing])] if clashing else won


def get(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run."""
    return _first(connection, sa.select(runs).where(runs.c.id == run_id))


def locked(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run, locked until the transaction ends."""
    return _first(connection, sa.select(runs).where(runs.c.id == run_id).with_for_update())


def free(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run, locked until the transaction ends; None too where another node's transaction has it now."""
    query = sa.select(runs).where(runs.c.id == run_id).with_for_update(skip_locked=True)
    return _first(connection, query)


def by_cause(connection: sa.Connection, job: str, cause: str) -> Run | None:
    """Returns the run that one tick or request became."""
    query = sa.select(runs).where(runs.c.job == job, runs.c.cause == cause)
    return _first(connection, query)


def near(connection: sa.Connection, job: str, first: str, last: str, *, newest: bool) -> Run | None:
    """Returns the run with the lowest cause from `first` to `last`, or with the highest; causes of ticks sort as time.

    It goes by the unique key, which needs no index on the tick.
    """
    order = runs.c.cause.desc() if newest else runs.c.cause.asc()
    query = sa.select(runs).where(runs.c.job == job, runs.c.cause >= first, runs.c.cause <= last)
    return _first(connection, query.order_by(order).limit(1))


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
    there = query.where(runs.c.state == sa.literal(state, literal_execute=True))
    if not state.ended:  # the sum keeps databases from looking for a few runs through the whole table in its order
        return there.where(_IS_OPEN).order_by((runs.c.id + 0).desc())
    if state is not RunState.SUCCEEDED:
        there = there.where(_IS_UNSUCCESSFUL)
    return there.order_by(runs.c.id.desc())


def _held_by_other(kind: str, name: sa.ColumnElement[str | None]) -> sa.ColumnElement[bool]:
    """Tells whether another run holds the lock that a row of `runs` needs."""
    held = sa.select(locks.c.name).where(locks.c.name == sa.literal(f"{kind}:") + name, locks.c.run_id != runs.c.id)
    return held.exists()


_TIME_HAS_COME = sa.or_(runs.c.not_before.is_(None), runs.c.not_before <= sa.bindparam("now", type_=Moment()))
# Spelled out, as above: the plan must not depend on it.
_BY_HAND = sa.or_(*(runs.c.trigger == sa.literal(one, literal_execute=True) for one in Trigger if one.by_hand))
_HELD = (  # somebody paused the job, or it is in quarantine
    sa.select(jobs.c.name)
    .where(jobs.c.name == runs.c.job, jobs.c.paused_at.is_not(None))
    .where(sa.or_(jobs.c.quarantined_at.is_not(None), ~_BY_HAND))
    .exists()
)
_DUE = (
    sa.select(runs.c.id, runs.c.priority)
    .where(_IS_OPEN, _IS_QUEUED, _TIME_HAS_COME, ~_HELD)
    .where(~_held_by_other("job", runs.c.job), ~_held_by_other("mutex", runs.c.mutex))
    .order_by(runs.c.priority.desc(), runs.c.id)
    .limit(sa.bindparam("most"))
)
_NEXT_OF_MUTEX = (
    sa.select(runs.c.id, runs.c.priority)
    .where(
        _IS_QUEUED, runs.c.mutex == sa.bindparam("mutex"), _TIME_HAS_COME, ~_HELD, ~_held_by_other("job", runs.c.job)
    )
    .order_by(runs.c.priority.desc(), runs.c.id)
    .limit(1)
)


def due(connection: sa.Connection, now: datetime, held: Sequence[str] = (), limit: int = 1000) -> list[Waiting]:
    """Returns the queued runs that may start now: their time has come, no other run holds their job or mutex.

    Left out are those of jobs that are paused or in quarantine, and of the jobs `held`.
    """
    query = _DUE.where(runs.c.job.not_in(held)) if held else _DUE
    return [Waiting(*row) for row in connection.execute(query, {"now": now, "most": limit})]


def next_of_mutex(connection: sa.Connection, mutex: str, now: datetime) -> Waiting | None:
    """Returns the run that a mutex is passed on to: of those that could run, the highest, then the oldest."""
    row = connection.execute(_NEXT_OF_MUTEX, {"mutex": mutex, "now": now}).first()
    return Waiting(*row) if row else None


def ended_before(connection: sa.Connection, run: Run) -> Run | None:
    """Returns the run of the same job before this one that has ended, whatever became of it."""
    query = sa.select(runs).where(runs.c.job == run.job, runs.c.id < run.id, runs.c.state.not_in(_OPEN))
    return _first(connection, query.order_by(runs.c.id.desc()).limit(1))


def last_success(connection: sa.Connection, job: str) -> Run | None:
    """Returns the run of a job that covered the latest time, of those that succeeded."""
    query = sa.select(runs).where(runs.c.job == job, _SUCCEEDED, runs.c.window_until.is_not(None))
    return _first(connection, query.order_by(runs.c.window_until.desc()).limit(1))


def covered(connection: sa.Connection, job: str) -> datetime | None:
    """Returns up to when runs of a job have covered the time; None before the first that succeeded."""
    return connection.scalar(_covered(job))


def _covered(job: str | sa.ScalarSelect[str]) -> sa.Select[datetime | None]:
    """Runs that were held to a window count where there are no others: what lies before theirs is not covered."""
    reached = sa.select(sa.func.max(runs.c.window_until)).where(runs.c.job == job, _SUCCEEDED)
    own = reached.where(runs.c.trigger.not_in(HELD))
    return sa.select(sa.func.coalesce(own.scalar_subquery(), reached.scalar_subquery()))


def begin(connection: sa.Connection, run_id: int, number: int, now: datetime, definition_hash: str) -> bool:
    """Moves a queued run to running with attempt `number`; False where it is not queued or not at that number."""
    job = sa.select(runs.c.job).where(runs.c.id == run_id).scalar_subquery()
    change = (
        sa.update(runs)
        .where(runs.c.id == run_id, runs.c.state == RunState.QUEUED, runs.c.attempt == number - 1)
        .values(
            state=RunState.RUNNING,
            attempt=number,
            started_at=sa.func.coalesce(runs.c.started_at, sa.bindparam("now", now, type_=runs.c.started_at.type)),
            window_since=sa.case(
                (runs.c.trigger.in_(HELD), runs.c.window_since),
                else_=sa.func.coalesce(runs.c.window_since, _covered(job).scalar_subquery()),
            ),
            window_until=sa.func.coalesce(runs.c.window_until, runs.c.tick, runs.c.created_at),
            not_before=None,
            reason=None,
            definition_hash=definition_hash,
        )
    )
    return connection.execute(change).rowcount == 1


def requeue(
    connection: sa.Connection,
    run_id: int,
    number: int,
    not_before: datetime | None,
    reason: Reason | None = None,
) -> bool:
    """Puts a running run back into the queue for its next attempt; False where it was asked to end."""
    change = (
        sa.update(runs)
        .where(runs.c.id == run_id, runs.c.state == RunState.RUNNING, runs.c.attempt == number)
        .where(runs.c.cancel_asked_at.is_(None))
        .values(state=RunState.QUEUED, not_before=not_before, reason=reason)
    )
    return connection.execute(change).rowcount == 1


def ask_cancel(connection: sa.Connection, run_id: int, by: str, now: datetime) -> None:
    """Notes on an open run who asked first that it be cancelled, and when."""
    change = sa.update(runs).where(runs.c.id == run_id, _IS_OPEN, runs.c.cancel_asked_at.is_(None))
    connection.execute(change.values(cancel_asked_by=by, cancel_asked_at=now))


def to_cancel(connection: sa.Connection) -> dict[int, str]:
    """Returns who asked that each open run be cancelled, by the runs' ids."""
    query = sa.select(runs.c.id, runs.c.cancel_asked_by).where(_IS_OPEN, runs.c.cancel_asked_at.is_not(None))
    return {row.id: row.cancel_asked_by or "" for row in connection.execute(query)}


def finish(
    connection: sa.Connection,
    run_id: int,
    state: RunState,
    now: datetime,
    reason: Reason | None = None,
    error: tuple[str, str] | None = None,
) -> bool:
    """Ends an open run with the totals of all its attempts; `error` is (kind, message). False where it had ended."""
    totals = {
        name: sa.select(sa.func.coalesce(sa.func.sum(attempts.c[name]), 0))
        .where(attempts.c.run_id == run_id)
        .scalar_subquery()
        for name in _COUNTS
        if name != "expected"
    }
    made = sa.select(sa.func.count()).select_from(calls).where(calls.c.run_id == run_id).scalar_subquery()
    change = (
        sa.update(runs)
        .where(runs.c.id == run_id, runs.c.state.in_(_OPEN))
        .values(
            **totals,
            calls=made,
            state=state,
            finished_at=now,
            not_before=None,
            reason=reason,
            error_kind=error[0] if error else None,
            error=error[1] if error else None,
        )
    )
    return connection.execute(change).rowcount == 1


def skip(connection: sa.Connection, ids: Sequence[int], reason: Reason, now: datetime) -> None:
    """Ends queued runs that never happen."""
    for part in in_parts(ids):
        change = sa.update(runs).where(runs.c.id.in_(part), runs.c.state == RunState.QUEUED)
        connection.execute(change.values(state=RunState.SKIPPED, reason=reason, finished_at=now))


def extend_skip(connection: sa.Connection, run: Run) -> bool:
    """Adds skipped ticks to the job's latest row, where that row is a skip for the same reason; else False."""
    latest = sa.select(runs).where(runs.c.job == run.job).order_by(runs.c.id.desc()).limit(1)
    row = connection.execute(latest).mappings().first()
    if row is None or row["tick"] is None or (row["state"], row["reason"]) != (RunState.SKIPPED, run.reason):
        return False
    if AGAIN in row["cause"]:
        return False
    change = sa.update(runs).where(runs.c.id == row["id"])
    until, ticks = run.tick_until or run.tick, runs.c.ticks + run.ticks
    connection.execute(change.values(tick_until=until, ticks=ticks, finished_at=run.finished_at))
    return True


def waiting(connection: sa.Connection, job: str, now: datetime) -> Waiting | None:
    """Returns the job's queued run that has waited longest, of those whose time has come; a backfill's come last."""
    of_job = runs.c.job == job, _IS_OPEN, _IS_QUEUED, _TIME_HAS_COME
    query = sa.select(runs.c.id, runs.c.priority, runs.c.trigger).where(*of_job).order_by(runs.c.id).limit(1)
    row = connection.execute(query, {"now": now}).first()
    if row and row.trigger == Trigger.BACKFILL:
        row = connection.execute(query.where(runs.c.trigger != Trigger.BACKFILL), {"now": now}).first() or row
    return Waiting(row.id, row.priority) if row else None


def open_of(connection: sa.Connection, job: str, limit: int = 20) -> list[Run]:
    """Returns the job's runs that have not ended, oldest first."""
    query = sa.select(runs).where(runs.c.job == job, _IS_OPEN).order_by(runs.c.id).limit(limit)
    return [run_of(row) for row in connection.execute(query)]


def filling_only(connection: sa.Connection, jobs: Sequence[str]) -> set[str]:
    """Returns those of these jobs that have open runs, all of them of a backfill."""
    found: set[str] = set()
    others = sa.func.sum(sa.case((runs.c.trigger == Trigger.BACKFILL, 0), else_=1))
    for part in in_parts(jobs):
        query = sa.select(runs.c.job).where(runs.c.job.in_(part), _IS_OPEN).group_by(runs.c.job).having(others == 0)
        found.update(connection.scalars(query))
    return found


def states_of(connection: sa.Connection, job: str, causes: str) -> dict[RunState, int]:
    """Returns how many of a job's runs stand in each state, of those whose cause begins so."""
    among = runs.c.cause.between(f"{causes}0", f"{causes}9999")  # years: found by the unique key
    query = sa.select(runs.c.state, sa.func.count()).where(runs.c.job == job, among, runs.c.cause.startswith(causes))
    return {RunState(state): count for state, count in connection.execute(query.group_by(runs.c.state))}


def open_jobs(connection: sa.Connection) -> list[tuple[int, str]]:
    """Returns (id, job) of every run that has not ended."""
    query = sa.select(runs.c.id, runs.c.job).where(_IS_OPEN)
    return sorted((row.id, row.job) for row in connection.execute(query))


def bring_forward(connection: sa.Connection, by: timedelta, now: datetime) -> int:
    """Lets queued runs that wait for a time wait that much less, and returns how many; in order of their ids."""
    later = sa.and_(_IS_OPEN, _IS_QUEUED, runs.c.not_before > now)
    waiting = connection.execute(sa.select(runs.c.id, runs.c.not_before).where(later).order_by(runs.c.id)).all()
    for row in waiting:
        change = sa.update(runs).where(runs.c.id == row.id, runs.c.not_before == row.not_before)
        connection.execute(change.values(not_before=max(row.not_before - by, now)))
    return len(waiting)
