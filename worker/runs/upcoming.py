"""The ticks to come, and what became of the tick at or nearest to a moment (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from worker.config.configuration import JobDefinition
from worker.engine.schedule import Occurrences, of_job
from worker.engine.shut import in_blackout
from worker.model.records import Trigger
from worker.model.wording import clock
from worker.runs.explaining import Facts
from worker.runs.telling import Point
from worker.store.jobs import JobRow

_INSTANT = timedelta(microseconds=1)
_FURTHEST = timedelta(days=3200)  # to the tick of a 29th of February
_PROMPT = timedelta(seconds=10)  # within which a due tick has its row


def upcoming(facts: Facts, points: Sequence[Point], count: int = 3) -> list[Point]:
    """Returns the next ticks with what becomes of each as things stand."""
    if facts.due is None or facts.job is None:
        return []
    ticks = facts.due.between(facts.now, facts.now + _FURTHEST, count)
    fate, run = _fate(facts, points)
    quiet = [in_blackout(facts.job.policy, tick) for tick in ticks]
    return [
        Point("tick", f"The tick of {clock(tick)} will be skipped: it lies in a blackout", skips=True)
        if shut
        else Point("tick", f"The tick of {clock(tick)} {fate}", run=run)
        for tick, shut in zip(ticks, quiet, strict=True)
    ]


def _fate(facts: Facts, points: Sequence[Point]) -> tuple[str, int | None]:
    """Returns what becomes of a tick as things stand, and the run that is in its way."""
    skips = next((point for point in points if point.skips), None)
    if skips:
        gone = skips.kind in ("disabled", "removed", "unknown")
        return f"{'will not be' if gone else 'will be skipped'} while that lasts: {skips.kind}", skips.run
    if not facts.cluster.living and facts.job:
        return f'is made up for at the next start, as catch_up = "{facts.job.policy.catch_up.policy}" says', None
    held = next((one.run.id for one in facts.open if one.run.trigger is not Trigger.BACKFILL), None)
    if held and facts.job and facts.job.policy.overlap == "skip":
        return f"will be skipped if run {held} has not ended by then", held
    return "will run", None


@dataclass(frozen=True)
class Nearest:
    """The tick at a moment or nearest to it; `why_not` says why none is due at the moment itself."""

    tick: datetime | None
    why_not: str | None = None


def nearest(job: JobDefinition, zone: ZoneInfo, due: Occurrences | None, asked: datetime) -> Nearest:
    """Returns the tick at `asked`, or else the one nearest to it and why none is due at `asked`."""
    if due is None:
        return Nearest(None, "no clock drives this job")
    if due.next_after(asked - _INSTANT) == asked:
        return Nearest(asked)
    before, after = latest(due, asked), due.next_after(asked)
    ticks = [tick for tick in (before, after) if tick is not None]
    tick = min(ticks, key=lambda one: abs(one - asked), default=None)
    return Nearest(tick, _why_not(job, zone, asked))


def latest(due: Occurrences, moment: datetime) -> datetime | None:
    """Returns the last tick before or at a moment; None if eight years brought none."""
    back = timedelta(seconds=1)
    while back < _FURTHEST:
        if (found := due.span(moment - back, moment)) is not None:
            return found.last
        back *= 2
    return None


def _why_not(job: JobDefinition, zone: ZoneInfo, asked: datetime) -> str:
    """Returns whether its hours alone keep the schedule from being due then."""
    due = of_job(job.policy.model_copy(update={"hours": None}), zone, job.name)
    without = due is not None and due.next_after(asked - _INSTANT) == asked
    return f"its hours ({job.policy.hours}) keep it from running then" if without else "the schedule is not due then"


def missing_hour(local: datetime, zone: ZoneInfo) -> str | None:
    """Returns what to say of a wall-clock time that a change of clocks left out or brought twice."""
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return None
    there = datetime.fromtimestamp(first.timestamp(), zone).replace(tzinfo=None) == local
    happened = "came twice" if there else "did not exist"
    return f"{local:%Y-%m-%d %H:%M} {happened} in {zone}: the clocks changed"


def why_no_row(facts: Facts, tick: datetime) -> Point:
    """Returns why a tick of the schedule has no row."""
    row = facts.row
    if tick > facts.now:
        return Point("ahead", f"The tick of {clock(tick)} lies ahead")
    if row is None:
        return Point("unknown", "No daemon has read this job from the configuration yet", "start `worker run`")
    if facts.job and not facts.job.policy.enabled:
        return Point("disabled", "The job is disabled: its ticks are not due", "set enabled = true and `worker reload`")
    return _before(facts, row, tick) or _not_yet(facts, row, tick)


def _before(facts: Facts, row: JobRow, tick: datetime) -> Point | None:
    """Returns what to say of a tick before the job, or its definition, was known."""
    if tick <= row.since:
        before = "before, it was not there, not enabled, or had another schedule"
        text = f"Ticks of this job are accounted for since {clock(row.since)}; {before}"
        return Point("before", text, f"`worker backfill {row.name} --from T --to T` makes up for them")
    if facts.defined_at and tick <= facts.defined_at:
        text = f"The schedule may have been another then: the job's definition changed at {clock(facts.defined_at)}"
        return Point("changed", text)
    return None


def _not_yet(facts: Facts, row: JobRow, tick: datetime) -> Point:
    if row.last_tick is not None and tick <= row.last_tick:
        return Point("pruned", f"The row of the tick of {clock(tick)} is no longer kept", "see [retention]")
    if facts.cluster.living and facts.now - tick < _PROMPT:
        return Point("due", f"The tick of {clock(tick)} falls due at this moment")
    catch_up = facts.job.policy.catch_up.policy if facts.job else "last"
    text = f"No daemon has accounted for the tick of {clock(tick)} yet: the next start does"
    remedy = None if facts.cluster.living else "start `worker run`"
    return Point("no daemon", f'{text} (catch_up = "{catch_up}")', remedy)
