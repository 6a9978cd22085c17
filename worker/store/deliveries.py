"""The table `deliveries`: what became of rows that were sent to an API, by the job's key."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa

from jobs.contract import Delivery
from worker.store.dialect import in_parts, upsert
from worker.store.tables import deliveries


def of_keys(connection: sa.Connection, job: str, keys: Sequence[str]) -> dict[str, Delivery]:
    """Returns what is remembered of these keys."""
    wanted = [deliveries.c[field.name] for field in fields(Delivery)]
    found = dict[str, Delivery]()
    for part in in_parts(keys):
        rows = connection.execute(sa.select(*wanted).where(deliveries.c.job == job, deliveries.c.key.in_(part)))
        found |= {row.key: Delivery(**row._mapping) for row in rows}  # noqa: SLF001  SQLAlchemy's public name for it
    return found


def put(connection: sa.Connection, job: str, given: Sequence[Delivery], run_id: int, now: datetime) -> None:
    """Stores deliveries over what was remembered of their keys; `run_id` is the run of those that name none."""
    stamp = {"job": job, "changed_at": now}
    rows = [vars(delivery) | stamp | {"run_id": delivery.run_id or run_id} for delivery in given]
    upsert(connection, deliveries, sorted(rows, key=lambda row: row["key"]))
