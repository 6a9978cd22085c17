"""Table `backfills`: spans of the past whose ticks become runs, a few at a time."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from worker.model.records import Backfill
from worker.store.dialect import insert_new
from worker.store.tables import backfills

_IS_OPEN = backfills.c.ended_at.is_(None)
_FREE = (
    sa.select(backfills).where(backfills.c.id == sa.bindparam("backfill"), _IS_OPEN).with_for_update(skip_locked=True)
)
_OPENED = sa.select(backfills).where(_IS_OPEN).order_by(backfills.c.id)  # asked for again and again
_TOLD = (
    sa.update(backfills)
    .where(backfills.c.id == sa.bindparam("backfill"))
    .values(told_until=sa.bindparam("tick"), ticks=sa.bindparam("count"))
)


def add(connection: sa.Connection, backfill: Backfill) -> None:
    """Adds a backfill."""
    insert_new(connection, backfills, [asdict(backfill)])


def get(connection: sa.Connection, backfill_id: int) -> Backfill | None:
    """Returns one backfill."""
    row = connection.execute(sa.select(backfills).where(backfills.c.id == backfill_id)).mappings().first()
    return Backfill(**row) if row else None


def free(connection: sa.Connection, backfill_id: int) -> Backfill | None:
    """Returns one that has not ended, locked until the transaction ends; None too where another node has it now."""
    row = connection.execute(_FREE, {"backfill": backfill_id}).mappings().first()
    return Backfill(**row) if row else None


def opened(connection: sa.Connection, job: str | None = None) -> list[Backfill]:
    """Returns those that have not ended, oldest first, of one job or of all."""
    query = _OPENED if job is None else _OPENED.where(backfills.c.job == job)
    return [Backfill(**row) for row in connection.execute(query).mappings()]


def listing(connection: sa.Connection, job: str | None = None, limit: int = 50) -> list[Backfill]:
    """Returns backfills, newest first, of one job or of all."""
    query = sa.select(backfills).order_by(backfills.c.id.desc()).limit(limit)
    if job is not None:
        query = query.where(backfills.c.job == job)
    return [Backfill(**row) for row in connection.execute(query).mappings()]


def told(connection: sa.Connection, backfill: Backfill, tick: datetime) -> None:
    """Notes that one more tick has its row."""
    connection.execute(_TOLD, {"backfill": backfill.id, "tick": tick, "count": backfill.ticks + 1})


def end(connection: sa.Connection, backfill_id: int, now: datetime, outcome: str) -> bool:
    """Ends a backfill; False where it had ended."""
    change = sa.update(backfills).where(backfills.c.id == backfill_id, _IS_OPEN)
    return connection.execute(change.values(ended_at=now, outcome=outcome)).rowcount == 1
