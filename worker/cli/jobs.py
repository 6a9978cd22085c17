"""The verb that lists the jobs, and how a schedule is told."""

from datetime import datetime
from typing import Any

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, is_daemon_alive, opened
from worker.cli.output import JsonFlag, ago, warn
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.config.load import Configuration
from worker.engine.schedule import Occurrences, of_job
from worker.engine.shut import outside
from worker.model.moments import utc_now
from worker.model.schedules import After
from worker.store import jobs as table
from worker.store import views

app = room()

_COLUMNS = [
    Column("job"),
    Column("status"),
    Column("schedule", rank=3),
    Column("next_tick", "next", ago, rank=1),
    Column("last_at", "last run", ago, rank=4),
    Column("last_success_at", "succeeded", ago),
    Column("consecutive_failures", "fails", right=True, rank=2),
    Column("trouble", long=True, style="red"),
    Column("held", "held back", long=True, style="yellow"),
]


@app.command(epilog="Example: `worker jobs --json`")
def jobs(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """List the jobs: schedule, next tick, last run, last success, and the last error where it has not passed.

    The JSON has the columns of the view `job_health` (docs/database.md), and `schedule`, `status`, `trouble`,
    `paused_at`, `paused_why`, `quarantined_at` and `held` (who paused it, when and why).
    """
    with opened(config) as (configuration, database), database.read() as connection:
        health = {row["job"]: row for row in views.job_health(connection)}
        held = {row.name: _held(row) for row in table.listing(connection)}
        alive = is_daemon_alive(database, connection)
    rows = [_row(configuration, name, health.get(name, {}) | held.get(name, {})) for name in sorted(configuration.jobs)]
    listing(rows, _COLUMNS, as_json=as_json, empty="No job is configured; add one to jobs.d/.")
    if not alive:
        warn("no daemon works on this database: no job runs until `worker run` is started")


def _row(configuration: Configuration, name: str, health: dict[str, Any]) -> dict[str, Any]:
    failing = health.get("consecutive_failures")
    enabled = configuration.jobs[name].policy.enabled
    row = {
        "job": name,
        "status": _status(health, enabled=enabled),
        "schedule": describe_schedule(configuration, name),
        "trouble": health.get("last_error") if failing else None,
    }
    due = enabled and not health.get("held")
    return {**health, **row, "next_tick": next_tick(configuration, name) if due else None}


def _held(row: table.JobRow) -> dict[str, Any]:
    """Returns who or what holds a job back."""
    told = held_back(row.paused_by, row.paused_at, row.paused_why)
    if row.quarantined_at is not None:
        told = told or f"in quarantine since {ago(row.quarantined_at)}: its runs took the process down; `worker resume`"
    facts = {"paused_at": row.paused_at, "paused_why": row.paused_why, "quarantined_at": row.quarantined_at}
    return {**facts, "held": told}


def held_back(by: str | None, at: datetime | None, why: str | None) -> str | None:
    """Returns who paused something, when and why; None where it is not paused."""
    if at is None:
        return None
    return f"paused by {by or 'somebody'} {ago(at)}" + (f": {why}" if why else "")


def _status(health: dict[str, Any], *, enabled: bool) -> str:
    if not enabled:
        return "disabled"
    if health.get("quarantined_at"):
        return "quarantined"
    if health.get("paused"):
        return "paused"
    return str(health.get("last_state") or "never ran")


def describe_schedule(configuration: Configuration, name: str) -> str:
    """Returns a job's schedule in a few words."""
    due = _occurrences(configuration, name)
    if due is not None:
        return due.describe()
    schedule = configuration.jobs[name].policy.schedule
    return schedule.describe() if isinstance(schedule, After) else "by hand"


def next_tick(configuration: Configuration, name: str) -> datetime | None:
    """Returns when a job is due next by its schedule and outside of blackouts; None where no clock drives it."""
    due = _occurrences(configuration, name)
    return outside(due, configuration.jobs[name].policy).next_after(utc_now()) if due is not None else None


def _occurrences(configuration: Configuration, name: str) -> Occurrences | None:
    policy = configuration.jobs[name].policy
    return of_job(policy, configuration.worker.timezone, name)
