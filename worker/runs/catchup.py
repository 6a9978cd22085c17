"""What becomes of the ticks of a downtime: those that are made up for, and few rows for all others (pure).

Each question about a span is answered by counting, never by a walk from its beginning: a year of seconds is as quick as
an hour.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from worker.config.configuration import JobDefinition
from worker.engine.schedule import Occurrences
from worker.engine.shut import outside
from worker.model.catchup import CatchUpOptions
from worker.model.records import Run, Trigger
from worker.runs.candidates import of_blackout, of_gap, of_tick

_INSTANT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


def of_downtime(job: JobDefinition, since: datetime, until: datetime, occurrences: Occurrences) -> Iterator[Run]:
    """Yields one row for the ticks after `since` that are left out, then a run for each that is made up for.

    Ticks in blackouts are never made up for. They get rows of their own, but for those among others that are left out.
    """
    first = occurrences.next_after(since)
    if first is None or first > until:
        return
    allowed = outside(occurrences, job.policy)
    made_up = _made_up(job.policy.catch_up, since, until, allowed)
    end = made_up[0] - _INSTANT if made_up else until
    if left_out := occurrences.span(since, end):
        yield (of_gap if allowed.span(since, end) else of_blackout)(job, left_out, until)
    for tick, following in pairwise([*made_up, until + _INSTANT]):
        yield of_tick(job, tick, until, Trigger.CATCH_UP)
        if job.policy.blackout and (shut := occurrences.span(tick, following - _INSTANT)):
            yield of_blackout(job, shut, until)


def _made_up(options: CatchUpOptions, since: datetime, until: datetime, occurrences: Occurrences) -> list[datetime]:
    if options.policy == "none":
        return []
    if options.window is not None:
        since = max(since, until - timedelta(seconds=options.window))
    return latest(occurrences, since, until, 1 if options.policy == "last" else options.max)


def latest(occurrences: Occurrences, since: datetime, until: datetime, limit: int) -> list[datetime]:
    """Returns the instants after `since` up to and with `until`, at most the last `limit` of them."""
    whole = occurrences.span(since, until)
    if whole is None or limit == 1:
        return [whole.last] if whole else []
    if whole.count > limit:
        since = _beginning(occurrences, since, until, limit)
    return occurrences.between(since, until, limit)


def _beginning(occurrences: Occurrences, since: datetime, until: datetime, limit: int) -> datetime:
    """Returns a moment after which lie `limit` instants and no more; more of them lie after `since`."""
    width = _SECOND  # from the end: what is counted again and again stays short
    while until - width > since and _count(occurrences, until - width, until) < limit:
        width *= 2
    early, late = max(since, until - width), until
    while late - early > _INSTANT:
        middle = early + (late - early) // 2
        count = _count(occurrences, middle, until)
        if count == limit:
            return middle
        early, late = (middle, late) if count > limit else (early, middle)
    return late


def _count(occurrences: Occurrences, since: datetime, until: datetime) -> int:
    span = occurrences.span(since, until)
    return span.count if span else 0
