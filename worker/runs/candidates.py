"""What a tick, a finished run or a person asks for, as a row of the ledger that nobody recorded yet (pure)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from jobs.contract import Json
from worker.config.configuration import JobDefinition
from worker.engine.schedule import Span
from worker.model.moments import new_id
from worker.model.records import AGAIN, Backfill, Reason, Run, RunState, Tick, Trigger
from worker.model.schedules import After

_FOR_A_PERSON = 10  # added to the priority of what a person asked for
_BEHIND_OTHERS = 10  # taken from the priority of what a backfill runs


def tick_cause(at: datetime, again: datetime | None = None) -> str:
    """Returns the cause of the run that a tick becomes; a job's sort as their ticks do."""
    return f"tick:{_instant(at)}{f'{AGAIN}{_instant(again)}' if again else ''}"


def again_until(cause: str) -> datetime | None:
    """Returns up to where instants had been told before the wall clock went back and brought this one once more."""
    _, mark, until = cause.partition(AGAIN)
    return datetime.fromisoformat(until) if mark else None


def backfill_causes(backfill_id: int) -> str:
    """Returns what the causes of a backfill's runs begin with."""
    return f"backfill:{backfill_id}:"


def backfill_cause(backfill_id: int, at: datetime) -> str:
    """Returns the cause of the run that a backfill's tick becomes."""
    return f"{backfill_causes(backfill_id)}{_instant(at)}"


def _instant(moment: datetime) -> str:
    return _spelled(moment.astimezone(UTC))  # of a zone's own, the two of a night's hour that comes twice are equal


@lru_cache(maxsize=256)  # what falls due at once shares its instant
def _spelled(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _run(job: JobDefinition, trigger: Trigger, cause: str, now: datetime, *, tick: datetime | None = None) -> Run:
    return Run(
        id=new_id(),
        job=job.name,
        cause=cause,
        trigger=trigger,
        state=RunState.QUEUED,
        created_at=now,
        definition_hash=job.hash,
        tick=tick,
        priority=job.policy.priority,
        mutex=job.policy.mutex,
    )


def of_tick(
    job: JobDefinition, at: datetime, now: datetime, trigger: Trigger = Trigger.TICK, again: datetime | None = None
) -> Run:
    """Returns the run of one tick."""
    return _run(job, trigger, tick_cause(at, again), now, tick=at)


def of_stray_tick(tick: Tick, now: datetime) -> Run:
    """Returns the row of a tick that fell due just before its job left the configuration."""
    trigger, cause = Trigger.TICK, tick_cause(tick.at)
    run = Run(new_id(), tick.job, cause, trigger, RunState.QUEUED, now, definition_hash="", tick=tick.at)
    return skipped(run, Reason.REMOVED, now)


def of_gap(job: JobDefinition, gap: Span, now: datetime) -> Run:
    """Returns the one row that tells of all the ticks of a gap."""
    return replace(_of_span(job, gap, now), state=RunState.MISSED, reason=Reason.DOWNTIME, finished_at=now)


def of_blackout(job: JobDefinition, span: Span, now: datetime) -> Run:
    """Returns the one row that tells of ticks in a row that lay in blackouts."""
    return skipped(_of_span(job, span, now), Reason.BLACKOUT, now)


def _of_span(job: JobDefinition, span: Span, now: datetime) -> Run:
    run = _run(job, Trigger.CATCH_UP, tick_cause(span.first), now)
    return replace(run, tick=span.first, tick_until=span.last if span.count > 1 else None, ticks=span.count)


def of_parent(job: JobDefinition, parent: Run, state: RunState, now: datetime) -> Run:
    """Returns the run that follows a parent's end; skipped where the parent did not end as asked."""
    run = _run(job, Trigger.AFTER, f"after:{parent.id}", now)
    schedule = job.policy.schedule
    if not isinstance(schedule, After):
        return run
    if schedule.when not in ("finished", state):
        return skipped(run, Reason.UPSTREAM, now)
    return replace(run, not_before=now + timedelta(seconds=schedule.delay)) if schedule.delay else run


def of_request(job: JobDefinition, request: int, now: datetime, params: Mapping[str, Json]) -> Run:
    """Returns the run a person asked for."""
    run = _run(job, Trigger.MANUAL, f"manual:{request}", now)
    return replace(run, params=dict(params), priority=run.priority + _FOR_A_PERSON)


def of_replay(job: JobDefinition, run: Run, request: int, now: datetime) -> Run:
    """Returns the run that does once more what an earlier one did: its parameters and its window."""
    again = _run(job, Trigger.REPLAY, f"replay:{run.id}:{request}", now)
    again = replace(again, params=dict(run.params), priority=run.priority)
    return replace(again, window_since=run.window_since, window_until=run.window_until)


def of_backfill(job: JobDefinition, backfill: Backfill, at: datetime, now: datetime) -> Run:
    """Returns the run of one tick of a backfill: over what lies between the one before and it."""
    run = _run(job, Trigger.BACKFILL, backfill_cause(backfill.id, at), now)
    run = replace(run, params=dict(backfill.params), priority=run.priority - _BEHIND_OTHERS)
    return replace(run, tick=at, window_since=backfill.told_until, window_until=at)


def skipped(run: Run, reason: Reason, now: datetime) -> Run:
    """Returns the run as one that never happens."""
    return replace(run, state=RunState.SKIPPED, reason=reason, finished_at=now)
