"""Backfills: the ticks of a span of the past become runs, oldest first, a few at a time.

Where each has got to stands in the database, so any node goes on with it, and after any end of a process. A tick's run
and the step over it are one transaction. A backfill gives way: it begins nothing while another run of its job is open,
while the job or one of its accounts is paused or unusable; and a tick of the schedule that meets its run waits for it,
whatever the job's `overlap` says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from worker.config.configuration import JobDefinition
from worker.engine.schedule import of_job
from worker.model.records import Backfill, Run, RunState
from worker.runs.book import Book
from worker.runs.candidates import backfill_cause, backfill_causes, of_backfill
from worker.runs.claims import record
from worker.runs.dispatch import Dispatch
from worker.store import accounts, backfills, jobs, openruns, pastruns, runs
from worker.store.database import Database
from worker.store.writer import Writer

BACKFILL_POLL_S = 0.5
OPEN_AT_MOST = 1000  # runs of one job that are looked at


@dataclass(frozen=True)
class Step:
    """What a backfill does next: the run of one tick, or its end with this outcome."""

    tick: datetime | None = None
    outcome: str = ""


@dataclass(frozen=True)
class Backfills:
    """Takes every backfill's next step whose time has come; `once` is one pass."""

    database: Database
    writer: Writer
    book: Callable[[], Book]
    dispatch: Dispatch
    now: Callable[[], datetime]

    def once(self) -> None:
        """Makes one pass; raises StoreError where the database cannot be reached."""
        book, now = self.book(), self.now()
        with self.database.read() as connection:
            opened = backfills.opened(connection)
            due = [one for one in opened if next_step(connection, book, one, now) is not None]
        for one in due:
            for _ in range(one.at_once):
                recorded = self.writer.call(partial(_take, book=book, backfill_id=one.id, now=now))
                self.dispatch.settle(recorded)
                if not recorded:
                    break


def _take(connection: sa.Connection, book: Book, backfill_id: int, now: datetime) -> list[Run]:
    """Takes one step of a backfill and returns the run it recorded, if any."""
    one = backfills.free(connection, backfill_id)
    step = next_step(connection, book, one, now) if one else None
    if one is None or step is None:
        return []
    if step.tick is None:
        backfills.end(connection, one.id, now, step.outcome)
        return []
    backfills.told(connection, one, step.tick)
    return record(connection, book, [of_backfill(book.jobs[one.job], one, step.tick, now)], now)


def next_step(connection: sa.Connection, book: Book, one: Backfill, now: datetime) -> Step | None:
    """Returns what a backfill does next; None where it waits."""
    job, row = book.get(one.job), jobs.get(connection, one.job)
    if job is None:  # another node may know it
        return None if row is not None and row.configured else Step(outcome="ended: the job is no longer configured")
    opened = openruns.open_of(connection, one.job, OPEN_AT_MOST)
    mine = [run for run in opened if run.cause.startswith(backfill_causes(one.id))]
    tick = next_tick(job, one)
    if tick is None:
        return None if mine else Step(outcome=_outcome(connection, one))
    if len(opened) > len(mine) or len(mine) >= one.at_once or why_held(connection, job, row, now):
        return None
    return None if _is_early(connection, one, now) else Step(tick)


def next_tick(job: JobDefinition, one: Backfill) -> datetime | None:
    """Returns the first tick that has no row yet; None where all have theirs."""
    if one.every_s is not None:
        return min(one.told_until + timedelta(seconds=one.every_s), one.until) if one.told_until < one.until else None
    schedule = of_job(job.policy, ZoneInfo("UTC"), job.name)
    tick = schedule.next_after(one.told_until) if schedule else None
    return tick if tick is not None and tick <= one.until else None


def why_held(connection: sa.Connection, job: JobDefinition, row: jobs.JobRow | None, now: datetime) -> str:
    """Returns why nothing of a job may be backfilled now; empty where it may."""
    if row is not None and (row.paused_at or row.quarantined_at):
        return "the job is paused" if row.paused_at else "the job is in quarantine"
    if held := sorted(job.accounts & accounts.paused(connection)):
        return f"the account {held[0]} is paused"
    unusable = sorted(job.accounts & accounts.unusable(connection, now).keys())
    return f"the account {unusable[0]} cannot be used" if unusable else ""


def _is_early(connection: sa.Connection, one: Backfill, now: datetime) -> bool:
    """Tells whether the pause since the latest run's start has not passed."""
    if not one.pause_s or not one.ticks:
        return False
    last = runs.by_cause(connection, one.job, backfill_cause(one.id, one.told_until))
    return last is not None and now < (last.started_at or last.created_at) + timedelta(seconds=one.pause_s)


def _outcome(connection: sa.Connection, one: Backfill) -> str:
    states = pastruns.states_of(connection, one.job, backfill_causes(one.id))
    told = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    return f"done: {told}" if not states.keys() - {RunState.SUCCEEDED} else f"ended: {told}"


def ticks_between(job: JobDefinition, since: datetime, until: datetime, every_s: float | None) -> int | None:
    """Returns how many ticks a span holds; None where no clock drives the job and no step is said."""
    if every_s is not None:
        return -int(-(until - since).total_seconds() // every_s)
    schedule = of_job(job.policy, ZoneInfo("UTC"), job.name)
    if schedule is None:
        return None
    found = schedule.span(since.astimezone(UTC), until.astimezone(UTC))
    return found.count if found else 0
