"""A configuration read again: jobs of which nothing has changed keep their definitions, the very same objects.

Of 10,000 jobs a reload touches a few; to define all the others anew takes seconds.
"""

import hashlib
from collections.abc import Mapping

from jobs.registry import is_built_in
from worker.config.configuration import Configuration, JobDefinition
from worker.config.draft import Draft
from worker.model.blackouts import CalendarEvents
from worker.model.schedules import After


def ground(draft: Draft) -> bytes:
    """Returns a digest of all that jobs stand on: what they may name, and what is put beneath them."""
    around = {section: table for section, table in draft.data.items() if section != "jobs"}
    return _digest(f"{draft.main} {around!r}")


def written(draft: Draft) -> dict[str, bytes]:
    """Returns a digest of each job as it stands in its file."""
    places = draft.places
    return {name: _digest(f"{places.file(('jobs', name))} {job!r}") for name, job in draft.tables("jobs").items()}


def untouched(draft: Draft, signs: Mapping[str, bytes], before: Configuration) -> dict[str, JobDefinition]:
    """Returns the definitions of the jobs that need not be defined anew; `signs` are what `written` returned."""
    names = draft.tables("jobs").keys()
    return {
        name: job
        for name, job in before.jobs.items()
        if signs.get(name) == job.written and _is_told_by_files(job) and _parents(job) <= names
    }


def _is_told_by_files(job: JobDefinition) -> bool:
    """Tells whether a definition follows from the TOML alone: a calendar changes by itself, a plug-in asks anybody."""
    entries = (*job.policy.blackout, *job.policy.holidays)
    return is_built_in(job.type) and not any(isinstance(entry, CalendarEvents) for entry in entries)


def _parents(job: JobDefinition) -> set[str]:
    schedule = job.policy.schedule
    return set(schedule.after) if isinstance(schedule, After) else set()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
