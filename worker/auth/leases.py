"""One account's lease: taken before a token request, given back with the token or with the failure.

No transaction and no connection is held in between.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from worker.auth import rescue
from worker.auth.pace import Pace
from worker.auth.sealing import key_of
from worker.model.errors import StoreError, TokenUnavailable
from worker.model.moments import new_id
from worker.model.records import Health, TokenRow
from worker.store import accounts, calls, tokens
from worker.store.database import Database
from worker.store.tokens import Claim, Failure, NewToken
from worker.store.writer import Ticket, Writer


@dataclass(frozen=True)
class Lease:
    """The right to renew one generation; `doubted`: an earlier attempt's answer may be lost."""

    row: TokenRow  # as it stood when the lease was taken
    attempt_id: int
    doubted: bool


class Leases:
    """Takes, renews and ends the lease of one account, for one process."""

    def __init__(
        self, account: str, database: Database, writer: Writer, now: Callable[[], datetime], pace: Pace
    ) -> None:
        self._account = account
        self._database = database
        self._writer = writer
        self._now = now
        self._length = timedelta(seconds=pace.lease_s)
        self._patience_s = pace.patience_s
        self._owner = f"{new_id():x}"
        self._late: Ticket[bool] | None = None
        beside = Path(database.location).parent if database.dialect == "sqlite" else None
        folder = pace.rescue_dir or beside
        self._rescue = rescue.path_in(folder, account) if folder else None

    def row(self) -> TokenRow:
        """Returns the account's row as it stands; raises StoreUnreachable."""
        with self._database.read() as connection:
            return tokens.load(connection, self._account)

    def take(self, row: TokenRow, check: Callable[[TokenRow], None]) -> Lease | None:
        """Takes the lease and notes the attempt in one transaction, committed on return; None while another has it.

        `check` sees the row once nobody else can change it, and raises what forbids a request: the lease is then not
        taken. Raises StoreUnreachable.
        """
        with self._database.write() as connection:
            claim = self._claim(connection, row.generation, row.attempt_id)
            if not tokens.take_lease(connection, claim):
                return None
            held = tokens.load(connection, self._account)
            check(held)
        return Lease(held, claim.attempt_id, doubted=row.attempt_id is not None)

    def seize(self, row: TokenRow) -> Lease | None:
        """Takes the lease from whoever has it, since the token it is about was replaced; None where that was stored.

        Raises StoreUnreachable.
        """
        with self._database.write() as connection:
            claim = self._claim(connection, row.generation, row.attempt_id)
            if not tokens.seize_lease(connection, claim):
                return None
        return Lease(row, claim.attempt_id, doubted=False)

    def give_back(self, lease: Lease, *, in_doubt: bool) -> None:
        """Ends a lease without a new token and without a failure; the writer goes on trying if need be."""

        def end(connection: sa.Connection) -> None:
            tokens.give_back(connection, self._account, lease.attempt_id, in_doubt=in_doubt)

        try:
            self._writer.submit(end).wait(self._patience_s)
        except StoreError:
            return  # it is still being tried, and the lease ends by itself

    def renew(self, lease: Lease, sealed: bytes | None) -> Lease | None:
        """Begins a further attempt under the same lease, whose time starts anew; None where it was lost.

        `sealed` replaces the stored token: without a refresh token that proved dead.
        """
        with self._database.write() as connection:
            claim = self._claim(connection, lease.row.generation, lease.attempt_id)
            key_id = key_of(sealed) if sealed else None
            if not tokens.renew_lease(connection, lease.attempt_id, claim, sealed, key_id):
                return None
        return replace(lease, attempt_id=claim.attempt_id)

    def _claim(self, connection: sa.Connection, generation: int, doubted: int | None) -> Claim:
        now = self._database.lease_now(connection)
        return Claim(self._account, generation, doubted, new_id(), self._owner, now, now + self._length)

    def save(self, new: NewToken, call_id: int | None) -> bool | None:
        """Stores a token and which call brought it; False where the lease was lost, None where the database is away.

        In the last case the writer goes on trying; `rescue` bridges the time until it succeeds.
        """

        def store(connection: sa.Connection) -> bool:
            if not tokens.save(connection, new):
                return False
            accounts.set_health(connection, self._account, Health.FRESH, None, new.issued_at)
            if call_id is not None:
                calls.set_issued(connection, call_id, new.generation)
            return True

        ticket = self._writer.submit(store)
        try:
            return ticket.wait(self._patience_s)
        except StoreError:
            self._late = ticket
            return None

    def rescue(self, new: NewToken) -> str:
        """Writes the rescue record of a token that is not stored yet, and returns in words where it is safe."""
        if self._rescue is None:
            return "only in memory: this database is not a file, and no rescue_dir was given"
        try:
            rescue.write(self._rescue, new)
        except OSError as error:
            return f"only in memory: {self._rescue} cannot be written ({error.strerror})"
        return f"in {self._rescue} meanwhile"

    def settle(self, patience_s: float) -> bool:
        """Waits for a token that is being stored late; False where its lease was lost. Raises StoreUnreachable."""
        if self._late is None:
            return True
        stored = self._late.wait(patience_s)
        self._late = None
        if self._rescue is not None:
            self._rescue.unlink(missing_ok=True)
        return stored

    def recall(self) -> bool:
        """Stores what a rescue record holds, unless the row has moved on, and removes it; tells whether it was."""
        if self._rescue is None or not self._rescue.exists():
            return False
        new = rescue.read(self._rescue)
        stored = new is not None and self._stored(new)
        self._rescue.unlink()
        return stored

    def _stored(self, new: NewToken) -> bool:
        with self._database.write() as connection:
            stored = new.account == self._account and tokens.save(connection, new)
            if stored:
                accounts.set_health(connection, self._account, Health.FRESH, None, self._now())
        return stored

    def fail(self, failure: Failure, health: Health, reason: str) -> None:
        """Ends the lease and tells all processes why there is no token; the writer goes on trying if need be."""

        def store(connection: sa.Connection) -> None:
            if tokens.release(connection, failure):
                accounts.set_health(connection, self._account, health, reason, self._now())

        try:
            self._writer.submit(store).wait(self._patience_s)
        except StoreError:
            return  # it is still being tried, and the lease ends by itself

    def forget(self, lease: Lease, health: Health, reason: str | None) -> None:
        """Deletes the stored token and records the account's health; raises TokenUnavailable, StoreUnreachable."""
        with self._database.write() as connection:
            if not tokens.forget(connection, self._account, lease.attempt_id):
                problem = "another process took its token over; try again"
                raise TokenUnavailable(f"account {self._account}: {problem}", self._account)
            accounts.set_health(connection, self._account, health, reason, self._now())

    def mark(self, row: TokenRow, health: Health, reason: str | None) -> None:
        """Records the account's health, unless its row has changed since it was read; raises StoreUnreachable."""
        with self._database.write() as connection:
            if tokens.locked(connection, self._account) == row:
                accounts.set_health(connection, self._account, health, reason, self._now())
