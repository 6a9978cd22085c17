"""What the ledger is told of the jobs that are configured."""

from collections.abc import Iterable
from datetime import datetime

from worker.config.configuration import JobDefinition
from worker.store.jobs import Definition, JobRow
from worker.vault.redact import redact


def rows(jobs: Iterable[JobDefinition], now: datetime) -> list[JobRow]:
    """Returns the row of each job, whose ticks from now on are ours."""
    return [JobRow(job.name, job.hash, job.policy.enabled, now) for job in jobs]


def texts(jobs: Iterable[JobDefinition], now: datetime) -> list[Definition]:
    """Returns the definition of each job, without secrets."""
    return [Definition(job.hash, redact(job.text), now) for job in jobs]
