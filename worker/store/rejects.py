"""The table `rejects`: records that could not be mapped, typed or stored, each with its latest reason."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from worker.model.records import Reject
from worker.store.dialect import upsert
from worker.store.tables import rejects


def keep(connection: sa.Connection, kept: Sequence[Reject]) -> None:
    """Stores rejects; one that is known by (job, record hash) keeps only when it was first seen."""
    rows = [asdict(reject) | {"reason": _storable(reject.reason)} for reject in kept]
    rows.sort(key=lambda row: (row["job"], row["record_hash"]))  # one order, so that two runs never deadlock
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


def _storable(text: str) -> str:
    """Returns text that both databases take: a far end's words may hold NUL or half a character."""
    return text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode("utf-8")
