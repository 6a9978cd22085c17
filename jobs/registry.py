"""Which class runs a type of job: those built in, and those of the entry points `integration_worker.jobs`."""

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from jobs.contract import Job, WorkerError
from jobs.python import Python
from jobs.request import Request
from jobs.sync import Sync

GROUP = "integration_worker.jobs"
_BUILT_IN: dict[str, type[Job[Any]]] = {"python": Python, "request": Request, "sync": Sync}


class JobTypeError(WorkerError):
    """A type of job is not known, or its plug-in cannot be loaded."""

    kind = "job_type"
    permanent = True


def job_class(name: str) -> type[Job[Any]]:
    """Returns the class of a type of job; raises JobTypeError."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    plugin = _plugins().get(name)
    if plugin is None:
        near = get_close_matches(name, names(), n=3) or names()
        raise JobTypeError(f"there is no type of job {name!r}; did you mean {' or '.join(near)}?")
    return _loaded(plugin)


def is_built_in(name: str) -> bool:
    """Tells whether a type of job comes with the worker."""
    return name in _BUILT_IN


def names() -> list[str]:
    """Returns the types of jobs that can be configured; a plug-in counts before it is loaded."""
    return sorted({*_BUILT_IN, *_plugins()})


@cache
def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(plugin: EntryPoint) -> type[Job[Any]]:
    try:
        found = plugin.load()
    except Exception as error:  # a plug-in may raise anything while it is imported
        raise JobTypeError(
            f"the type of job {plugin.name!r} cannot be loaded from {plugin.value}: "
            f"{type(error).__name__}: {error}. Install or repair the package it comes from."
        ) from error
    if not isinstance(found, type) or not issubclass(found, Job) or not hasattr(found, "options_model"):
        raise JobTypeError(
            f"the type of job {plugin.name!r} is {plugin.value}, which is no Job with an options_model; "
            "derive it from jobs.contract.Job."
        )
    return found
