"""Queued runs that wait because somebody paused their job or an account they run under, or the job is in quarantine."""

import sqlalchemy as sa

from worker.config.configuration import JobDefinition
from worker.model.records import Run
from worker.runs.book import Book
from worker.store import accounts, jobs


def is_known(connection: sa.Connection, job: str) -> bool:
    """Tells whether a job is configured on some node, by the latest configuration that one of them took up."""
    row = jobs.get(connection, job)
    return row is not None and row.configured


def is_held(connection: sa.Connection, job: JobDefinition, run: Run) -> bool:
    """Tells whether the next attempt of a queued run has to wait until somebody lets its job go on."""
    row = jobs.get(connection, run.job)
    if row is not None and (row.quarantined_at or (row.paused_at and not run.trigger.by_hand)):
        return True
    return bool(job.accounts and job.accounts & accounts.paused(connection))


def held_jobs(connection: sa.Connection, book: Book) -> list[str]:
    """Returns the jobs that run under a paused account."""
    paused = accounts.paused(connection)
    return sorted(name for name, job in book.jobs.items() if job.accounts & paused) if paused else []
