"""What became of ticks and runs, counted out of `runs`."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from worker.store.dialect import in_parts
from worker.store.tables import runs


class Tally(NamedTuple):
    """Rows of one job that ended alike, in one state for one reason."""

    job: str
    state: str
    reason: str | None
    runs: int
    ticks: int  # that those rows tell of
    attempts: int


def tallies(connection: sa.Connection, ids: Sequence[int] | None = None) -> list[Tally]:
    """Returns what became of these runs or of all, by job."""
    parts = [runs.c.id.in_(part) for part in in_parts(ids)] if ids is not None else [sa.true()]
    ticks = sa.func.sum(sa.case((runs.c.tick.is_not(None), runs.c.ticks), else_=0))
    group = (runs.c.job, runs.c.state, runs.c.reason)
    query = sa.select(*group, sa.func.count(), ticks, sa.func.sum(runs.c.attempt)).group_by(*group).order_by(*group)
    return [Tally(*row) for part in parts for row in connection.execute(query.where(part))]
