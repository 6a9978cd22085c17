"""Table `runs`: the ledger, one row for each tick or request, whatever became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from jobs.contract import Counts
from worker.model.moments import new_id
from worker.model.records import AGAIN, Reason, Run, RunState, Trigger
from worker.store.dialect import in_parts, spelled
from worker.store.many import Row, among, bound, inserting, words
from worker.store.tables import Moment, attempts, calls, jobs, locks, runs

_NAMES = tuple(column.name for column in runs.columns)
_MOMENTS = tuple(column.name for column in runs.columns if isinstance(column.type, Moment))
_INSERT = inserting(runs, _NAMES)
_COUNTS = tuple(item.name for item in fields(Counts))
_OPEN = (RunState.QUEUED, RunState.RUNNING)
HELD = (Trigger.BACKFILL, Trigger.REPLAY)
"""What causes runs over windows that are given."""
_QUEUED, _RUNNING = spelled(RunState.QUEUED), spelled(RunState.RUNNING)
_IS_OPEN = runs.c.state.in_(map(spelled, _OPEN))
_IS_QUEUED = runs.c.state == _QUEUED
_IS_UNSUCCESSFUL = runs.c.state.in_(map(spelled, ("cancelled", "failed", "missed", "skipped")))
_SUCCEEDED = runs.c.state == spelled(RunState.SUCCEEDED)
_IS_HELD = runs.c.trigger.in_(map(spelled, HELD))
_ID, _JOB = sa.bindparam("of_id", type_=sa.BigInteger()), sa.bindparam("of_job", type_=sa.Text())
_NOW = sa.bindparam("now", type_=Moment())
# Statements are built once: to build one takes several times as long as to run it.
_ONE = sa.select(runs).where(runs.c.id == _ID)
_LOCKED, _FREE = _ONE.with_for_update(), _ONE.with_for_update(skip_locked=True)
_OF_JOB = sa.select(runs).where(runs.c.job == _JOB)


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


def _first(connection: sa.Connection, query: sa.Select[Any], **values: object) -> Run | None:
    row = connection.execute(query, values).first()
    return run_of(row) if row else None


@cache
def _standing(dialect: str) -> sa.Select[tuple[int, str, str]]:
    return sa.select(runs.c.id, runs.c.job, runs.c.cause).where(among(dialect, runs.c.id, "ids"))


def claim(connection: sa.Connection, candidates: Sequence[Run]) -> list[Run]:
    """Inserts the runs whose (job, cause) has no row yet, and returns those: all others lost the race, in silence.

    The ids tell whose row stands, so that asking again after an unknown commit gives the same answer. One whose id
    another process gave to another run at that moment gets a new id.
    """
    if _INSERT.execute(connection, [_row(connection, run) for run in candidates]) == len(candidates):
        return list(candidates)
    rows = connection.execute(_standing(connection.dialect.name), {"ids": [run.id for run in candidates]})
    stands = {row.id: (row.job, row.cause) for row in rows}
    won = [run for run in candidates if stands.get(run.id) == (run.job, run.cause)]
    clashing = [run for run in candidates if stands.get(run.id, (run.job, run.cause)) != (run.job, run.cause)]
    return [*won, *claim(connection, [replace(run, id=new_id()) for run in clashing])] if clashing else won


def get(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run."""
    return _first(connection, _ONE, of_id=run_id)


