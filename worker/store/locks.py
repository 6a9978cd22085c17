"""Table `locks`: `job:NAME` is held by a job's one run from its claim to its end, `mutex:NAME` by one attempt.

A mutex that is passed on belongs to the run that waited for it, before its attempt begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter

import sqlalchemy as sa

from worker.model.records import Run
from worker.store.dialect import spelled
from worker.store.many import among, binding, inserting
from worker.store.tables import locks, runs

LAST_CHANCE = "last chance"
"""LockHolder by the one run whose process died in its last two attempts and that is tried once more."""

_INSERT = inserting(locks, ["name", "run_id", "attempt", "taken_at"])
_HELD = sa.select(locks.c.run_id, locks.c.taken_at).where(locks.c.name == sa.bindparam("lock"))
_RELEASE = sa.delete(locks).where(locks.c.run_id == sa.bindparam("run"))


def job_lock(job: str) -> str:
    """Returns the name of the lock that keeps a job's runs from overlapping."""
    return f"job:{job}"


def mutex_lock(mutex: str) -> str:
    """Returns the name of the lock that keeps runs of different jobs from overlapping."""
    return f"mutex:{mutex}"


def of_run(run: Run) -> list[str]:
    """Returns the locks that a run has to hold while an attempt of it runs, in the order they are taken in."""
    return [job_lock(run.job), *([mutex_lock(run.mutex)] if run.mutex is not None else [])]


def take(connection: sa.Connection, wanted: Sequence[tuple[str, int]], now: datetime) -> dict[str, int]:
    """Takes each free lock of `wanted` (name, run) and returns who holds each name now.

    Names are taken in sorted order, so that two nodes never wait for each other.
    """
    at = binding(connection)(now)
    rows = [(name, run, 0, at) for name, run in sorted(wanted, key=itemgetter(0))]
    if _INSERT.execute(connection, rows) == len(rows):
        return dict(wanted)
    return holders(connection, [name for name, _ in wanted])


def holders(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
    """Returns the run that holds each lock of `names` that is held."""
    rows = connection.execute(_holders(connection.dialect.name), {"names": list(names)})
    return {row.name: row.run_id for row in rows}


@cache
def _holders(dialect: str) -> sa.Select[tuple[str, int]]:
    return sa.select(locks.c.name, locks.c.run_id).where(among(dialect, locks.c.name, "names"))


@dataclass(frozen=True)
class LockHolder:
    """Who holds a lock, and since when."""

    run: int
    since: datetime


def held(connection: sa.Connection, name: str) -> LockHolder | None:
    """Returns who holds one lock."""
    row = connection.execute(_HELD, {"lock": name}).first()
    return LockHolder(*row) if row else None


def release(connection: sa.Connection, run_id: int, names: Sequence[str] = ()) -> None:
    """Gives back the locks of `names` that a run holds; without names every one."""
    connection.execute(_RELEASE.where(locks.c.name.in_(names)) if names else _RELEASE, {"run": run_id})


def release_ended(connection: sa.Connection) -> None:
    """Gives back every lock of a run that has ended, or whose row is gone; nobody else would."""
    is_open = runs.c.state.in_(map(spelled, ("queued", "running")))
    holds = sa.select(runs.c.id).where(runs.c.id == locks.c.run_id, is_open).exists()
    connection.execute(sa.delete(locks).where(~holds))
