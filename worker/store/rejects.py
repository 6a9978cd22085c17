"""The table `rejects`: records that could not be mapped, typed or stored, each with its latest reason."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from worker.model.records import Reject
from worker.store.dialect import upsert
from worker.store.tables import rejects


def keep(connection: sa.Connection, kept: Sequence[Reject]) -> None:
    """Stores rejects; one that is known by (job, record hash) keeps only when it was first seen."""
    rows = sorted(map(asdict, kept), key=lambda row: (row["job"], row["record_hash"]))  # so two runs never deadlock
    upsert(connection, rejects, rows, keep=("first_seen",))


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
