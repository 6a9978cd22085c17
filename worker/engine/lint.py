"""What is odd about schedules, though each is valid (pure).

They never fire, or fire twice or not at all on a night on which clocks change; all at once; in hours or blackouts that
leave nothing of them; after jobs that never run by themselves; by calendars that have run out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from worker.engine.lintnights import Odd, odd_nights
from worker.engine.schedule import Occurrences, of_job
from worker.engine.shut import outside
from worker.model.blackouts import CalendarEvents
from worker.model.options import JobOptions
from worker.model.schedules import After, Every, Manual, Once

_YEAR = timedelta(days=366)
_LOOK_AHEAD = timedelta(days=35)  # in which crowds are looked for
_MOST_LOOKED_AT = 2_000_000  # instants, of all schedules together
_MOST_OF_ONE = 2_000
_CROWD = 20  # jobs due in one second that nobody minds
_CROWD_PER_PLACE = 5  # the same, for each run that the node can have at once
_NAMED = 5  # jobs of a crowd that a message names

Kind = Literal["never", "past", "hours", "blackout", "left out", "twice", "crowd", "waits", "stale"]


@dataclass(frozen=True)
class Finding:
    """One oddity: the job and the key below it that would be changed, and a sentence that says what and how."""

    job: str
    key: str
    kind: Kind
    message: str
    at: datetime | None = None  # UTC; when it shows first
    jobs: tuple[str, ...] = ()  # all that make a crowd


def lint(jobs: Mapping[str, JobOptions], zone: ZoneInfo, concurrency: int, now: datetime) -> list[Finding]:
    """Returns what is odd about the schedules of these jobs within a year from `now`, in order of the jobs' names.

    `zone` is that of jobs that name none.
    """
    enabled = {name: policy for name, policy in sorted(jobs.items()) if policy.enabled}
    due = {name: one for name, policy in enabled.items() if (one := of_job(policy, zone, name))}
    found = [finding for name in due for finding in _of_job(name, enabled[name], zone, due[name], now)]
    silent = {finding.job for finding in found if finding.kind in ("never", "past", "hours", "blackout")}
    waits = _waits(jobs, silent)
    crowds = _crowds({name: one for name, one in due.items() if name not in silent}, enabled, concurrency, now)
    return sorted([*found, *waits, *crowds, *_stale(enabled, zone, now)], key=lambda finding: finding.job)


def never_due(name: str, policy: JobOptions, zone: ZoneInfo, now: datetime) -> Finding | None:
    """Returns why the clock never starts a job any more; None where it does, and where it never was to."""
    due = of_job(policy, zone, name)
    return _silence(name, policy, zone, due, now) if due else None


def _of_job(name: str, policy: JobOptions, zone: ZoneInfo, due: Occurrences, now: datetime) -> Iterator[Finding]:
    if found := _silence(name, policy, zone, due, now):
        yield found
    else:
        own = policy.timezone or zone
        yield from (_of_night(name, odd) for odd in odd_nights(policy, own, name, due, (now, now + _YEAR)))


def _silence(name: str, policy: JobOptions, zone: ZoneInfo, due: Occurrences, now: datetime) -> Finding | None:
    if due.next_after(now) is None:
        return _never(name, policy, zone, now)
    if outside(due, policy).next_after(now) is None:
        message = "every tick lies in a blackout: the job never runs by itself; shorten the blackout"
        return Finding(name, "blackout", "blackout", message, due.next_after(now))
    return None


def _never(name: str, policy: JobOptions, zone: ZoneInfo, now: datetime) -> Finding:
    """Returns why a job is not due any more."""
    schedule = policy.schedule
    if isinstance(schedule, Once):
        message = f"{schedule.once:%Y-%m-%d %H:%M:%S %Z} has passed: the job never runs again; disable or remove it"
        return Finding(name, "schedule.once", "past", message, schedule.once)
    free = of_job(policy.model_copy(update={"hours": None}), zone, name)
    if policy.hours and free and (tick := free.next_after(now)):
        shown = tick.astimezone(policy.timezone or zone)
        message = f"no tick lies within {policy.hours}: the next would be at {shown:%H:%M}; change hours or schedule"
        return Finding(name, "hours", "hours", message, tick)
    return Finding(name, "schedule", "never", "the schedule is never due: no date fulfils it; change or remove it")


def _of_night(name: str, odd: Odd) -> Finding:
    return Finding(name, odd.key, odd.kind, odd.message, odd.at)


def _stale(jobs: Mapping[str, JobOptions], zone: ZoneInfo, now: datetime) -> Iterator[Finding]:
    """Yields each calendar, once, that has run out: files of holidays are made for some years."""
    today = now.astimezone(zone).date()
    days = [today + timedelta(days=n) for n in range(_YEAR.days)]
    told: set[Path] = set()
    for name, policy in jobs.items():
        for key, index, entry in _calendars(policy):
            if entry.ics.path not in told and not any(entry.of(day, zone) for day in days):
                message = f"{entry.ics.path.name} has no event within the coming year: put a newer calendar there"
                yield Finding(name, f"{key}[{index}].ics", "stale", message)
            told.add(entry.ics.path)


def _calendars(policy: JobOptions) -> Iterator[tuple[str, int, CalendarEvents]]:
    for key, entries in (("blackout", policy.blackout), ("holidays", policy.holidays)):
        for index, entry in enumerate(entries):
            if isinstance(entry, CalendarEvents):
                yield key, index, entry


def _waits(jobs: Mapping[str, JobOptions], silent: set[str]) -> Iterator[Finding]:
    """Yields what jobs wait for in vain."""
    for name, policy in jobs.items():
        if policy.enabled and isinstance(policy.schedule, After):
            for index, parent in enumerate(policy.schedule.after):
                if reason := _why_silent(parent, jobs, silent, (name,)):
                    message = f'the job "{parent}" {reason}, so this one does not run by itself either'
                    yield Finding(name, f"schedule.after[{index}]", "waits", message)


def _why_silent(name: str, jobs: Mapping[str, JobOptions], silent: set[str], path: tuple[str, ...]) -> str | None:
    """Returns why a job never runs by itself; None where it does."""
    policy = jobs.get(name)
    if policy is None:
        return "is not configured"
    if not policy.enabled:
        return "is disabled"
    if isinstance(policy.schedule, Manual):
        return "runs by hand only"
    if not isinstance(policy.schedule, After):
        return "is never due" if name in silent else None
    if name in path:
        return "comes after itself, in a circle"
    reasons = [_why_silent(parent, jobs, silent, (*path, name)) for parent in policy.schedule.after]
    return "waits for jobs that never run by themselves" if all(reasons) else None


def _crowds(
    due: Mapping[str, Occurrences], jobs: Mapping[str, JobOptions], concurrency: int, now: datetime
) -> Iterator[Finding]:
    """Yields each set of jobs that are due in one second, where they are too many, once."""
    alike: defaultdict[Occurrences, list[str]] = defaultdict(list)
    for name, found in due.items():
        alike[outside(found, jobs[name])].append(name)
    bound = max(_CROWD, _CROWD_PER_PLACE * concurrency)
    together = _together(alike, bound, now)
    told: set[tuple[str, ...]] = set()
    for at in sorted(together):
        names = tuple(sorted(name for found in together[at] for name in alike[found]))
        if told.isdisjoint([names]) and not any(set(names) <= set(others) for others in told):
            told.add(names)
            yield _crowd(names, at, bound, jobs[names[0]])


def _together(
    alike: Mapping[Occurrences, list[str]], bound: int, now: datetime
) -> Mapping[datetime, list[Occurrences]]:
    """Returns the seconds in which more than `bound` jobs are due, with their schedules."""
    each = min(_MOST_OF_ONE, max(_CROWD, _MOST_LOOKED_AT // max(len(alike), 1)))
    ticks = {found: set(_seconds(found.between(now, now + _LOOK_AHEAD, each))) for found in alike}
    counts: Counter[datetime] = Counter()
    for found, seconds in ticks.items():
        counts.update(dict.fromkeys(seconds, len(alike[found])))
    full = {at for at, count in counts.items() if count > bound}
    crowded: defaultdict[datetime, list[Occurrences]] = defaultdict(list)
    for found, seconds in ticks.items():
        for at in seconds & full:
            crowded[at].append(found)
    return crowded


def _seconds(instants: Iterable[datetime]) -> Iterator[datetime]:
    return (at.replace(microsecond=0) for at in instants)


def _crowd(names: tuple[str, ...], at: datetime, bound: int, first: JobOptions) -> Finding:
    others = ", ".join(names[1:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    spread = "give each another offset" if isinstance(first.schedule, Every) else 'let H spread them, as in "H 2 * * *"'
    message = (
        f"{len(names)} jobs are due in the same second, first at {at:%Y-%m-%d %H:%M:%S} UTC: this one, {others}; "
        f"more than {bound} wait for each other: {spread}"
    )
    return Finding(names[0], "schedule", "crowd", message, at, names)
