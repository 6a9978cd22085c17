"""The table `cursors`: how far an incremental job has got."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from jobs.contract import Cursor, Json
from worker.model.errors import AttemptLost
from worker.store.dialect import insert_new
from worker.store.tables import cursors

_MOVE = (  # built once: each page of a sync runs it
    sa.update(cursors)
    .where(cursors.c.job == sa.bindparam("of_job"), cursors.c.name == sa.bindparam("of_name"))
    .where(cursors.c.version == sa.bindparam("from_version"))
    .values(
        value=sa.bindparam("to_value"),
        version=sa.bindparam("to_version"),
        run_id=sa.bindparam("by_run"),
        moved_at=sa.bindparam("at"),
    )
)


def get(connection: sa.Connection, job: str, name: str = "") -> Cursor:
    """Returns a job's cursor as committed; version 0 where it never moved."""
    wanted = sa.select(cursors.c.value, cursors.c.version).where(_is(job, name))
    row = connection.execute(wanted).one_or_none()
    return Cursor() if row is None else Cursor(row.value, row.version)


def listing(connection: sa.Connection, job: str) -> dict[str, Cursor]:
    """Returns all of a job's cursors by name."""
    wanted = sa.select(cursors.c.name, cursors.c.value, cursors.c.version).where(cursors.c.job == job)
    rows = connection.execute(wanted.order_by(cursors.c.name))
    return {row.name: Cursor(row.value, row.version) for row in rows}


@dataclass(frozen=True)
class CursorRow:
    """One row of `cursors`: where a cursor stands, since when, and by which run; without a run a person moved it."""

    job: str
    name: str
    version: int
    value: Json
    run_id: int | None
    moved_at: datetime


def standings(connection: sa.Connection, job: str) -> list[CursorRow]:
    """Returns where all of a job's cursors stand, by name."""
    rows = connection.execute(sa.select(cursors).where(cursors.c.job == job).order_by(cursors.c.name))
    return [CursorRow(**row) for row in rows.mappings()]


def advance(  # noqa: PLR0913, PLR0917  the four that name the move, and who made it when
    connection: sa.Connection,
    job: str,
    name: str,
    value: Json,
    expected_version: int,
    run_id: int | None,
    now: datetime,
) -> int:
    """Moves a cursor still at `expected_version` and returns its new version, or raises AttemptLost.

    A person who sets or resets a cursor does it by this too, without a run: a run at work then loses.
    """
    version = expected_version + 1
    if expected_version == 0:
        start = {"job": job, "name": name, "version": 0, "value": None, "run_id": run_id, "moved_at": now}
        insert_new(connection, cursors, [start])
    told = {"to_value": value, "to_version": version, "by_run": run_id, "at": now}
    if (
        connection.execute(_MOVE, told | {"of_job": job, "of_name": name, "from_version": expected_version}).rowcount
        != 1
    ):
        raise AttemptLost(
            f"The cursor {name!r} of the job {job} moved on from version {expected_version} meanwhile; "
            "nothing was stored. The next run starts from where it stands now."
        )
    return version


def mend(connection: sa.Connection, job: str, name: str, truth: Cursor, run_id: int, now: datetime) -> None:
    """Brings a cursor up to where the rows that it covers say it is; one that got further meanwhile stays."""
    start = {"job": job, "name": name, "version": 0, "value": None, "run_id": run_id, "moved_at": now}
    insert_new(connection, cursors, [start])
    behind = _is(job, name), cursors.c.version < truth.version
    values = {"value": truth.value, "version": truth.version, "run_id": run_id, "moved_at": now}
    connection.execute(sa.update(cursors).where(*behind).values(values))


def _is(job: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(cursors.c.job == job, cursors.c.name == name)
