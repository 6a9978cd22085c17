"""One transaction that records candidates: claims them, takes their locks, decides run or skip with a reason."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.config.configuration import JobDefinition
from worker.engine.shut import in_blackout
from worker.model.records import Reason, Run, RunState, Trigger
from worker.runs.book import Book
from worker.runs.candidates import again_until, skipped
from worker.store import accounts, jobs, locks, openruns, runs

_PROMPT = timedelta(minutes=1)  # a tick that is claimed later than this begins at another time than it is due
_SKEW = timedelta(minutes=5)  # clocks of nodes differ by less


@dataclass(frozen=True)
class Situation:
    """What the decision looks at, read inside the transaction."""

    jobs: Mapping[str, jobs.JobStanding]
    unusable: frozenset[str]  # accounts that are blocked or wait for a login
    paused: frozenset[str]  # accounts that somebody paused
    holders: Mapping[str, int]  # who holds which lock
    filling: frozenset[str] = frozenset()  # jobs of which nothing but a backfill is open: it makes nobody skip


def record(connection: sa.Connection, book: Book, candidates: Sequence[Run], now: datetime) -> list[Run]:
    """Records the candidates that are news and returns them as recorded; ticks seen before are dropped in silence.

    The lock on the jobs' rows, taken in name order, makes nodes that claim at the same instant wait for each other.
    """
    names = sorted({run.job for run in candidates})
    situation = _situation(connection, names, now)
    news = [run for run in candidates if not _accounted(run, situation, now)]
    judged = _judge_all(book, news, situation, now)
    recorded = runs.claim(connection, _with_own_row(connection, judged))
    jobs.ticked(connection, _latest_ticks(news), now + _SKEW)
    return _lock(connection, book, recorded, now, situation.filling)


def _situation(connection: sa.Connection, names: Sequence[str], now: datetime) -> Situation:
    rows, barred = jobs.standing(connection, names), accounts.barred(connection, now)
    holders = locks.holders(connection, [locks.job_lock(name) for name in names])
    held = [name for name in names if locks.job_lock(name) in holders]
    filling = frozenset(openruns.filling_only(connection, held)) if held else frozenset()
    return Situation(rows, barred.unusable, barred.paused, holders, filling)


def _accounted(run: Run, situation: Situation, now: datetime) -> bool:
    """Tells whether a tick has its row; a last tick in the future is a clock's that was set back, and says nothing.

    A backfill's tick has one of its own, beside that of the schedule.
    """
    row = situation.jobs.get(run.job)
    if run.trigger is Trigger.BACKFILL or run.tick is None or row is None or row.last_tick is None:
        return False
    if again := again_until(run.cause):
        return row.last_tick >= again  # another node's clock went on: it was ours alone that was set back
    return run.tick <= row.last_tick <= now + _SKEW


def _latest_ticks(news: Iterable[Run]) -> dict[str, datetime]:
    latest: dict[str, datetime] = {}
    for run in news:
        tick = run.tick_until or run.tick
        if tick is not None and run.trigger is not Trigger.BACKFILL and not again_until(run.cause):
            latest[run.job] = max(tick, latest.get(run.job, tick))
    return latest


def _judge_all(book: Book, news: Iterable[Run], situation: Situation, now: datetime) -> list[Run]:
    judged: list[Run] = []
    begun: set[str] = set()  # jobs that an earlier candidate of this batch will hold
    for run in news:
        reason = _reason(book, run, situation, begun, now) if run.state is RunState.QUEUED else None
        judged.append(skipped(run, reason, now) if reason else run)
        if judged[-1].state is RunState.QUEUED and not run.not_before:
            begun.add(run.job)
    return judged


def _reason(book: Book, run: Run, situation: Situation, begun: set[str], now: datetime) -> Reason | None:
    held = locks.job_lock(run.job) in situation.holders and run.job not in situation.filling
    busy = held or run.job in begun
    overlap = Reason.OVERLAP if busy and _skips(book, run) else None
    return _why_not(book, run, situation) or _quiet(book, run, now) or overlap


def _why_not(book: Book, run: Run, situation: Situation) -> Reason | None:
    job, row = book.get(run.job), situation.jobs.get(run.job)
    if job is None:
        return Reason.REMOVED
    if not job.policy.enabled and not run.trigger.by_hand:
        return Reason.DISABLED
    if row is not None and row.quarantined_at is not None:
        return Reason.QUARANTINED
    if row is not None and row.paused_at is not None and not run.trigger.by_hand:
        return Reason.PAUSED
    return _accounts_say(job, run, situation)


def _accounts_say(job: JobDefinition, run: Run, situation: Situation) -> Reason | None:
    """Returns why the job's accounts keep it from running; a backfill begins none while one of them does."""
    if run.trigger is Trigger.BACKFILL:
        return None
    if job.accounts & situation.paused:
        return Reason.ACCOUNT_PAUSED
    return Reason.ACCOUNT if job.accounts & situation.unusable else None


