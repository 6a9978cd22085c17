"""The table `rejects`: records that could not be mapped, typed or stored, each with its latest reason."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from worker.model.records import Reject
from worker.store.dialect import in_parts, upsert
from worker.store.tables import rejects


def keep(connection: sa.Connection, kept: Sequence[Reject]) -> None:
    """Stores rejects; one that is known by (job, record hash) keeps only when it was first seen."""
    rows = sorted(map(asdict, kept), key=lambda row: (row["job"], row["record_hash"]))  # so two runs never deadlock
    upsert(connection, rejects, rows, keep=("first_seen",))


def remove(connection: sa.Connection, job: str, hashes: Sequence[str]) -> None:
    """Removes a job's rejects by their record hashes."""
    for part in in_parts(sorted(hashes)):
        connection.execute(sa.delete(rejects).where(rejects.c.job == job, rejects.c.record_hash.in_(part)))


def settle(connection: sa.Connection, job: str, keys: Sequence[str]) -> None:
    """Removes a job's rejects by the keys of their records."""
    for part in in_parts(sorted(set(keys))):
        connection.execute(sa.delete(rejects).where(rejects.c.job == job, rejects.c.key.in_(part)))


def keys(connection: sa.Connection, job: str) -> set[str]:
    """Returns the keys of a job's rejects."""
    wanted = sa.select(rejects.c.key).distinct().where(rejects.c.job == job, rejects.c.key.is_not(None))
    return set(connection.scalars(wanted))


def of_job(connection: sa.Connection, job: str, after: str, limit: int) -> list[Reject]:
    """Returns the next of a job's rejects, in the order of their hashes."""
    wanted = sa.select(rejects).where(rejects.c.job == job, rejects.c.record_hash > after)
    rows = connection.execute(wanted.order_by(rejects.c.record_hash).limit(limit))
    return [Reject(**row) for row in rows.mappings()]


def listing(
    connection: sa.Connection, run_id: int | None = None, job: str | None = None, limit: int = 100
) -> list[Reject]:
    """Returns rejects of a run, of a job or of all, those of the latest runs first."""
    order = (rejects.c.run_id.desc(), rejects.c.last_seen.desc(), rejects.c.record_hash)
    wanted = sa.select(rejects).order_by(*order).limit(limit)
    if run_id is not None:
        wanted = wanted.where(rejects.c.run_id == run_id)
    if job is not None:
        wanted = wanted.where(rejects.c.job == job)
    return [Reject(**row) for row in connection.execute(wanted).mappings()]
