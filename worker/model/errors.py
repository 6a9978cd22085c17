"""Every error the worker raises, drawn first.

WorkerError                     (jobs.contract) the root
├── ConfigurationError          the configuration has problems; exit 78
├── SecretError                 a secret cannot be had
│   ├── SecretMissing           none of the places looked at holds it
│   └── SecretUnsafe            its file may be read by others
├── KeyRingError                the key ring is missing, malformed or not the one this database was sealed with
├── KeyInUse                    a key cannot go, or is none of the ring's
├── SealBroken                  sealed bytes do not open: changed, moved, or sealed with a key we do not have
├── StoreError                  the database
│   ├── StoreUnreachable        cannot be opened or has gone away
│   ├── StoreInUse              another daemon works on this SQLite file
│   └── SchemaMismatch          its schema is newer than this program, or not ours
├── CallError                   one HTTP request
│   ├── CallRefused             not sent: its origin is not allowed, or its URL is not https
│   ├── CallUnsent              surely never left: name not found, connection refused, connect timeout
│   ├── CallUnanswered          it may have been acted upon, but no complete answer came
│   ├── BodyTooLarge            the answer passes its bound, compressed or inflated
│   └── CallFailed              answered with a status of 400 or more
├── CredentialError             an account has no usable token
│   ├── TokenUnavailable        not now: the token endpoint is down or asks us to wait
│   ├── AccountBlocked          its secrets or its client were refused; tried again when they change
│   ├── NeedsLogin              a person has to log in
│   ├── LoginFailed             a person's login or logout did not come to its end
│   ├── TokenUndecryptable      its stored token does not open with the key ring
│   └── AuthRejected            the API rejected a fresh token
├── AttemptLost                 this attempt lost its right to write
├── ConditionFailed             a job's condition could not be told
├── StepFailed                  a step before or after a job's work failed
├── TimedOut                    (an Interrupted) the attempt passed the job's timeout
├── ConditionUnmet              (a Skip) a job's condition does not hold
└── CalledOff                   (a Skip) a step before the work called the run off
"""

from dataclasses import dataclass
from pathlib import Path

from jobs.contract import FailedAnswer, Interrupted, Skip, Unanswered, WorkerError
from jobs.errors import Body


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a configuration: where, what was expected, what was found, what to do."""

    file: Path | None
    line: int | None  # from 1
    key: str  # dotted, as a person would type it: jobs.orders.source.paging.kind
    message: str

    def __str__(self) -> str:
        """Returns `file:line: key: message`, as editors and grep expect it."""
        place = f"{self.file}:{self.line}" if self.line else str(self.file or "environment")
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigurationError(WorkerError):
    """The configuration has problems; all of them are told at once."""

    kind = "configuration"
    permanent = True

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class SecretError(WorkerError):
    """A secret cannot be had."""

    kind = "secret"
    permanent = True


class SecretMissing(SecretError):
    """None of the places looked at holds the secret; `looked` lists them in order."""

    def __init__(self, wanted: str, looked: list[str]) -> None:
        self.looked = looked
        super().__init__(f"{wanted} was not found; looked at: {'; '.join(looked)}")


class SecretUnsafe(SecretError):
    """A secret's file may be read or changed by others."""


class KeyRingError(WorkerError):
    """The key ring is missing, malformed, or not the one this database was sealed with."""

    kind = "key_ring"
    permanent = True


class KeyInUse(WorkerError):
    """A key of the ring cannot go: it seals, or something sealed with it is still there."""

    kind = "key_in_use"
    permanent = True


class SealBroken(WorkerError):
    """Sealed bytes do not open: they were changed or moved, or their key is not in the key ring."""

    kind = "seal"
    permanent = True


class StoreError(WorkerError):
    """Something is wrong with the worker's database."""

    kind = "database"


class StoreUnreachable(StoreError):
    """The database cannot be opened or has gone away."""


class StoreInUse(StoreError):
    """Another daemon works on this SQLite file."""

    permanent = True


class SchemaMismatch(StoreError):
    """The database's schema is newer than this program, or is not ours."""

    permanent = True


class CallError(WorkerError):
    """One HTTP request did not bring what it should; `call_id` finds its row in the trail."""

    kind = "call"

    def __init__(self, message: str, call_id: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.call_id = call_id
        self.retry_after_s = retry_after_s


class CallRefused(CallError):
    """The request was not sent: its origin is not allowed, or its URL is not https."""

    kind = "call_refused"
    permanent = True


class CallUnsent(CallError):
    """The request surely never left, so that sending it again is safe."""

    kind = "unreachable"


class CallUnanswered(CallError, Unanswered):
    """The request may have been acted upon, but no complete answer came."""

    kind = "unanswered"


class BodyTooLarge(CallError):
    """The answer passes its bound, as sent or inflated."""

    kind = "body_too_large"
    permanent = True


class CallFailed(CallError, FailedAnswer):
    """The API answered with a status of 400 or more."""

    kind = "status"

    def __init__(
        self,
        message: str,
        status: int,
        call_id: int | None = None,
        retry_after_s: float | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message, call_id, retry_after_s)
        self.status = status
        self.body = Body(body)


class CredentialError(WorkerError):
    """An account has no usable token."""

    kind = "credential"

    def __init__(self, message: str, account: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.account = account
        self.retry_after_s = retry_after_s


class TokenUnavailable(CredentialError):
    """The token endpoint is down or asks us to wait."""

    kind = "token_unavailable"


class AccountBlocked(CredentialError):
    """The account's secrets or its client were refused."""

    kind = "account_blocked"
    permanent = True


class NeedsLogin(CredentialError):
    """A person has to log in."""

    kind = "needs_login"
    permanent = True


class LoginFailed(CredentialError):
    """A person's login or logout did not come to its end; what was stored is as before."""

    kind = "login_failed"
    permanent = True


class TokenUndecryptable(CredentialError):
    """The account's stored token does not open with the key ring."""

    kind = "undecryptable"
    permanent = True


class AuthRejected(CredentialError):
    """The API rejected a fresh token."""

    kind = "auth_rejected"


class AttemptLost(WorkerError):
    """This attempt lost its right to write: the run was taken over, cancelled or timed out."""

    kind = "attempt_lost"
    permanent = True


class ConditionFailed(WorkerError):
    """A job's condition could not be told: its statement or expression fails."""

    kind = "condition_failed"


class StepFailed(WorkerError):
    """A step before or after a job's work failed."""

    kind = "step_failed"


class TimedOut(Interrupted):
    """The attempt passed the job's timeout."""

    kind = "timeout"


class ConditionUnmet(Skip):
    """A job's condition does not hold."""

    kind = "condition"


class CalledOff(Skip):
    """A step before the work called the run off."""

    kind = "step"