def locked(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run, locked until the transaction ends."""
    return _first(connection, _LOCKED, of_id=run_id)


def free(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run, locked until the transaction ends; None too where another node's transaction has it now."""
    return _first(connection, _FREE, of_id=run_id)


_BY_CAUSE = _OF_JOB.where(runs.c.cause == sa.bindparam("of_cause"))


def by_cause(connection: sa.Connection, job: str, cause: str) -> Run | None:
    """Returns the run that one tick or request became."""
    return _first(connection, _BY_CAUSE, of_job=job, of_cause=cause)


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
    there = query.where(runs.c.state == spelled(state))
    if not state.ended:  # the sum keeps databases from looking for a few runs through the whole table in its order
        return there.where(_IS_OPEN).order_by((runs.c.id + 0).desc())
    if state is not RunState.SUCCEEDED:
        there = there.where(_IS_UNSUCCESSFUL)
    return there.order_by(runs.c.id.desc())


def _held_by_other(kind: str, name: sa.ColumnElement[str | None]) -> sa.ColumnElement[bool]:
    """Tells whether another run holds the lock that a row of `runs` needs."""
    held = sa.select(locks.c.name).where(locks.c.name == sa.literal(f"{kind}:") + name, locks.c.run_id != runs.c.id)
    return held.exists()


_TIME_HAS_COME = sa.or_(runs.c.not_before.is_(None), runs.c.not_before <= _NOW)
_BY_HAND = runs.c.trigger.in_(spelled(one) for one in Trigger if one.by_hand)
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


_ENDED_BEFORE = (
    _OF_JOB.where(runs.c.id < _ID, runs.c.state.not_in(map(spelled, _OPEN))).order_by(runs.c.id.desc()).limit(1)
)
_LAST_SUCCESS = (
    _OF_JOB.where(_SUCCEEDED, runs.c.window_until.is_not(None)).order_by(runs.c.window_until.desc()).limit(1)
)


def ended_before(connection: sa.Connection, run: Run) -> Run | None:
    """Returns the run of the same job before this one that has ended, whatever became of it."""
    return _first(connection, _ENDED_BEFORE, of_job=run.job, of_id=run.id)


def last_success(connection: sa.Connection, job: str) -> Run | None:
    """Returns the run of a job that covered the latest time, of those that succeeded."""
    return _first(connection, _LAST_SUCCESS, of_job=job)


def _covered(job: sa.ColumnElement[str]) -> sa.Select[datetime | None]:
    """Runs that were held to a window count where there are no others: what lies before theirs is not covered."""
    reached = sa.select(sa.func.max(runs.c.window_until)).where(runs.c.job == job, _SUCCEEDED)
    own = reached.where(~_IS_HELD)
    return sa.select(sa.func.coalesce(own.scalar_subquery(), reached.scalar_subquery()))


_COVERED = _covered(_JOB)
_JOB_OF_RUN = sa.select(runs.c.job).where(runs.c.id == _ID).scalar_subquery()
_BEGIN = (
    sa.update(runs)
    .where(runs.c.id == _ID, _IS_QUEUED, runs.c.attempt == sa.bindparam("number") - 1)
    .values(
        state=_RUNNING,
        attempt=sa.bindparam("number"),
        started_at=sa.func.coalesce(runs.c.started_at, _NOW),
        window_since=sa.case(
            (_IS_HELD, runs.c.window_since),
            else_=sa.func.coalesce(runs.c.window_since, _covered(_JOB_OF_RUN).scalar_subquery()),
        ),
        window_until=sa.func.coalesce(runs.c.window_until, runs.c.tick, runs.c.created_at),
        not_before=sa.null(),
        reason=sa.null(),
        definition_hash=sa.bindparam("hash"),
    )
)
_REQUEUE = (
    sa.update(runs)
    .where(runs.c.id == _ID, runs.c.state == _RUNNING, runs.c.attempt == sa.bindparam("number"))
    .where(runs.c.cancel_asked_at.is_(None))
    .values(state=_QUEUED, not_before=sa.bindparam("until"), reason=sa.bindparam("why"))
)


def covered(connection: sa.Connection, job: str) -> datetime | None:
    """Returns up to when runs of a job have covered the time; None before the first that succeeded."""
    return connection.scalar(_COVERED, {"of_job": job})


def begin(connection: sa.Connection, run_id: int, number: int, now: datetime, definition_hash: str) -> bool:
    """Moves a queued run to running with attempt `number`; False where it is not queued or not at that number."""
    values = {"of_id": run_id, "number": number, "now": now, "hash": definition_hash}
    return connection.execute(_BEGIN, values).rowcount == 1


def requeue(
    connection: sa.Connection,
    run_id: int,
    number: int,
    not_before: datetime | None,
    reason: Reason | None = None,
) -> bool:
    """Puts a running run back into the queue for its next attempt; False where it was asked to end."""
    values = {"of_id": run_id, "number": number, "until": not_before, "why": reason}
    return connection.execute(_REQUEUE, values).rowcount == 1


def ask_cancel(connection: sa.Connection, run_id: int, by: str, now: datetime) -> None:
    """Notes on an open run who asked first that it be cancelled, and when."""
    change = sa.update(runs).where(runs.c.id == run_id, _IS_OPEN, runs.c.cancel_asked_at.is_(None))
    connection.execute(change.values(cancel_asked_by=by, cancel_asked_at=now))


_TO_CANCEL = sa.select(runs.c.id, runs.c.cancel_asked_by).where(_IS_OPEN, runs.c.cancel_asked_at.is_not(None))


def to_cancel(connection: sa.Connection) -> dict[int, str]:
    """Returns who asked that each open run be cancelled, by the runs' ids."""
    return {row.id: row.cancel_asked_by or "" for row in connection.execute(_TO_CANCEL)}


def _total(name: str) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(sa.func.sum(attempts.c[name]), 0)).where(attempts.c.run_id == _ID).scalar_subquery()
    )


_FINISH = (
    sa.update(runs)
    .where(runs.c.id == _ID, _IS_OPEN)
    .values({name: _total(name) for name in _COUNTS if name != "expected"})
    .values(
        calls=sa.select(sa.func.count()).select_from(calls).where(calls.c.run_id == _ID).scalar_subquery(),
        state=sa.bindparam("ended"),
        finished_at=_NOW,
        not_before=sa.null(),
        reason=sa.bindparam("why"),
        error_kind=sa.bindparam("kind"),
        error=sa.bindparam("message"),
    )
)


