"""Jobs whose runs take the worker's process down again and again: the worker pauses them itself.

Nobody can tell which of the runs that were underway killed the process, so each is only a suspect. After two deaths in
a row a run's last chance comes alone: no two such runs are performed at the same time, on any node. So who is innocent
ends it, and the third death is the culprit's.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from worker.model.records import Attempt, Run
from worker.store import attempts, jobs

DEATHS = 3  # in a row, after which a run fails and its job is put into quarantine
NODE_DIED = "node_died"  # the kind of error of an attempt whose process died


def is_last_chance(before: Sequence[Attempt]) -> bool:
    """Tells whether one more death would make the job a culprit, by the run's earlier attempts."""
    last = before[1 - DEATHS :]
    return len(last) == DEATHS - 1 and all(one.error_kind == NODE_DIED for one in last)


def judge(connection: sa.Connection, run: Run, now: datetime) -> str | None:
    """Puts a run's job into quarantine if its latest attempts all ended with the death of their process.

    Those of all its runs count, since the job was last resumed. Returns why; None where it goes on.
    """
    row = jobs.get(connection, run.job)
    if row is None or row.quarantined_at is not None:
        return None
    latest = attempts.of_job(connection, run.job, DEATHS, row.resumed_at)
    if len(latest) < DEATHS or any(one.error_kind != NODE_DIED for one in latest):
        return None
    why = (
        f"the worker's process died in each of its last {DEATHS} attempts, the latest one of run {run.id}; see "
        f"`worker show {run.id}` and the system's log, mend the cause, then `worker resume {run.job}`"
    )
    return why if jobs.quarantine(connection, run.job, why, now) else None
