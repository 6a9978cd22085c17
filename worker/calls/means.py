"""What the calls of one account have in common, and the run on whose behalf one is made."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from worker.auth.account import Account
from worker.auth.credential import Credential
from worker.calls.limits import Limiter
from worker.calls.signing import Signer
from worker.model.listening import Events
from worker.model.records import Purpose
from worker.model.values import RetryOptions
from worker.wire.line import Line
from worker.wire.outgoing import About

READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class RunRef:
    """The run on whose behalf a call is made; a preview of a job is none."""

    job: str
    run_id: int | None
    attempt: int | None
    check: Callable[[], None]  # raises Interrupted; asked before each try and while waiting
    remaining_s: Callable[[], float]  # until the run's timeout


@dataclass(frozen=True)
class Means:
    """One account's line, keeper and limiter, and the ways to tell, to know the time and to wait."""

    account: Account
    line: Line
    keeper: Credential
    signer: Signer
    limiter: Limiter
    events: Events
    now: Callable[[], datetime]
    wait: Callable[[float], None]

    @property
    def name(self) -> str:
        """The account's name."""
        return self.account.name

    @property
    def retry(self) -> RetryOptions:
        """How often a call is tried, and how long it waits between."""
        return self.account.options.retry


@dataclass(frozen=True)
class Subject:
    """What the trail is told of a request, whichever try it is."""

    account: str
    purpose: Purpose
    tenant: str | None
    run: RunRef
    act_for: str | None

    def about(self, retry_of: int | None, generation: int) -> About:
        """Returns what it is told of one try."""
        return About(
            account=self.account,
            purpose=self.purpose,
            tenant=self.tenant,
            job=self.run.job,
            run_id=self.run.run_id,
            attempt=self.run.attempt,
            retry_of=retry_of,
            generation_used=generation,
            act_for=self.act_for,
        )
