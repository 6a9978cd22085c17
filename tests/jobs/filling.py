"""Pages stored as a sync stores them, without a source."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from jobs.contract import Counts, Json
from jobs.flow import Batch, Page
from jobs.progress import Progress
from jobs.sinks.sql import Intake, SqlDestination, SqlOptions
from jobs.testing import MemoryContext

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
INTAKE = {"whole", "kinds", "resumes", "complete"}


def destination(context: MemoryContext, **options: Json) -> SqlDestination:
    """Returns the destination of one attempt; what an Intake knows goes there, the rest into its options."""
    intake = Intake(**{name: options.pop(name) for name in INTAKE & options.keys()})
    made = SqlOptions.model_validate({"table": "t", "key": "id"} | options)
    return SqlDestination(made, context, Progress(context), intake, now=lambda: NOW)


def batch(rows: Sequence[dict[str, Any]], **page: Json) -> Batch:
    """Returns a page whose records are its rows."""
    return Batch(Page(list(rows), **page), list(rows), list(rows))


def store(context: MemoryContext, *pages: Sequence[dict[str, Any]] | Batch, **options: Json) -> Counts:
    """Stores pages as one attempt does, each in its unit, and ends it; returns what it stored."""
    context.counts = Counts()
    target = destination(context, **options)
    target.begin()
    for page in pages:
        target.store([page if isinstance(page, Batch) else batch(page)])
    target.finish()
    counts = context.counts
    counts.read = counts.pages = 0
    return counts
