"""Queued runs that wait because somebody paused their job or an account they run under, or the job is in quarantine."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.config.configuration import JobDefinition
from worker.model.records import Run
from worker.runs.book import Book
from worker.store import accounts, jobs

_FRESH = timedelta(seconds=5)  # so long after a run's claim, which looked, its start need not look again


def is_held(connection: sa.Connection, job: JobDefinition, run: Run, now: datetime) -> bool:
    """Tells whether the next attempt of a queued run has to wait until somebody lets its job go on."""
    if not run.attempt and now - run.created_at < _FRESH:
        return False
    row = jobs.get(connection, run.job)
    if row is not None and (row.quarantined_at or (row.paused_at and not run.trigger.by_hand)):
        return True
    return bool(job.accounts and job.accounts & accounts.paused(connection))


def held_jobs(connection: sa.Connection, book: Book) -> list[str]:
    """Returns the jobs that run under a paused account."""
    paused = accounts.paused(connection)
    return sorted(name for name, job in book.jobs.items() if job.accounts & paused) if paused else []
