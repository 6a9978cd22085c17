"""The views that people and the command line read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.store.database import Database
from worker.store.tables import calls, jobs, runs
from worker.store.views import job_health

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


def _run(number: int, state: str, **more: object) -> dict[str, Any]:
    started = NOON + timedelta(minutes=number, seconds=2)
    row: dict[str, Any] = {
        "id": number,
        "job": "orders",
        "cause": f"tick:{number}",
        "trigger": "tick",
        "state": state,
        "tick": NOON + timedelta(minutes=number),
        "params": {},
        "created_at": started,
        "started_at": started,
        "finished_at": started + timedelta(seconds=1, milliseconds=250),
        "definition_hash": "h",
        "error": None,
        "error_kind": None,
    }
    return row | more


def _configure(connection: sa.Connection, name: str, **more: object) -> None:
    row: dict[str, Any] = {
        "name": name,
        "definition_hash": "h",
        "enabled": True,
        "configured": True,
        "since": NOON,
    }
    connection.execute(sa.insert(jobs), row | more)


def test_job_health_counts_failures_since_the_last_success(database: Database) -> None:
    """A job's health is its last run, its last success and what failed since; a skip changes nothing."""
    with database.write() as connection:
        _configure(connection, "orders", next_tick=NOON + timedelta(hours=1))
        for number, state in enumerate(["failed", "succeeded", "failed", "skipped", "failed"], start=1):
            error = {"error": f"answer {number}", "error_kind": "status"} if state == "failed" else {}
            connection.execute(sa.insert(runs), _run(number, state, **error))
        (health,) = job_health(connection)
    assert health["last_state"] == "failed"
    assert health["last_run"] == 5
    assert health["last_success_at"] == NOON + timedelta(minutes=2, seconds=3, milliseconds=250)
    assert health["consecutive_failures"] == 2
    assert health["last_error"] == "answer 5"
    assert health["next_tick"] == NOON + timedelta(hours=1)
    assert health["paused"] is False


def test_job_health_tells_of_jobs_that_never_ran(database: Database) -> None:
    """A job without runs has a row of empty values, a paused one says so, a removed one has no row."""
    with database.write() as connection:
        _configure(connection, "new")
        _configure(connection, "resting", paused_at=NOON, paused_by="ann")
        _configure(connection, "removed", configured=False)
        new, resting = job_health(connection)
    assert (new["job"], new["last_state"], new["consecutive_failures"]) == ("new", None, 0)
    assert (resting["paused"], resting["paused_by"]) == (True, "ann")


def test_run_history_is_readable_and_newest_first(database: Database) -> None:
    """The history tells seconds and lateness as numbers; a run that has not ended has none."""
    with database.write() as connection:
        connection.execute(sa.insert(runs), _run(1, "succeeded"))
        connection.execute(sa.insert(runs), _run(2, "running", finished_at=None))
        found = connection.execute(sa.text("SELECT run, state, seconds, late_s FROM run_history")).all()
    assert [tuple(row) for row in found] == [(2, "running", None, 2.0), (1, "succeeded", 1.25, 2.0)]


def test_call_stats_add_up_by_account_purpose_and_status(database: Database) -> None:
    """Calls of one account, purpose and status are one row; a call without an answer is an error."""
    base = {
        "account": "erp",
        "purpose": "read",
        "at": NOON,
        "method": "GET",
        "url": "https://erp.example.com",
    }
    answers: list[dict[str, Any]] = [
        {"status": 200, "ms": 10.0, "bytes_in": 100, "bytes_out": 1, "error": None},
        {"status": 200, "ms": 20.0, "bytes_in": 200, "bytes_out": 2, "error": None},
        {"status": 503, "ms": 5.0, "bytes_in": 3, "bytes_out": 3, "error": None},
        {"status": None, "ms": 1.0, "bytes_in": None, "bytes_out": None, "error": "no answer"},
    ]
    wanted = sa.text(
        "SELECT status, calls, errors, average_ms, bytes_in, bytes_out FROM call_stats ORDER BY coalesce(status, 0)"
    )
    with database.write() as connection:
        connection.execute(sa.insert(calls), [base | {"id": n} | row for n, row in enumerate(answers, start=1)])
        found = [tuple(row) for row in connection.execute(wanted)]
    assert found == [(None, 1, 1, 1.0, 0, 0), (200, 2, 0, 15.0, 300, 3), (503, 1, 1, 5.0, 3, 3)]
