"""More rows at once than one statement can name: after a jump of the clock, or a database that was away."""

from datetime import UTC, datetime

import pytest

from worker.model.records import Reason, Run, RunState, Trigger
from worker.store import jobs, locks, openruns, runs, tables
from worker.store.database import Database
from worker.store.many import binding, inserting

_MANY = 66_000  # PostgreSQL takes 65,535 parameters, SQLite 32,766 where nobody raised it
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.slow
def test_more_ticks_than_a_statement_takes_parameters_are_claimed(database: Database) -> None:
    """Else they would be offered again and again, and no tick be recorded any more."""
    ticks = [
        Run(number, "orders", f"tick:{number}", Trigger.TICK, RunState.QUEUED, NOON, "hash") for number in range(_MANY)
    ]

    with database.write() as connection:
        assert runs.claim(connection, ticks) == ticks
        runs.skip(connection, [run.id for run in ticks], Reason.OVERLAP, NOON)
        assert openruns.open_jobs(connection) == []


def test_more_jobs_than_a_statement_takes_parameters_are_looked_up(database: Database) -> None:
    """The claim of their ticks asks for their rows and their locks."""
    names = [f"job-{number}" for number in range(_MANY)]

    with database.write() as connection:
        locks.take(connection, [(locks.job_lock("job-65999"), 7)], NOON)
        assert locks.holders(connection, [locks.job_lock(name) for name in names]) == {"job:job-65999": 7}
        assert jobs.standing(connection, names) == {}


def test_a_statement_tells_how_many_rows_were_new(database: Database) -> None:
    """So whoever inserts need not ask whose rows stand: all are new, or another was there before."""
    insert = inserting(tables.locks, ["name", "run_id", "attempt", "taken_at"])

    with database.write() as connection:
        at = binding(connection)(NOON)
        assert insert.execute(connection, [("job:a", 1, 0, at), ("job:b", 2, 0, at)]) == 2
        assert insert.execute(connection, [("job:a", 3, 0, at), ("job:c", 3, 0, at), ("job:c", 4, 0, at)]) == 1
        assert insert.execute(connection, [("job:a", 3, 0, at)]) == 0
        assert locks.take(connection, [("job:a", 5), ("job:d", 5)], NOON) == {"job:a": 1, "job:d": 5}
        assert locks.take(connection, [("job:d", 5)], NOON) == {"job:d": 5}
