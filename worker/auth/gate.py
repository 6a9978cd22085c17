"""Whether the token endpoint may be asked at all: what earlier refusals and failures say, of whichever process."""

from collections.abc import Callable
from datetime import datetime

from worker.auth.account import Account
from worker.auth.leases import Leases
from worker.auth.sealing import Pair, Seals
from worker.auth.windows import waits_s
from worker.model import events
from worker.model.errors import AccountBlocked, NeedsLogin, TokenUnavailable, TokenUndecryptable
from worker.model.listening import Events
from worker.model.records import Health, TokenRow

_RFC_9700 = (
    "the grant password is in use, which RFC 9700 section 2.4 forbids; "
    "move to client_credentials as soon as the API offers it"
)


class Gate:
    """Guards one account's token endpoint."""

    def __init__(
        self,
        account: Account,
        seals: Seals,
        leases: Leases,
        listeners: Events,
        now: Callable[[], datetime],
    ) -> None:
        self._account = account
        self._seals = seals
        self._leases = leases
        self._events = listeners
        self._now = now

    def check(self, row: TokenRow) -> None:
        """Raises AccountBlocked, NeedsLogin or TokenUnavailable where the row forbids a request now.

        A refusal holds for the secrets and options that met it; with others there is a new try.
        """
        if row.secret_fingerprint != self._seals.fingerprint:
            return
        name, why = row.account, row.reason or row.last_error or "no reason is recorded"
        wait_s = waits_s(row, self._now())
        if row.health is Health.BLOCKED and (wait_s or row.next_attempt_at is None):
            raise AccountBlocked(f"account {name} is blocked: {why}", name)
        if row.health is Health.NEEDS_LOGIN:
            raise NeedsLogin(f"account {name} needs a login: {why}", name)
        if wait_s:
            message = f"account {name} has no token now: {why}; tried again in {wait_s:.0f} s"
            raise TokenUnavailable(message, name, retry_after_s=wait_s)

    def opened(self, row: TokenRow) -> Pair | None:
        """Returns the row's tokens.

        A row that does not open makes its account undecryptable, until it does. Raises TokenUndecryptable,
        StoreUnreachable.
        """
        try:
            pair = self._seals.open(row)
        except TokenUndecryptable as error:
            if row.health is not Health.UNDECRYPTABLE:
                self._leases.mark(row, Health.UNDECRYPTABLE, str(error))
                self._events.emit(events.AccountBlocked(row.account, str(error)))
            raise
        if row.health is Health.UNDECRYPTABLE:
            self._leases.mark(row, Health.FRESH, None)
            self._events.emit(events.AccountRecovered(row.account))
        return pair

    def reopen(self) -> None:
        """Lets an account be tried whose refusal met other secrets, and warns of the password grant; once a start.

        Raises StoreUnreachable.
        """
        row = self._leases.row()
        refused = row.health in (Health.BLOCKED, Health.NEEDS_LOGIN)
        if refused and row.secret_fingerprint != self._seals.fingerprint:
            self._leases.mark(row, Health.DEGRADED, "secrets or options changed; the next call tries them")
        if self._account.options.grant == "password":
            self._events.emit(events.AccountWarned(row.account, _RFC_9700))