def _quiet(book: Book, run: Run, now: datetime) -> Reason | None:
    """Returns the reason where a run is due, or would begin late, in a blackout of its job; who asks by hand knows."""
    job = book.get(run.job)
    if job is None or not job.policy.blackout or run.trigger.by_hand:
        return None
    due = run.not_before or run.tick or now
    begins = now if now - due > _PROMPT else due
    return Reason.BLACKOUT if in_blackout(job.policy, due) or in_blackout(job.policy, begins) else None


def _with_own_row(connection: sa.Connection, judged: Iterable[Run]) -> list[Run]:
    """Returns the runs that need a row; a range of skips never reaches over another row of its job."""
    rows: list[Run] = []
    latest: dict[str, int] = {}  # the place of each job's last row here
    for run in judged:
        place = latest.get(run.job)
        if place is None and _is_skipped_tick(run) and runs.extend_skip(connection, run):
            continue
        if place is not None and _goes_on(rows[place], run):
            rows[place] = replace(
                rows[place], tick_until=run.tick_until or run.tick, ticks=rows[place].ticks + run.ticks
            )
            continue
        latest[run.job] = len(rows)
        rows.append(run)
    return rows


def _is_skipped_tick(run: Run) -> bool:
    return run.state is RunState.SKIPPED and run.tick is not None and not again_until(run.cause)


def _goes_on(before: Run, run: Run) -> bool:
    """Tells whether a tick is skipped for the reason for which the one before it was."""
    return _is_skipped_tick(before) and _is_skipped_tick(run) and before.reason is run.reason


def _lock(
    connection: sa.Connection, book: Book, recorded: Sequence[Run], now: datetime, filling: frozenset[str]
) -> list[Run]:
    """Takes the free job locks; a run that lost its lock to another node in this instant is skipped or waits."""
    queued = [run for run in recorded if run.state is RunState.QUEUED and not run.not_before]
    if not queued:
        return list(recorded)
    holders = locks.take(connection, [(locks.job_lock(run.job), run.id) for run in queued], now)
    others = [run for run in queued if holders[locks.job_lock(run.job)] != run.id and run.job not in filling]
    late = [run for run in others if _skips(book, run)]
    runs.skip(connection, [run.id for run in late], Reason.OVERLAP, now)
    skips = {run.id: skipped(run, Reason.OVERLAP, now) for run in late}
    return [skips.get(run.id, run) for run in recorded]


def _skips(book: Book, run: Run) -> bool:
    """Tells whether a run gives way to one that has its job's lock; one that comes later need not meet it."""
    job = book.get(run.job)
    if job is None or job.policy.overlap != "skip":
        return False
    asked_for = run.trigger.by_hand or run.trigger is Trigger.CATCH_UP  # by a person or a policy, exactly this one
    return not asked_for and run.not_before is None
