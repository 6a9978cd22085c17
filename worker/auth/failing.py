"""What a token request without a token means for the account, recorded for all processes and told once."""

from datetime import datetime

from worker.auth.account import Account
from worker.auth.answer import Refusal
from worker.auth.clocks import Clocks
from worker.auth.grants import Verdict
from worker.auth.leases import Lease, Leases
from worker.auth.sealing import Seals
from worker.auth.windows import MOST_WAIT_S, backoff_s, moment
from worker.model import events
from worker.model.errors import AccountBlocked, CredentialError, NeedsLogin, TokenUnavailable
from worker.model.listening import Events
from worker.model.records import Health
from worker.store.tokens import Failure

_REMEDIES = {
    Verdict.CONFIGURATION: "check client_id, client_secret, grant, scope; tried again when they change, or in an hour",
    Verdict.REFUSED: "it was tried once and is not tried again until the secret changes, so that nobody is locked out",
}


class Failing:
    """Ends a lease without a token."""

    def __init__(self, account: Account, leases: Leases, seals: Seals, listeners: Events, clocks: Clocks) -> None:
        self._account = account.name
        self._login_command = account.login_command
        self._leases = leases
        self._seals = seals
        self._events = listeners
        self._clocks = clocks

    def refused(self, lease: Lease, refusal: Refusal) -> CredentialError:
        """Returns the error to raise, once everybody can know."""
        if refusal.verdict in _REMEDIES:
            return self._blocked(lease, refusal)
        failures = lease.row.failures + 1
        wait_s = backoff_s(failures, self._clocks.chance(), refusal.retry_after_s)
        next_attempt_at = moment(self._clocks.now(), wait_s)
        self._end(lease, refusal, Health.DEGRADED, next_attempt_at)
        self._events.emit(events.TokenRefreshFailed(self._account, refusal.message, failures, retry_in_s=wait_s))
        message = f"account {self._account} has no token now: {refusal.message}; tried again in {wait_s:.0f} s"
        return TokenUnavailable(message, self._account, retry_after_s=wait_s)

    def _blocked(self, lease: Lease, refusal: Refusal) -> CredentialError:
        reason = f"{refusal.message}; {_REMEDIES[refusal.verdict]}"
        rests = refusal.verdict is Verdict.CONFIGURATION
        next_attempt_at = moment(self._clocks.now(), MOST_WAIT_S) if rests else None
        self._end(lease, refusal, Health.BLOCKED, next_attempt_at, reason)
        self._events.emit(events.TokenRefreshFailed(self._account, refusal.message, lease.row.failures + 1))
        self._events.emit(events.AccountBlocked(self._account, reason))
        return AccountBlocked(f"account {self._account} is blocked: {reason}", self._account)

    def needs_login(self, lease: Lease, why: str) -> CredentialError:
        """Returns the error to raise where no grant is left that works without a person."""
        reason = f"{why}; log in: {self._login_command}"
        self._end(lease, Refusal(Verdict.DEAD, why), Health.NEEDS_LOGIN, None, reason)
        self._events.emit(events.AccountNeedsLogin(self._account, reason))
        return NeedsLogin(f"account {self._account} needs a login: {reason}", self._account)

    def _end(
        self,
        lease: Lease,
        refusal: Refusal,
        health: Health,
        next_attempt_at: datetime | None,
        reason: str = "",
    ) -> None:
        failure = Failure(
            account=self._account,
            attempt_id=lease.attempt_id,
            failures=lease.row.failures + 1,
            next_attempt_at=next_attempt_at,
            last_error=refusal.message,
            secret_fingerprint=self._seals.fingerprint,
            in_doubt=refusal.in_doubt or (lease.doubted and refusal.verdict is Verdict.TRANSIENT),
        )
        self._leases.fail(failure, health, reason or refusal.message)
