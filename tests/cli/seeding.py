"""A ledger as some days of work leave it: successes, a failure with a hostile message, skips, calls, rejects."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from jobs.contract import Counts
from worker.model.moments import utc_now
from worker.model.records import AttemptState, Call, Health, Purpose, Reason, Reject, Run, RunState, Trigger
from worker.store import accounts, attempts, calls, jobs, rejects, runs, tables
from worker.store.database import Database
from worker.store.jobs import JobRow

TICK = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
GOOD, BAD, SKIPPED = 250_696_888_751_087_767, 250_696_888_751_087_768, 250_696_888_751_087_769
LONG_URL = "https://api.example.com/mobproc/v1/assets/devices?" + "&".join(f"field{n}=value{n}" for n in range(40))
HOSTILE = "the API said: \x1b[2J\x1b]0;owned\x07 no\nand more"  # clears the screen and renames the window
REASON = "the token endpoint refused the password (invalid_grant); mend the secret, and it is tried again by itself"


def seed(database: Database) -> None:
    """Fills the ledger."""
    with database.write() as connection:
        names = ("devices", "employees", "orders")
        jobs.configure(connection, [JobRow(name, "d" * 64, name != "employees", TICK) for name in names], [])
        _good(connection)
        _bad(connection)
        skipped = Run(
            SKIPPED,
            "devices",
            f"tick:{TICK:%H}",
            Trigger.TICK,
            RunState.SKIPPED,
            TICK,
            "d" * 64,
            reason=Reason.ACCOUNT,
            tick=TICK,
            tick_until=TICK + timedelta(hours=1),
            ticks=7,
            finished_at=TICK,
        )
        runs.claim(connection, [skipped])
        connection.execute(sa.insert(tables.tokens).values(account="tangoe", generation=3, failures=1))
        accounts.set_health(connection, "tangoe", Health.BLOCKED, REASON, utc_now())


def _good(connection: sa.Connection) -> None:
    made = [_call(GOOD + 1000 + number) for number in range(30)]
    calls.record(connection, made)
    reason, whole = "cost: expected a number, found 'n/a'", True
    reject = Reject("orders", "h" * 64, GOOD, reason, '{"id": 7}', whole, "[7]", TICK, TICK)
    rejects.keep(connection, [reject])
    counts = Counts(read=12_345, written=2, unchanged=12_343, pages=13, expected=12_345, rejected=1)
    _run(connection, GOOD, "orders", RunState.SUCCEEDED, counts)


def _call(call_id: int) -> Call:
    call = Call(call_id, "tangoe", Purpose.READ, TICK, "GET", LONG_URL, run_id=GOOD, job="orders", generation_used=3)
    return replace(call, status=200, ms=12.5, bytes_in=123_456)


def _bad(connection: sa.Connection) -> None:
    _run(connection, BAD, "devices", RunState.FAILED, Counts(), ("status", HOSTILE))


def _run(
    connection: sa.Connection,
    run_id: int,
    job: str,
    state: RunState,
    counts: Counts,
    error: tuple[str, str] | None = None,
) -> None:
    """Takes one run from claim to end with one attempt."""
    run = Run(run_id, job, f"manual:{run_id}", Trigger.MANUAL, RunState.QUEUED, TICK, "d" * 64)
    runs.claim(connection, [run])
    runs.begin(connection, run_id, 1, TICK, "d" * 64)
    attempts.begin(connection, run_id, 1, 1, TICK)
    attempts.add(connection, run_id, 1, counts)
    ended = TICK + timedelta(seconds=75)
    attempts.end(connection, run_id, 1, AttemptState(state.value), ended, error)
    runs.finish(connection, run_id, state, ended, error=error)
