"""How an attempt ended, and what that means for its run (pure)."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException

from jobs.contract import Interrupted, RetryLater, Skip, WorkerError
from worker.model.errors import CalledOff, ConditionUnmet, TimedOut
from worker.model.records import AttemptState, Reason, RunState
from worker.model.retry import JobRetryOptions
from worker.model.values import RetryOptions
from worker.vault.redact import redact

_LONGEST_ERROR = 2000  # characters kept of an error's text
_REASONS: dict[type, Reason] = {ConditionUnmet: Reason.CONDITION, CalledOff: Reason.STEP}  # other skips: the job's own


class ShuttingDown(Interrupted):
    """The daemon leaves before the attempt could end; the run is attempted again at the next start."""

    kind = "shutdown"


class Cancelled(Interrupted):
    """An operator asked that the run end."""

    kind = "cancelled"


@dataclass(frozen=True)
class Outcome:
    """What is written about an attempt; `wait_s` is set where the run waits for another one."""

    attempt: AttemptState
    reason: Reason | None = None
    error: tuple[str, str] | None = None  # kind, message
    wait_s: float | None = None

    @cached_property
    def run(self) -> RunState:
        """The state of the run, or queued where it is attempted again."""
        return RunState.QUEUED if self.wait_s is not None else RunState(self.attempt)


_SUCCEEDED = Outcome(AttemptState.SUCCEEDED)


def judge(
    error: BaseException | None,
    failures: Mapping[str, int],
    retry: JobRetryOptions,
    chance: Callable[[], float] = random.random,
) -> Outcome:
    """Returns the outcome of an attempt that raised `error`, after failed attempts of the same run, by kind."""
    if error is None:
        return _SUCCEEDED
    told = describe(error)
    if (word := _word(error, told)) is not None:
        return word
    reason = Reason.TIMEOUT if isinstance(error, TimedOut) else None
    rule, counted = retry.of(told[0]), retry.counted(told[0], failures)
    if (isinstance(error, WorkerError) and error.permanent) or counted + 1 >= rule.attempts:
        return Outcome(AttemptState.FAILED, reason, told)
    asked = error.retry_after_s if isinstance(error, WorkerError) else None
    return Outcome(AttemptState.FAILED, reason, told, wait_s=max(asked or 0.0, backoff_s(counted, rule, chance)))


def _word(error: BaseException, told: tuple[str, str]) -> Outcome | None:
    """Returns the outcome that somebody asked for: the job, the daemon, an operator; None where it is a failure."""
    if isinstance(error, Skip):
        return Outcome(AttemptState.SKIPPED, _REASONS.get(type(error), Reason.NOTHING), told)
    if isinstance(error, RetryLater):
        return Outcome(AttemptState.DEFERRED, error=told, wait_s=error.retry_after_s)
    if isinstance(error, ShuttingDown):
        return Outcome(AttemptState.LOST, Reason.SHUTDOWN, told, wait_s=0.0)
    if isinstance(error, Cancelled):
        return Outcome(AttemptState.CANCELLED, Reason.OPERATOR, told)
    return None


def backoff_s(failures: int, retry: RetryOptions, chance: Callable[[], float] = random.random) -> float:
    """Returns a wait with jitter: half to all of `backoff` doubled per failure, at most `max`, in seconds."""
    ceiling = min(retry.backoff * 2.0 ** min(failures, 60), retry.max)
    return ceiling * (0.5 + chance() / 2)


def describe(error: BaseException) -> tuple[str, str]:
    """Returns (kind, message) of an error, without secrets and of bounded length.

    Of an error that is not ours the text is kept too, since it is what the author of a job wrote; only the HTTP
    library's texts are left out, as they hold whole URLs.
    """
    if isinstance(error, WorkerError):
        return error.kind, redact(str(error))[:_LONGEST_ERROR]
    kind = type(error).__name__
    foreign = isinstance(error, HTTPException) or type(error).__module__.startswith(("requests", "urllib3"))
    text = "" if foreign else redact(str(error))
    return kind, f"{kind}: {text}"[:_LONGEST_ERROR].removesuffix(": ")
