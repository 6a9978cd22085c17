"""The keeper of a secret that goes along with each call itself: HTTP basic (RFC 7617) or an API key.

Nothing renews it. A generation is one version of the secret. Until the API has taken it once, its calls go one at a
time, over all threads and processes: a wrong one is sent once. A refused one is not sent again until it changes.
"""

import base64
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from jobs.contract import Answer
from worker.auth.absorb import Arrival
from worker.auth.account import Account
from worker.auth.leases import Lease, Leases
from worker.auth.pace import SPARE_S, Pace
from worker.auth.rejection import is_rejected
from worker.auth.snapshot import Token
from worker.model import events
from worker.model.errors import AccountBlocked, StoreError, TokenUnavailable
from worker.model.listening import Events
from worker.model.moments import elapsed_s, utc_now
from worker.model.records import Health, TokenRow
from worker.store import accounts, tokens
from worker.store.database import Database
from worker.store.tokens import Failure
from worker.store.writer import Writer
from worker.vault.cipher import Cipher
from worker.vault.secret import Secret
from worker.wire.outgoing import About

_CHANGED = "its secret or its options changed; the next call tries them"
_POLL_S = 0.05  # between two looks at a trial that another process makes


@dataclass(eq=False, repr=False)
class StaticKeeper:
    """Gives one account's secret to any number of threads, as long as the API takes it."""

    account: Account
    database: Database
    writer: Writer
    cipher: Cipher
    events: Events
    now: Callable[[], datetime] = utc_now
    wait: Callable[[float], None] = time.sleep
    _token: Token | None = field(default=None, init=False)
    _proven: bool = field(default=False, init=False)  # the API took it once
    _refused: str | None = field(default=None, init=False)  # why it is not sent

    def __post_init__(self) -> None:
        self._patience_s = self.account.options.deadline + SPARE_S
        self._leases = Leases(self.account.name, self.database, self.writer, self.now, Pace(lease_s=self._patience_s))
        self._fingerprint = self.cipher.fingerprint(*self.account.identity(), *self.account.proof())
        self._lock = threading.RLock()  # held for the whole of a trial
        self._plain = _Carriage(self)

    def start(self) -> None:
        """Takes up what is known of this secret: whether the API took it or refused it; raises StoreUnreachable."""
        with self._lock:
            if self._token is None:
                with self.database.write() as connection:
                    row = self._adopted(connection)
                self._take_in(row)
                self._token = Token(row.generation, static_secret(self.account), None)

    def _adopted(self, connection: sa.Connection) -> TokenRow:
        """Returns the account's row with this secret as its newest; a refusal of another one no longer holds."""
        name = self.account.name
        before = tokens.load(connection, name)
        if tokens.adopt_secret(connection, name, self._fingerprint):
            usable = before.health.usable
            health, reason = (Health.UNKNOWN, None) if usable else (Health.DEGRADED, _CHANGED)
            accounts.set_health(connection, name, health, reason, self.now())
        return tokens.load(connection, name)

    def token(self, rejected: int | None = None, deadline_s: float = 60.0) -> Token:  # noqa: ARG002  as the Keeper's
        """Returns the secret; raises AccountBlocked once the API has refused it, and StoreUnreachable."""
        if self._token is None:
            self.start()
        if self._refused is not None or self._token is None:
            raise self._blocked()
        return self._token

    def carrying(self, token: Token) -> AbstractContextManager[Arrival]:  # noqa: ARG002  as the Keeper's
        """Returns the context of one call, which is told of the answer."""
        return self._plain if self._proven else _Trial(self)

    def vouches(self, token: Token, about: About) -> bool:  # noqa: ARG002  as the Keeper's
        """Tells that nobody can be asked."""
        return False

    def notice(self, row: TokenRow) -> None:
        """Sees that another process, or a person who reset the account, lets the secret be tried again."""
        if self._refused is not None and row.health.usable:
            with self._lock:
                self._take_in(row)

    def attend(self, row: TokenRow) -> None:
        """Does nothing: a secret that nobody uses stays what it is."""

    def health(self) -> Health:
        """Returns the account's health as stored; no network. Raises StoreUnreachable."""
        return self._leases.row().health

    def begin(self) -> Lease | None:
        """Waits for the right to try the secret and returns its lease, None where it needs no trial any more.

        Raises AccountBlocked, TokenUnavailable, StoreUnreachable; the thread that was let in must call `end`.
        """
        until_s = elapsed_s() + self._patience_s
        if not self._lock.acquire(timeout=self._patience_s):
            raise self._late()
        try:
            return self._leased(until_s)
        except BaseException:
            self._lock.release()
            raise

    def _leased(self, until_s: float) -> Lease | None:
        row = self._leases.row()
        while not self._take_in(row):
            if self._refused is not None:
                raise self._blocked()
            lease = self._leases.take(row, lambda _row: None)
            if lease is not None:
                return lease
            if elapsed_s() > until_s:
                raise self._late()
            self.wait(_POLL_S)
            row = self._leases.row()
        return None

    def judge(self, answer: Answer, lease: Lease | None) -> None:
        """Takes from an answer whether the secret is good."""
        if is_rejected(answer, self.account.options.reject_statuses):
            with self._lock, suppress(StoreError):  # unrecorded, it still holds for this process
                self._refuse(answer.status, lease)
        elif lease is not None and answer.status < HTTPStatus.BAD_REQUEST:
            self._prove(lease)

    def end(self, lease: Lease | None) -> None:
        """Ends a trial."""
        if lease is not None:
            self._leases.give_back(lease, in_doubt=False)
        self._lock.release()

    def _prove(self, lease: Lease) -> None:
        self._proven = True
        with suppress(StoreError):  # unrecorded, another process tries it once more
            self._leases.mark(lease.row, Health.FRESH, None)
        if lease.row.health is Health.DEGRADED:
            self.events.emit(events.AccountRecovered(self.account.name))

    def _refuse(self, status: int, lease: Lease | None) -> None:
        """Blocks the account; who comes second finds it blocked."""
        if self._refused is not None:
            return
        name, what = self.account.name, "password" if self.account.options.grant == "basic" else "API key"
        told = f"the API answered {status} to the {what}"
        self._refused = (
            f"{told}; it is not sent again until it changes, so that nobody is locked out, "
            f"or until somebody types: worker account reset {name}"
        )
        self._proven = False
        row = lease.row if lease else self._leases.row()
        lease = lease or (self._leases.take(row, lambda _row: None) if self._is_current(row) else None)
        if lease is not None:
            failure = Failure(name, lease.attempt_id, row.failures + 1, None, told, self._fingerprint)
            self._leases.fail(failure, Health.BLOCKED, self._refused)
            self.events.emit(events.AccountBlocked(name, self._refused))

    def _is_current(self, row: TokenRow) -> bool:
        return row.secret_fingerprint == self._fingerprint and row.health is not Health.BLOCKED

    def _take_in(self, row: TokenRow) -> bool:
        """Takes over what a row says of this secret; tells whether the API took it."""
        ours = row.secret_fingerprint == self._fingerprint
        self._proven = ours and row.health is Health.FRESH
        self._refused = (row.reason or "the API refused it") if ours and not row.health.usable else None
        return self._proven

    def _blocked(self) -> AccountBlocked:
        return AccountBlocked(f"account {self.account.name} is blocked: {self._refused}", self.account.name)

    def _late(self) -> TokenUnavailable:
        name = self.account.name
        problem = "another call is still trying its secret for the first time; try again"
        return TokenUnavailable(f"account {name}: {problem}", name, retry_after_s=1.0)


class _Carriage:
    """The way of a call with a secret that the API took before."""

    def __init__(self, keeper: StaticKeeper) -> None:
        self._keeper = keeper

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def arrived(self, answer: Answer) -> None:
        """Sees whether the API still takes it."""
        self._keeper.judge(answer, None)


class _Trial:
    """The way of a call with a secret that nobody knows the worth of."""

    def __init__(self, keeper: StaticKeeper) -> None:
        self._keeper = keeper
        self._lease: Lease | None = None

    def __enter__(self) -> Self:
        self._lease = self._keeper.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.end(self._lease)

    def arrived(self, answer: Answer) -> None:
        """Sees whether the API takes it."""
        self._keeper.judge(answer, self._lease)


def static_secret(account: Account) -> Secret:
    """Returns what goes along with each call: user and password in base64 (RFC 7617 section 2, UTF-8), or the key."""
    name, secret = account.name, account.password if account.options.grant == "basic" else account.api_key
    if secret is None:
        raise AccountBlocked(f"account {name} is blocked: its secret is missing; name it in the configuration", name)
    if account.options.grant == "api_key":
        return secret
    pair = f"{account.options.username}:{secret.reveal()}"
    return Secret(base64.b64encode(pair.encode()).decode("ascii"))
