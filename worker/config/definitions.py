"""Jobs: `[defaults]` put beneath each, its own keys split between the worker's policy and its type's options."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel

from jobs.registry import JobTypeError, job_class
from worker.config.check import inspect, validate
from worker.config.configuration import JobDefinition
from worker.config.draft import Draft, Table
from worker.config.lines import KeyPath
from worker.config.shape import NONE, Kinds, keys_of, kinds_of, walk
from worker.config.shared import Shared
from worker.model.blackouts import CalendarEvents
from worker.model.options import JobOptions


def complete(draft: Draft, around: dict[KeyPath, Kinds]) -> None:
    """Puts `[defaults]` and the worker's zone beneath every job, and notes what no validator has to be asked for."""
    zone = draft.at(("worker", "timezone")) or "UTC"
    for name, job in draft.tables("jobs").items():
        path = ("jobs", name)
        if isinstance(draft.at(("defaults",)), dict):
            draft.fill(path, ("defaults",))
        if "timezone" not in job:
            job["timezone"] = zone
            draft.move(("worker", "timezone"), (*path, "timezone"))
        inspect(draft, path, kinds(draft, name), around)


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


def effective(draft: Draft) -> dict[str, str]:
    """Returns the canonical text of every job's definition as it stands in the draft.

    Model defaults are left out, so that two releases of the worker agree on a definition's hash.
    """
    return {name: _canonical(job) for name, job in draft.tables("jobs").items()}


def _canonical(job: Table) -> str:
    return json.dumps(job, default=str, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def define_all(draft: Draft, texts: Mapping[str, str]) -> dict[str, JobDefinition]:
    """Returns the definitions of the jobs that are valid, after noting what is wrong with the others.

    Takes each job's table out of the draft, so that the next one's options find room in memory where it was.
    """
    shared = Shared()
    found: dict[str, JobDefinition] = {}
    for name, text in texts.items():
        definition = define(draft, name, text, shared)
        del draft.data["jobs"][name]
        if definition:
            found[name] = definition
    return found


def define(draft: Draft, name: str, text: str, shared: Shared) -> JobDefinition | None:
    """Returns a job's definition; None, with its problems noted, where it is not valid."""
    path = ("jobs", name)
    job: Table = draft.at(path)
    policy = validate(draft, path, JobOptions, set(keys_of(JobOptions)))
    try:
        options_model = _options_model(job.get("type"))
    except JobTypeError as error:
        draft.blame((*path, "type"), str(error))
        return None
    if options_model is None or path in draft.unfinished:
        return None
    options = validate(draft, path, options_model, set(keys_of(options_model)) - set(keys_of(JobOptions)))
    if policy is None or options is None:
        return None
    text = _with_calendars(text, policy)
    policy, options = shared.once(policy), shared.once(options)
    digest = hashlib.sha256(text.encode()).hexdigest()
    accounts = shared.names(_accounts(job, options_model, path))
    return JobDefinition(name, policy, policy.type, options, digest, text, accounts)


def _with_calendars(text: str, policy: JobOptions) -> str:
    """Returns a definition's text with what it takes from calendars: one whose file changed is another definition."""
    entries = (*policy.blackout, *policy.holidays)
    digests = [entry.ics.digest for entry in entries if isinstance(entry, CalendarEvents)]
    return _canonical({**json.loads(text), "calendars": digests}) if digests else text


def _accounts(job: Table, options_model: type[BaseModel], path: KeyPath) -> frozenset[str]:
    named = walk(job, _kinds(options_model), path)
    return frozenset(value for _, value, allowed in named if isinstance(value, str) and allowed.refers_to == "accounts")