def finish(
    connection: sa.Connection,
    run_id: int,
    state: RunState,
    now: datetime,
    reason: Reason | None = None,
    error: tuple[str, str] | None = None,
) -> bool:
    """Ends an open run with the totals of all its attempts; `error` is (kind, message). False where it had ended."""
    kind, message = error or (None, None)
    values = {"of_id": run_id, "ended": state, "now": now, "why": reason, "kind": kind, "message": message}
    return connection.execute(_FINISH, values).rowcount == 1


def skip(connection: sa.Connection, ids: Sequence[int], reason: Reason, now: datetime) -> None:
    """Ends queued runs that never happen."""
    for part in in_parts(ids):
        change = sa.update(runs).where(runs.c.id.in_(part), runs.c.state == RunState.QUEUED)
        connection.execute(change.values(state=RunState.SKIPPED, reason=reason, finished_at=now))


_LATEST = (
    sa.select(runs.c.id, runs.c.tick, runs.c.state, runs.c.reason, runs.c.cause)
    .where(runs.c.job == _JOB)
    .order_by(runs.c.id.desc())
    .limit(1)
)
_EXTEND = (
    sa.update(runs)
    .where(runs.c.id == _ID)
    .values(tick_until=sa.bindparam("until"), ticks=runs.c.ticks + sa.bindparam("more"), finished_at=_NOW)
)


def extend_skip(connection: sa.Connection, run: Run) -> bool:
    """Adds skipped ticks to the job's latest row, where that row is a skip for the same reason; else False."""
    row = connection.execute(_LATEST, {"of_job": run.job}).first()
    if row is None or row.tick is None or (row.state, row.reason) != (RunState.SKIPPED, run.reason):
        return False
    if AGAIN in row.cause:
        return False
    more = {"of_id": row.id, "until": run.tick_until or run.tick, "more": run.ticks, "now": run.finished_at}
    connection.execute(_EXTEND, more)
    return True


_WAITING = (
    sa.select(runs.c.id, runs.c.priority, runs.c.trigger)
    .where(runs.c.job == _JOB, _IS_OPEN, _IS_QUEUED, _TIME_HAS_COME)
    .order_by(runs.c.id)
    .limit(1)
)


def waiting(connection: sa.Connection, job: str, now: datetime) -> Waiting | None:
    """Returns the job's queued run that has waited longest, of those whose time has come; a backfill's come last."""
    values = {"of_job": job, "now": now}
    row = connection.execute(_WAITING, values).first()
    if row and row.trigger == Trigger.BACKFILL:
        row = connection.execute(_WAITING.where(runs.c.trigger != Trigger.BACKFILL), values).first() or row
    return Waiting(row.id, row.priority) if row else None


_OPEN_OF = _OF_JOB.where(_IS_OPEN).order_by(runs.c.id).limit(sa.bindparam("most"))


def open_of(connection: sa.Connection, job: str, limit: int = 20) -> list[Run]:
    """Returns the job's runs that have not ended, oldest first."""
    return [run_of(row) for row in connection.execute(_OPEN_OF, {"of_job": job, "most": limit})]


def filling_only(connection: sa.Connection, jobs: Sequence[str]) -> set[str]:
    """Returns those of these jobs that have open runs, all of them of a backfill."""
    return set(connection.scalars(_filling_only(connection.dialect.name), {"names": list(jobs)}))


@cache
def _filling_only(dialect: str) -> sa.Select[tuple[str]]:
    others = sa.func.sum(sa.case((runs.c.trigger == Trigger.BACKFILL, 0), else_=1))
    of_these = sa.select(runs.c.job).where(among(dialect, runs.c.job, "names"), _IS_OPEN)
    return of_these.group_by(runs.c.job).having(others == 0)


def states_of(connection: sa.Connection, job: str, causes: str) -> dict[RunState, int]:
    """Returns how many of a job's runs stand in each state, of those whose cause begins so."""
    among = runs.c.cause.between(f"{causes}0", f"{causes}9999")  # years: found by the unique key
    query = sa.select(runs.c.state, sa.func.count()).where(runs.c.job == job, among, runs.c.cause.startswith(causes))
    return {RunState(state): count for state, count in connection.execute(query.group_by(runs.c.state))}


_OPEN_JOBS = sa.select(runs.c.id, runs.c.job).where(_IS_OPEN)


def open_jobs(connection: sa.Connection) -> list[tuple[int, str]]:
    """Returns (id, job) of every run that has not ended."""
    return sorted((row.id, row.job) for row in connection.execute(_OPEN_JOBS))


def bring_forward(connection: sa.Connection, by: timedelta, now: datetime) -> int:
    """Lets queued runs that wait for a time wait that much less, and returns how many; in order of their ids."""
    later = sa.and_(_IS_OPEN, _IS_QUEUED, runs.c.not_before > now)
    waiting = connection.execute(sa.select(runs.c.id, runs.c.not_before).where(later).order_by(runs.c.id)).all()
    for row in waiting:
        change = sa.update(runs).where(runs.c.id == row.id, runs.c.not_before == row.not_before)
        connection.execute(change.values(not_before=max(row.not_before - by, now)))
    return len(waiting)
