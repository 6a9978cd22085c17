"""The keeper of one account's token: one refresh per expiry, over all threads and processes.

    fresh      given from memory, no lock, no database
    advisory   one caller renews it, the others go on with it
    mandatory  or rejected: everybody waits for the new one, until their deadline
    carried    where calls carry the refresh token and bring the next one: one call at a time, from advisory on

Thread lock, row read again, lease by one UPDATE that also notes the attempt, request without any transaction, token
stored only by whoever still holds the attempt. A row with an attempt and no running lease is in doubt: its refresh
token is tried once, then the account logs in.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.auth.absorb import PLAIN, Absorbing, Arrival, Carriage
from worker.auth.account import Account
from worker.auth.clocks import Clocks
from worker.auth.discovery import Endpoints
from worker.auth.endpoint import TokenEndpoint
from worker.auth.gate import Gate
from worker.auth.leases import Lease, Leases
from worker.auth.pace import SPARE_S, Pace
from worker.auth.refresh import Handed, Refresh
from worker.auth.sealing import Pair, Seals
from worker.auth.snapshot import Ask, Snapshot, Token, times_of
from worker.auth.upkeep import sweep_due
from worker.auth.windows import health_of
from worker.model.errors import CredentialError, StoreError, TokenUnavailable
from worker.model.events import AccountWarned
from worker.model.listening import Events
from worker.model.moments import elapsed_s, utc_now
from worker.model.records import Health, TokenRow
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.cipher import Cipher
from worker.wire.line import Line
from worker.wire.outgoing import About

__all__ = ["Keeper", "Pace", "Token"]

_POLL_S = (0.02, 0.1)  # between two looks at a row whose lease another process holds
_QUIET_S = (1.0, 30.0)  # how long a token that is good but cannot be renewed is given without another look


@dataclass(eq=False, repr=False)
class Keeper:
    """Gives one account's token to any number of threads, and keeps it fresh."""

    account: Account
    database: Database
    writer: Writer
    cipher: Cipher
    line: Line
    events: Events
    now: Callable[[], datetime] = utc_now
    elapsed: Callable[[], float] = elapsed_s
    pace: Pace = Pace()  # noqa: RUF009  frozen
    _snapshot: Snapshot | None = field(default=None, init=False)
    _quiet_until_s: float = field(default=float("-inf"), init=False)
    _started: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        clocks = Clocks(self.now, self.elapsed, self.pace.chance)
        self.endpoints = Endpoints(self.account, self.line, self.elapsed)
        endpoint = TokenEndpoint(self.account, self.line, self.endpoints, self.now)
        self.validator = endpoint.validator
        self._lock = threading.Lock()
        self._seals = Seals(self.account, self.cipher)
        options = self.account.options
        self._hands_over = options.absorbs and options.bearer == "refresh_token"
        lease_s = max(self.pace.lease_s, options.deadline + SPARE_S) if self._hands_over else self.pace.lease_s
        pace = replace(self.pace, lease_s=lease_s)
        self._leases = Leases(self.account.name, self.database, self.writer, self.now, pace)
        self._gate = Gate(self.account, self._seals, self._leases, self.events, self.now)
        self._refresh = Refresh(self.account, endpoint, self._leases, self._seals, self.events, clocks)
        self._absorbing = Absorbing(self.account, self._leases, self._gate, self._refresh, self.events, clocks)

    def start(self) -> None:
        """Takes up what an earlier process left: a rescued token, a refusal of other secrets.

        The first `token` does it too. Raises StoreUnreachable.
        """
        with self._lock:
            self._start()

    def token(self, rejected: int | None = None, deadline_s: float = 60.0) -> Token:
        """Returns a token to send, newer than the generation `rejected` by the API where one is given.

        Waits up to `deadline_s` for one, unless the one at hand will do. One that comes with its lease is to be used
        within `carrying`. Raises TokenUnavailable, AccountBlocked, NeedsLogin or TokenUndecryptable.
        """
        now_s = self.elapsed()
        ask = Ask(rejected, now_s, now_s + deadline_s)
        held = self._snapshot
        if held is not None:
            quiet = now_s < self._quiet_until_s and held.outlasts(ask, now_s)
            if quiet or held.satisfies(ask, now_s):
                return held.token
            if held.tides_over(ask, now_s) and not self._hands_over:
                return self._renewed_by_one(ask, held)
        return self._renewed_for_all(ask)

    def carrying(self, token: Token) -> AbstractContextManager[Arrival]:
        """Returns the context of one call with `token`, which is told of the answer; a new token in it is kept."""
        return Carriage(self._absorbing, token, self._took) if self.account.options.absorbs else PLAIN

    def vouches(self, token: Token, about: About) -> bool:
        """Tells whether the server calls a token good that the API turned away; asks it once, where there is a way.

        Not where the token has lapsed by our clock, or where there is a newer one already.
        """
        lapsed = token.expires_at is not None and token.expires_at <= self.now()
        if lapsed or self.generation > token.generation or not self.validator.configured:
            return False
        return self.validator.check(token, about).good is True

    def _took(self, new: Snapshot) -> None:
        held = self._snapshot
        if held is None or new.token.generation > held.token.generation:
            self._snapshot = new

    def adopt(self, handed: Handed, deadline_s: float = 60.0) -> Token:
        """Keeps a token that a login brought as the next generation, whatever the account's health was.

        Waits up to `deadline_s` for a renewal that is under way. Raises TokenUnavailable, StoreUnreachable.
        """
        now_s = self.elapsed()
        ask = Ask(None, now_s, now_s + deadline_s)
        with self._lock:
            while True:
                row, held = self._leases.row(), self._snapshot
                lease = self._leases.take(row, lambda _row: None)
                newer_than = max(row.generation, held.token.generation if held else 0)
                kept = self._refresh.adopt(lease, handed, newer_than) if lease else None
                if kept is not None:
                    self._snapshot = kept
                    return kept.token
                self._pause(ask)

    def notice(self, row: TokenRow) -> None:
        """Lets go of a token that another process has replaced or deleted, as its row shows."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            held = self._snapshot
            if held is not None and (row.generation, row.sealed is None) >= (held.token.generation, True):
                self._snapshot = None
        finally:
            self._lock.release()

    @property
    def generation(self) -> int:
        """The generation at hand in memory; 0: none."""
        held = self._snapshot
        return held.token.generation if held else 0

    def attend(self, row: TokenRow) -> None:
        """Renews a token that nobody asks for, where waiting would lose it; what goes wrong is recorded as ever.

        An account whose token nothing renews needs a login from then on, before its jobs find out.
        """
        with suppress(CredentialError, StoreError):
            if row.health.usable and sweep_due(row, self.now(), self.account.options.refresh_lifetime):
                self.token(rejected=row.generation)
                self._warn_of_end(row)
            elif row.health.usable and self.account.options.needs_person and self._is_stranded(row):
                self.token()
            elif row.health is Health.UNDECRYPTABLE:
                self._gate.opened(row)  # its jobs are skipped, so nobody else sees that the key is back

    def _is_stranded(self, row: TokenRow) -> bool:
        pair = self._gate.opened(row)
        late = row.refresh_at is not None and self.now() >= row.refresh_at
        return pair is None or (pair.refresh is None and late)

    def _warn_of_end(self, before: TokenRow) -> None:
        """Tells that a refresh token ends although it was used, where only a person can bring the next one."""
        end = before.refresh_expires_at
        if end is not None and end == self._leases.row().refresh_expires_at and self.account.options.needs_person:
            command = self.account.login_command
            warning = f"its refresh token lapses at {end:%Y-%m-%d %H:%M}Z, for its server gives no newer one: {command}"
            self.events.emit(AccountWarned(self.account.name, warning))

    def health(self) -> Health:
        """Returns the account's health as stored; no network. Raises StoreUnreachable."""
        return health_of(self._leases.row(), self.now())

    def _renewed_by_one(self, ask: Ask, held: Snapshot) -> Token:
        """Renews the token unless somebody is at it; whatever happens, there is one to go on with."""
        if not self._lock.acquire(blocking=False):
            return held.token
        try:
            return self._renewed(ask).token
        except (CredentialError, StoreError) as error:
            return self._instead(ask, error).token
        finally:
            self._lock.release()

    def _renewed_for_all(self, ask: Ask) -> Token:
        """Waits for a newer token, or renews it; where that fails, a token that is good to its very end will do."""
        if not self._lock.acquire(timeout=max(ask.until_s - self.elapsed(), 0.0)):
            return self._instead(ask, self._late("another thread is still renewing it")).token
        try:
            return self._renewed(ask).token
        except (CredentialError, StoreError) as error:
            return self._instead(ask, error).token
        finally:
            self._lock.release()

    def _renewed(self, ask: Ask) -> Snapshot:
        """Returns a token that satisfies, renewed under the lease where nobody else does it; holds the thread lock."""
        self._start()
        while True:
            held = self._snapshot
            if held is not None and held.satisfies(ask, self.elapsed()):
                return held
            in_hand = held is not None and held.outlasts(ask, self.elapsed())
            if not self._leases.settle(0.0 if in_hand else max(ask.until_s - self.elapsed(), 0.0)):
                self._snapshot = None  # what was won could not be stored in time: another process has gone on
            row, pair = self._looked(ask)
            held = self._snapshot
            if held is not None and held.satisfies(ask, self.elapsed()):
                return held
            self._gate.check(row)
            lease = self._leases.take(row, self._gate.check)
            if lease is not None and held is not None and self._may_carry(lease, held, ask):
                return replace(held, token=replace(held.token, carrier=lease))
            if lease is not None:
                newer_than = max(row.generation, ask.rejected or 0, held.token.generation if held else 0)
                self._snapshot = self._refresh.run(lease, pair, newer_than) or self._snapshot
            elif held is not None and held.tides_over(ask, self.elapsed()) and not self._hands_over:
                return held
            else:
                self._pause(ask)

    def _may_carry(self, lease: Lease, held: Snapshot, ask: Ask) -> bool:
        """Tells whether the caller's own call is to bring the next token, instead of a token request."""
        known = not lease.doubted and lease.row.generation == held.token.generation
        return self._hands_over and known and held.tides_over(ask, self.elapsed())

    def _start(self) -> None:
        if not self._started:
            self._leases.recall()
            self._gate.reopen()
            self._started = True

    def _looked(self, ask: Ask) -> tuple[TokenRow, Pair | None]:
        """Returns the row as it stands, opened, and takes over a generation that another process has won."""
        row = self._leases.row()
        pair = self._gate.opened(row)
        waited = ask.seen is not None and row.generation > ask.seen
        ask.seen = row.generation if ask.seen is None else ask.seen
        held = self._snapshot
        if pair is not None and (held is None or row.generation > held.token.generation):
            now_s = self.elapsed()
            token = Token(row.generation, pair.bearer(self.account.options.bearer), row.expires_at)
            came_s = now_s if waited else float("-inf")
            self._snapshot = Snapshot(token, times_of(row, self.now(), now_s), came_s)
        return row, pair

    def _pause(self, ask: Ask) -> None:
        left_s = ask.until_s - self.elapsed()
        if left_s <= 0.0:
            raise self._late("another process is still renewing it")
        shortest, longest = _POLL_S
        self.pace.wait(min(shortest + (longest - shortest) * self.pace.chance(), left_s))

    def _late(self, why: str) -> TokenUnavailable:
        name = self.account.name
        return TokenUnavailable(f"account {name} got no token in time: {why}; try again", name, retry_after_s=1.0)

    def _instead(self, ask: Ask, error: CredentialError | StoreError) -> Snapshot:
        """Returns the token at hand while it is good: no failure displaces it. Raises the error otherwise."""
        held, now_s = self._snapshot, self.elapsed()
        if held is not None and held.outlasts(ask, now_s):
            shortest, longest = _QUIET_S
            self._quiet_until_s = now_s + min(max(error.retry_after_s or 0.0, shortest), longest)
            return held
        if isinstance(error, CredentialError):
            raise error
        name = self.account.name
        raise TokenUnavailable(f"account {name} has no token now: {error}", name) from error
