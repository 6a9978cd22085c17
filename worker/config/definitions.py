"""Jobs: `[defaults]` put beneath each, its own keys split between the worker's policy and its type's options."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel

from jobs.registry import JobTypeError, job_class
from worker.config.check import inspect, validate
from worker.config.configuration import JobDefinition
from worker.config.draft import Draft, Table
from worker.config.lines import KeyPath
from worker.config.paths import absolute
from worker.config.references import accounts_in, check_names
from worker.config.shape import NONE, Kinds, keys_of, kinds_of
from worker.config.shared import Shared
from worker.model.blackouts import CalendarEvents
from worker.model.options import JobOptions


@dataclass(frozen=True)
class Said:
    """What stands fast of a job before its options are validated."""

    written: bytes
    text: str  # canonical, without calendars
    accounts: frozenset[str]


def complete(draft: Draft, around: dict[KeyPath, Kinds], written: Mapping[str, bytes]) -> dict[str, Said]:
    """Puts `[defaults]` and the worker's zone beneath every job, and notes what no validator has to be asked for.

    Returns what each says by then. Model defaults are left out of that, so that two releases of the worker agree on a
    definition's hash.
    """
    zone = draft.at(("worker", "timezone")) or "UTC"
    said: dict[str, Said] = {}
    for name, job in draft.jobs().items():
        path = ("jobs", name)
        if isinstance(draft.at(("defaults",)), dict):
            draft.fill(path, ("defaults",))
        if "timezone" not in job:
            job["timezone"] = zone
            draft.move(("worker", "timezone"), (*path, "timezone"))
        spots = inspect(draft, path, kinds(draft, name), around)
        said[name] = Said(written[name], _canonical(job), accounts_in(spots))
        absolute(draft, spots)
        check_names(draft, spots)
    return said


def kinds(draft: Draft, name: str) -> Kinds:
    """Returns the models that a job's keys belong to: the worker's and its type's; none where that is unknown."""
    try:
        options = _options_model(draft.at(("jobs", name, "type")))
    except JobTypeError:
        return NONE
    return _kinds(options) if options else NONE


@cache
def _kinds(options: type[BaseModel]) -> Kinds:
    return kinds_of(JobOptions | options)


def _options_model(type_name: object) -> type[BaseModel] | None:
    """Returns the options of a job type; None where that is no text. Raises JobTypeError."""
    return job_class(type_name).options_model if isinstance(type_name, str) else None


def _canonical(job: Table) -> str:
    return json.dumps(job, default=str, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def define_all(draft: Draft, said: Mapping[str, Said]) -> dict[str, JobDefinition]:
    """Returns the definitions of the jobs that are valid, after noting what is wrong with the others.

    Takes each job's table out of the draft, so that the next one's options find room in memory where it was.
    """
    shared = Shared()
    found: dict[str, JobDefinition] = {}
    for name, one in said.items():
        definition = define(draft, name, one, shared)
        del draft.data["jobs"][name]
        if definition:
            found[name] = definition
    return found


def define(draft: Draft, name: str, said: Said, shared: Shared) -> JobDefinition | None:
    """Returns a job's definition; None, with its problems noted, where it is not valid."""
    path = ("jobs", name)
    job: Table = draft.at(path)
    policy = validate(draft, path, JobOptions, _OF_ANY)
    try:
        options_model = _options_model(job.get("type"))
    except JobTypeError as error:
        draft.blame((*path, "type"), str(error))
        return None
    if options_model is None or path in draft.unfinished:
        return None
    options = validate(draft, path, options_model, _of_type(options_model))
    if policy is None or options is None:
        return None
    text = _with_calendars(said.text, policy)
    policy, options = shared.once(policy), shared.once(options)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return JobDefinition(
        name, policy, policy.type, options, digest, text, shared.names(said.accounts), written=said.written
    )


_OF_ANY = frozenset(keys_of(JobOptions))


@cache
def _of_type(options: type[BaseModel]) -> frozenset[str]:
    return frozenset(keys_of(options)) - _OF_ANY


def _with_calendars(text: str, policy: JobOptions) -> str:
    """Returns a definition's text with what it takes from calendars: one whose file changed is another definition."""
    entries = (*policy.blackout, *policy.holidays)
    digests = [entry.ics.digest for entry in entries if isinstance(entry, CalendarEvents)]
    return _canonical({**json.loads(text), "calendars": digests}) if digests else text
