"""Table `runs`: those that have not ended, what of them may start, who waits, which are to be cancelled."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa

from worker.model.records import Run, Trigger
from worker.store.dialect import spelled
from worker.store.many import among
from worker.store.runrows import IS_OPEN, IS_QUEUED, JOB, NOW, OF_JOB, run_of
from worker.store.tables import jobs, locks, runs


class Waiting(NamedTuple):
    """A run that the engine is to be handed: who has waited longest goes first, within a priority."""

    id: int
    priority: int


def _held_by_other(kind: str, name: sa.ColumnElement[str | None]) -> sa.ColumnElement[bool]:
    """Tells whether another run holds the lock that a row of `runs` needs."""
    held = sa.select(locks.c.name).where(locks.c.name == sa.literal(f"{kind}:") + name, locks.c.run_id != runs.c.id)
    return held.exists()


_TIME_HAS_COME = sa.or_(runs.c.not_before.is_(None), runs.c.not_before <= NOW)
_BY_HAND = runs.c.trigger.in_(spelled(one) for one in Trigger if one.by_hand)
_HELD = (  # somebody paused the job, or it is in quarantine
    sa.select(jobs.c.name)
    .where(jobs.c.name == runs.c.job, jobs.c.paused_at.is_not(None))
    .where(sa.or_(jobs.c.quarantined_at.is_not(None), ~_BY_HAND))
    .exists()
)
_DUE = (
    sa.select(runs.c.id, runs.c.priority)
    .where(IS_OPEN, IS_QUEUED, _TIME_HAS_COME, ~_HELD)
    .where(~_held_by_other("job", runs.c.job), ~_held_by_other("mutex", runs.c.mutex))
    .order_by(runs.c.priority.desc(), runs.c.id)
    .limit(sa.bindparam("most"))
)
_NEXT_OF_MUTEX = (
    sa.select(runs.c.id, runs.c.priority)
    .where(IS_QUEUED, runs.c.mutex == sa.bindparam("mutex"), _TIME_HAS_COME, ~_HELD, ~_held_by_other("job", runs.c.job))
    .order_by(runs.c.priority.desc(), runs.c.id)
    .limit(1)
)
_WAITING = (
    sa.select(runs.c.id, runs.c.priority, runs.c.trigger)
    .where(runs.c.job == JOB, IS_OPEN, IS_QUEUED, _TIME_HAS_COME)
    .order_by(runs.c.id)
    .limit(1)
)
_OPEN_OF = OF_JOB.where(IS_OPEN).order_by(runs.c.id).limit(sa.bindparam("most"))
_OPEN_JOBS = sa.select(runs.c.id, runs.c.job).where(IS_OPEN)
_TO_CANCEL = sa.select(runs.c.id, runs.c.cancel_asked_by).where(IS_OPEN, runs.c.cancel_asked_at.is_not(None))


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


def waiting(connection: sa.Connection, job: str, now: datetime) -> Waiting | None:
    """Returns the job's queued run that has waited longest, of those whose time has come; a backfill's come last."""
    values = {"of_job": job, "now": now}
    row = connection.execute(_WAITING, values).first()
    if row and row.trigger == Trigger.BACKFILL:
        row = connection.execute(_WAITING.where(runs.c.trigger != Trigger.BACKFILL), values).first() or row
    return Waiting(row.id, row.priority) if row else None


def open_of(connection: sa.Connection, job: str, limit: int = 20) -> list[Run]:
    """Returns the job's runs that have not ended, oldest first."""
    return [run_of(row) for row in connection.execute(_OPEN_OF, {"of_job": job, "most": limit})]


def open_jobs(connection: sa.Connection) -> list[tuple[int, str]]:
    """Returns (id, job) of every run that has not ended."""
    return sorted((row.id, row.job) for row in connection.execute(_OPEN_JOBS))


def filling_only(connection: sa.Connection, jobs: Sequence[str]) -> set[str]:
    """Returns those of these jobs that have open runs, all of them of a backfill."""
    return set(connection.scalars(_filling_only(connection.dialect.name), {"names": list(jobs)}))


@cache
def _filling_only(dialect: str) -> sa.Select[tuple[str]]:
    others = sa.func.sum(sa.case((runs.c.trigger == Trigger.BACKFILL, 0), else_=1))
    of_these = sa.select(runs.c.job).where(among(dialect, runs.c.job, "names"), IS_OPEN)
    return of_these.group_by(runs.c.job).having(others == 0)


def ask_cancel(connection: sa.Connection, run_id: int, by: str, now: datetime) -> None:
    """Notes on an open run who asked first that it be cancelled, and when."""
    change = sa.update(runs).where(runs.c.id == run_id, IS_OPEN, runs.c.cancel_asked_at.is_(None))
    connection.execute(change.values(cancel_asked_by=by, cancel_asked_at=now))


def to_cancel(connection: sa.Connection) -> dict[int, str]:
    """Returns who asked that each open run be cancelled, by the runs' ids."""
    return {row.id: row.cancel_asked_by or "" for row in connection.execute(_TO_CANCEL)}


def bring_forward(connection: sa.Connection, by: timedelta, now: datetime) -> int:
    """Lets queued runs that wait for a time wait that much less, and returns how many; in order of their ids."""
    later = sa.and_(IS_OPEN, IS_QUEUED, runs.c.not_before > now)
    waiting = connection.execute(sa.select(runs.c.id, runs.c.not_before).where(later).order_by(runs.c.id)).all()
    for row in waiting:
        change = sa.update(runs).where(runs.c.id == row.id, runs.c.not_before == row.not_before)
        connection.execute(change.values(not_before=max(row.not_before - by, now)))
    return len(waiting)
