"""What the statements on table `runs` share: rows as records, states as indexes know them, parameters."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from jobs.contract import Counts
from worker.model.records import Reason, Run, RunState, Trigger
from worker.store.columns import Moment
from worker.store.dialect import spelled
from worker.store.tables import runs

NAMES = tuple(column.name for column in runs.columns)
COUNTS = tuple(item.name for item in fields(Counts))
HELD = (Trigger.BACKFILL, Trigger.REPLAY)
"""What causes runs over windows that are given."""
OPEN = (RunState.QUEUED, RunState.RUNNING)
QUEUED, RUNNING = map(spelled, OPEN)
IS_OPEN = runs.c.state.in_([QUEUED, RUNNING])
IS_QUEUED = runs.c.state == QUEUED
SUCCEEDED = runs.c.state == spelled(RunState.SUCCEEDED)
IS_HELD = runs.c.trigger.in_(map(spelled, HELD))
ID = sa.bindparam("of_id", type_=sa.BigInteger())
JOB = sa.bindparam("of_job", type_=sa.Text())
NOW = sa.bindparam("now", type_=Moment())
# Statements are built once, here and elsewhere: to build one takes several times as long as to run it.
OF_JOB = sa.select(runs).where(runs.c.job == JOB)


def run_of(row: Sequence[Any]) -> Run:
    """Returns the run of a row that begins with all columns of the table."""
    values = dict(zip(NAMES, row, strict=False))
    counts = Counts(*[values.pop(name) for name in COUNTS])
    values["state"] = RunState(values["state"])
    values["trigger"] = Trigger(values["trigger"])
    values["reason"] = Reason(values["reason"]) if values["reason"] else None
    return Run(**values, counts=counts)


def one_run(connection: sa.Connection, query: sa.Select[Any], **values: object) -> Run | None:
    """Returns the run of the first row that a query finds."""
    row = connection.execute(query, values).first()
    return run_of(row) if row else None
