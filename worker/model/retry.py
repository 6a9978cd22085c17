"""How often a failed run is attempted, by what it failed of: a kind of `runs.error_kind`, which error classes name."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from jobs.contract import Duration, Interrupted, JobSignal, WorkerError
from worker.model.errors import TimedOut
from worker.model.values import Options, RetryOptions

_OF_PYTHON = re.compile(r"[A-Z]\w*")  # errors that are not ours go by the name of their class


def kinds() -> dict[str, bool]:
    """Returns the kinds of error that are known now, each with whether a run that failed of it is tried again.

    Those of a plug-in are known once its type of job was loaded.
    """
    found: dict[str, bool] = {}
    for error in _below(WorkerError):
        if not issubclass(error, JobSignal | Interrupted) or issubclass(error, TimedOut):
            found[error.kind] = found.get(error.kind, False) or not error.permanent
    return found


def _below(error: type[WorkerError]) -> Iterator[type[WorkerError]]:
    yield error
    for child in error.__subclasses__():
        yield from _below(child)


def _checked(kind: str) -> str:
    known = kinds()
    if known.get(kind):
        return kind
    if kind in known:
        raise ValueError(f'a run that failed of "{kind}" is never tried again: another attempt would fail alike')
    near = get_close_matches(kind.lower(), [name for name in known if known[name]], n=1)
    if _OF_PYTHON.fullmatch(kind) and kind.lower() not in near:
        return kind
    again = sorted(name for name in known if known[name])
    remedy = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(again)}"
    raise ValueError(
        f'unknown kind of error "{kind}"; {remedy} An error of Python goes by the name of its class: ConnectionError'
    )


Kind = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "examples": ["timeout", "status"]})]
"""A kind of error, as `worker history` and `runs.error_kind` have it."""


class RetryRule(Options):
    """What is different for errors of one kind; what it leaves out is as for all others."""

    attempts: int | None = Field(default=None, ge=1, le=100)
    backoff: Duration | None = None
    max: Duration | None = None


class JobRetryOptions(RetryOptions):
    """How often a failed run is attempted, and how long it waits between; `on` says it by the kind of error."""

    on: dict[Kind, RetryRule] = Field(default_factory=dict, description="By kind of error; each is counted by itself.")

    def of(self, kind: str) -> RetryOptions:
        """Returns what holds for errors of a kind."""
        rule = self.on.get(kind)
        said = rule.model_dump(exclude_none=True) if rule else {}
        return RetryOptions.model_construct(
            **{"attempts": self.attempts, "backoff": self.backoff, "max": self.max} | said
        )

    def counted(self, kind: str, failures: Mapping[str, int]) -> int:
        """Returns how many of a run's failures, by kind, count with one of this kind.

        A kind with a rule of its own is counted by itself, all others together: so a run is attempted as often as the
        rule of its latest failure allows, and at most as often as all rules together.
        """
        if kind in self.on:
            return failures.get(kind, 0)
        return sum(count for other, count in failures.items() if other not in self.on)
