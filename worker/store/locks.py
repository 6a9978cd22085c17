"""Table `locks`: `job:NAME` is held by the one run of a job that has not ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.store.dialect import in_parts, insert_new
from worker.store.tables import locks


def job_lock(job: str) -> str:
    """Returns the name of the lock that keeps a job's runs from overlapping."""
    return f"job:{job}"


def take(connection: sa.Connection, wanted: Sequence[tuple[str, int]], now: datetime) -> dict[str, int]:
    """Takes each free lock of `wanted` (name, run) and returns who holds each name now.

    Names are taken in sorted order, so that two nodes never wait for each other.
    """
    rows = [{"name": name, "run_id": run, "attempt": 0, "taken_at": now} for name, run in sorted(wanted)]
    insert_new(connection, locks, rows)
    return holders(connection, [name for name, _ in wanted])


def holders(connection: sa.Connection, names: Sequence[str]) -> dict[str, int]:
    """Returns the run that holds each lock of `names` that is held."""
    found: dict[str, int] = {}
    for part in in_parts(names):
        query = sa.select(locks.c.name, locks.c.run_id).where(locks.c.name.in_(part))
        found |= {row.name: row.run_id for row in connection.execute(query)}
    return found


@dataclass(frozen=True)
class Held:
    """Who holds a lock, and since when."""

    run: int
    since: datetime


def held(connection: sa.Connection, name: str) -> Held | None:
    """Returns who holds one lock."""
    row = connection.execute(sa.select(locks.c.run_id, locks.c.taken_at).where(locks.c.name == name)).first()
    return Held(*row) if row else None


def release(connection: sa.Connection, run_id: int) -> None:
    """Gives back every lock a run holds."""
    connection.execute(sa.delete(locks).where(locks.c.run_id == run_id))
