"""A whole ledger out of a database, for the checker: of each row what is looked at."""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from tests.checker import Ledger
from worker.model.records import AttemptState, RunState
from worker.store.database import Database
from worker.store.tables import attempts, runs


class ToldRun(NamedTuple):
    """A row of `runs`."""

    id: int
    job: str
    cause: str
    trigger: str
    state: RunState
    reason: str | None
    tick: datetime | None
    tick_until: datetime | None
    ticks: int
    created_at: datetime


class ToldAttempt(NamedTuple):
    """A row of `attempts`."""

    run_id: int
    number: int
    state: AttemptState
    started_at: datetime
    ended_at: datetime | None


def whole_ledger(database: Database) -> Ledger:
    """Returns every run and every attempt."""
    with database.read() as connection:
        told_runs = connection.execute(sa.select(*(runs.c[name] for name in ToldRun._fields)))
        told_attempts = connection.execute(sa.select(*(attempts.c[name] for name in ToldAttempt._fields)))
        return Ledger(
            [ToldRun(*row)._replace(state=RunState(row.state)) for row in told_runs],
            [ToldAttempt(*row)._replace(state=AttemptState(row.state)) for row in told_attempts],
        )
