"""Every error that a job meets or raises, drawn first.

WorkerError                 the root of every error of ours
├── BadAnswer               an API answered with something that is not what was asked for
├── BadRecord               one record cannot be mapped or typed; it becomes a reject
├── TooManyRejects          more records were rejected than the job allows
├── FailedAnswer            an API answered with a status of 400 or more
├── Unanswered              a request may have been acted upon, but no complete answer came
├── Interrupted             the run must end now: cancelled, timed out or shutting down
└── JobSignal               what a job asks for, by raising it
    ├── RetryLater          try this run again, not before a while
    ├── Skip                there was nothing to do; the run ends as skipped
    └── GiveUp              trying again cannot help; the run ends as failed
"""

from typing import ClassVar

LONGEST_S = 36_500 * 86_400.0  # a century: what is longer means for ever, and leads beyond the calendar's ends


class WorkerError(Exception):
    """The root of every error of ours; its text is one sentence that ends in the remedy."""

    kind: ClassVar[str] = "error"  # stands in runs.error_kind: what people filter by
    permanent: ClassVar[bool] = False  # True: another attempt would fail alike, so none is made
    retry_after_s: float | None = None  # seconds the far end asked us to wait, where it did


class BadAnswer(WorkerError):
    """An API answered with something that is not what was asked for."""

    kind = "bad_answer"


class BadRecord(WorkerError):
    """One record cannot be mapped or typed; the reason goes into its reject."""

    kind = "bad_record"


class TooManyRejects(WorkerError):
    """More records were rejected than the job's `max_rejects` allows."""

    kind = "too_many_rejects"
    permanent = True


class Body(bytes):
    """An answer's body as an error keeps it: it may hold secrets, so it does not print."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"

    __str__ = __repr__


class FailedAnswer(WorkerError):
    """An API answered with a status of 400 or more, and trying again at once did not help."""

    kind = "status"
    status: int
    body: bytes = Body()


class Unanswered(WorkerError):
    """A request may have been acted upon, but no complete answer came."""

    kind = "unanswered"


class Interrupted(WorkerError):
    """The run must end now; raised by `Context.check`."""

    kind = "interrupted"


class JobSignal(WorkerError):
    """What a job asks for by raising a word; the executor owns the consequence."""


class RetryLater(JobSignal):
    """The run is to be attempted again, not before `after_s` seconds have passed; raises ValueError, TypeError."""

    kind = "retry_later"

    def __init__(self, reason: str, after_s: float) -> None:
        super().__init__(reason)
        if not abs(after_s) <= LONGEST_S:
            raise ValueError(f"RetryLater: expected seconds, {LONGEST_S:.0f} at most, found {after_s}")
        self.retry_after_s = after_s


class Skip(JobSignal):
    """There was nothing to do; the run ends as skipped with this reason."""

    kind = "skipped"


class GiveUp(JobSignal):
    """Trying again cannot help; the run ends as failed with this reason."""

    kind = "gave_up"
    permanent = True
