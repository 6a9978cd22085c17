"""How long runs take, out of `runs` and `attempts`."""

from collections.abc import Iterable
from statistics import median

import sqlalchemy as sa

from worker.model.records import RunState
from worker.store.dialect import spelled
from worker.store.tables import attempts, runs

_LAST = 9  # successes that are looked at
_SUCCESSES = (
    sa.select(attempts.c.started_at, attempts.c.ended_at)
    .join(runs, sa.and_(runs.c.id == attempts.c.run_id, runs.c.attempt == attempts.c.number))
    .where(runs.c.job == sa.bindparam("of_job"), runs.c.state == spelled(RunState.SUCCEEDED))
    .order_by(runs.c.window_until.desc())
    .limit(_LAST)
)


def typical_s(connection: sa.Connection, jobs: Iterable[str]) -> dict[str, float]:
    """Returns the seconds a run of each job takes: the median of its last successes, waits for a retry left out.

    A job that never succeeded is not in it.
    """
    found = {job: connection.execute(_SUCCESSES, {"of_job": job}).all() for job in jobs}
    return {
        job: median((row.ended_at - row.started_at).total_seconds() for row in rows)
        for job, rows in found.items()
        if rows
    }
