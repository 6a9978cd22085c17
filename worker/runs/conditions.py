"""Whether a run's condition holds: asked at the start of each attempt, on the node that performs it."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from jobs.contract import BadRecord, Json
from jobs.paths import getter
from worker.config.configuration import JobDefinition
from worker.model.errors import ConditionFailed, ConditionUnmet
from worker.model.records import Run
from worker.model.steps import Expression, SqlCondition
from worker.runs.context import Resources, RunContext
from worker.runs.statements import execute, shown
from worker.store import pastruns
from worker.store.failures import short


def check(definition: JobDefinition, run: Run, context: RunContext, resources: Resources) -> None:
    """Raises ConditionUnmet, with what was found, where the job's condition does not hold, or ConditionFailed."""
    condition = definition.policy.condition
    if isinstance(condition, SqlCondition):
        _check_sql(condition, context)
    elif condition is not None:
        zone = definition.policy.timezone or ZoneInfo("UTC")
        _check_expression(condition, lambda: facts(run, context, resources, zone))


def _check_sql(condition: SqlCondition, context: RunContext) -> None:
    try:
        with context.read(condition.database) as connection:
            found = [execute(connection, text, condition.params, context) for text in condition.sql][-1]
            row = found.first() if found.returns_rows else None
            connection.rollback()  # not all databases keep a transaction that reads from writing
    except sa.exc.SQLAlchemyError as error:
        raise ConditionFailed(f"the condition cannot be told: {short(error)} ({shown(condition)})") from error
    if row is None or not row[0]:
        what = "no row" if row is None else "NULL" if row[0] is None else f"{row[0]!r}"
        raise ConditionUnmet(f"the condition found {what} ({shown(condition)})")


def _check_expression(condition: Expression, told: Callable[[], Json]) -> None:
    try:
        found = getter(condition.expression)(told())
    except BadRecord as error:
        raise ConditionFailed(f"the condition cannot be told: {error}") from error
    if not found:
        what = "null" if found is None else f"{found!r}".lower()
        raise ConditionUnmet(f"the condition found {what} ({condition.expression[:200]})")


def facts(run: Run, context: RunContext, resources: Resources, zone: ZoneInfo) -> dict[str, Json]:
    """Returns what an expression may ask for; docs/runs.md describes each."""
    now = resources.now()
    with resources.own.read() as connection:
        last, success = pastruns.ended_before(connection, run), pastruns.last_success(connection, run.job)
    window = context.window
    return {
        "job": run.job,
        "run": run.id,
        "attempt": run.attempt,
        "trigger": str(run.trigger),
        "tick": _written(run.tick),
        "params": run.params,
        "window": {
            "since": _written(window.since),
            "until": _written(window.until),
            "seconds": (window.until - window.since).total_seconds() if window.since else None,
        },
        "now": _clock(now, zone),
        "scheduled": _clock(run.tick or run.created_at, zone),
        "last_run": _told(last, now),
        "last_success": _told(success, now),
    }


def _clock(moment: datetime, zone: ZoneInfo) -> dict[str, Json]:
    """Returns a moment as the clock of the job's zone shows it."""
    local = moment.astimezone(zone)
    return {
        "at": _written(moment),
        "date": f"{local:%Y-%m-%d}",
        "time": f"{local:%H:%M:%S}",
        "hour": local.hour,
        "day": local.day,
        "weekday": f"{local:%a}".lower(),
    }


def _told(run: Run | None, now: datetime) -> dict[str, Json] | None:
    if run is None:
        return None
    return {
        "run": run.id,
        "state": str(run.state),
        "reason": str(run.reason) if run.reason else None,
        "error_kind": run.error_kind,
        "finished_at": _written(run.finished_at),
        "age_s": (now - run.finished_at).total_seconds() if run.finished_at else None,
        **{name: getattr(run.counts, name) for name in ("read", "written", "unchanged", "deleted", "rejected")},
    }


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
