"""Blackouts and holidays of a job, asked by date and by instant (pure)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from worker.engine.occurrences import Occurrences
from worker.engine.within import Within
from worker.model.blackouts import BlackoutWords, CalendarEvents
from worker.model.days import is_weekday
from worker.model.options import JobOptions
from worker.model.portions import Openings, holds, joined, others, whole

Entries = tuple[BlackoutWords | CalendarEvents, ...]

_UTC = ZoneInfo("UTC")
_LONGEST_TOLD_DAYS = 366


@lru_cache(maxsize=1024)
def shut(entries: Entries, zone: ZoneInfo) -> Openings:
    """Returns what tells of each date which portions are shut."""
    return lru_cache(maxsize=1024)(lambda day: joined(part for entry in entries for part in entry.of(day, zone)))


@lru_cache(maxsize=1024)
def business_days(holidays: Entries, zone: ZoneInfo) -> Callable[[date], bool]:
    """Returns what tells of each date whether it is a business day: Monday to Friday, and not a holiday as a whole."""
    off = shut(holidays, zone)
    return lru_cache(maxsize=1024)(lambda day: is_weekday(day) and off(day) != (whole(day),))


def in_blackout(policy: JobOptions, moment: datetime) -> bool:
    """Tells whether an instant lies in a blackout of the job."""
    if not policy.blackout:
        return False
    zone = policy.timezone or _UTC  # the configuration puts the worker's zone beneath each job
    local = moment.astimezone(zone).replace(tzinfo=None)
    return holds(shut(policy.blackout, zone)(local.date()), local)


def blackout_end(policy: JobOptions, moment: datetime) -> datetime | None:
    """Returns when the blackout in which an instant lies ends; None where it lies in none, or in one of over a year."""
    if not in_blackout(policy, moment):
        return None
    zone = policy.timezone or _UTC
    local = moment.astimezone(zone).replace(tzinfo=None)
    for _ in range(_LONGEST_TOLD_DAYS):
        ends = (end for start, end in shut(policy.blackout, zone)(local.date()) if start <= local < end)
        end = next(ends, local)
        if end == local or end.time() != time():
            return end.replace(tzinfo=zone).astimezone(UTC)
        local = end
    return None


def outside(found: Occurrences, policy: JobOptions) -> Occurrences:
    """Returns those instants of a job's schedule that lie in none of its blackouts."""
    if not policy.blackout:
        return found
    zone = policy.timezone or _UTC
    return Within(found, _opened(policy.blackout, zone), zone, ", outside of its blackouts")


@lru_cache(maxsize=1024)
def _opened(entries: Entries, zone: ZoneInfo) -> Openings:
    closed = shut(entries, zone)
    return lru_cache(maxsize=1024)(lambda day: others(closed(day), day))
