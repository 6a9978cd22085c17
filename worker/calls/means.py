"""What the calls of one account have in common, and the run on whose behalf one is made."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from worker.auth.account import Account
from worker.auth.keeper import Keeper, Token
from worker.calls.limits import Limiter
from worker.model.events import Events
from worker.model.records import Purpose
from worker.model.values import RetryOptions
from worker.vault.secret import Secret
from worker.wire.line import Line
from worker.wire.outgoing import About, Outgoing

READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class RunRef:
    """The run on whose behalf a call is made."""

    job: str
    run_id: int
    attempt: int
    check: Callable[[], None]  # raises Interrupted; asked before each try and while waiting
    remaining_s: Callable[[], float]  # until the run's timeout


@dataclass(frozen=True)
class Means:
    """One account's line, keeper and limiter, and the ways to tell, to know the time and to wait."""

    account: Account
    line: Line
    keeper: Keeper
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


class Signer:
    """Puts the token into a request; keeps the header of the newest generation, so that its secret is known once."""

    def __init__(self) -> None:
        self._kept: tuple[Token, Secret] | None = None

    def sign(self, outgoing: Outgoing, token: Token) -> Outgoing:
        """Returns the request with the token as bearer (RFC 6750 section 2.1)."""
        kept = self._kept
        if kept is None or kept[0] is not token:
            kept = self._kept = token, Secret(f"Bearer {token.bearer.reveal()}")
        return replace(outgoing, headers={**outgoing.headers, "Authorization": kept[1]})


def about(account: Account, run: RunRef, method: str, retry_of: int | None, generation: int) -> About:
    """Returns what the trail is told of one try."""
    return About(
        account=account.name,
        purpose=Purpose.READ if method in READS else Purpose.WRITE,
        tenant=account.options.tenant or None,
        job=run.job,
        run_id=run.run_id,
        attempt=run.attempt,
        retry_of=retry_of,
        generation_used=generation,
    )
