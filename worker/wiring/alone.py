"""One account, or those of one job, in a process beside a daemon: what verbs that make calls stand on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from worker.auth.account import Account
from worker.auth.clocks import Clocks
from worker.auth.invitation import Invitation, LoginDesk
from worker.auth.keeper import Keeper
from worker.auth.leases import Leases
from worker.auth.logout import Logout
from worker.auth.revocation import Revoker
from worker.auth.sealing import Seals
from worker.auth.snapshot import Token
from worker.config.load import Configuration
from worker.model.listening import Events
from worker.model.moments import elapsed_s, utc_now
from worker.runs.context import Resources
from worker.store import tokens
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.livering import LiveRing
from worker.wire.trail import Trail
from worker.wiring.accounts import Ground, build_accounts
from worker.wiring.complaints import Complaints
from worker.wiring.databases import admit, lazy_databases
from worker.wiring.secrets import fetch_some


@dataclass(frozen=True)
class Alone:
    """One account's parts."""

    account: Account
    keeper: Keeper
    ground: Ground

    def stored(self) -> Token | None:
        """Returns the access token that is stored, renewed by nobody; raises TokenUndecryptable, StoreUnreachable."""
        with self.ground.database.read() as connection:
            row = tokens.load(connection, self.account.name)
        pair = Seals(self.account, self.ground.cipher).open(row)
        return Token(row.generation, pair.access, row.expires_at) if pair else None

    def desk(self, invite: Callable[[Invitation], object], patience_s: float) -> LoginDesk:
        """Returns where a person logs in."""
        clocks = Clocks(utc_now, elapsed_s, self.keeper.pace.chance)
        keeper = self.keeper
        return LoginDesk(self.account, keeper.line, keeper.endpoints, clocks, invite, time.sleep, patience_s)

    def logout(self) -> Logout:
        """Returns what logs the account out."""
        ground = self.ground
        leases = Leases(self.account.name, ground.database, ground.writer, utc_now, self.keeper.pace)
        revoker = Revoker(self.account, self.keeper.line, self.keeper.endpoints)
        return Logout(leases, Seals(self.account, ground.cipher), revoker)


@contextmanager
def alone(configuration: Configuration, database: Database, name: str) -> Iterator[Alone]:
    """Yields one account's parts; what they write is stored when this ends.

    Raises LoginFailed where it has no token, ConfigurationError, KeyRingError, StoreError.
    """
    ring, accounts = fetch_some(configuration, [name])
    with _ground(database, ring, Events()) as ground:
        parts = build_accounts(configuration, accounts, ground)[name]
        try:
            yield Alone(accounts[name], parts.keeper, ground)
        finally:
            parts.close()


@contextmanager
def together(configuration: Configuration, database: Database, job: str, events: Events) -> Iterator[Resources]:
    """Yields what a run of one job works with: its accounts, and every database, opened when it is first needed.

    Raises as `alone` does; a database's password is fetched, and may raise SecretError, when that is opened.
    """
    ring, accounts = fetch_some(configuration, configuration.jobs[job].accounts)
    others = lazy_databases(configuration)
    with _ground(database, ring, events) as ground:
        parts = build_accounts(configuration, accounts, ground)
        try:
            apis = {name: part.api for name, part in parts.items()}
            yield Resources(database, others, apis, utc_now, events)
        finally:
            for part in parts.values():
                part.close()
            others.close()


@contextmanager
def _ground(database: Database, ring: LiveRing, events: Events) -> Iterator[Ground]:
    """Yields what accounts stand on; what they write is stored when this ends."""
    cipher = admit(database, ring)
    writer = Writer(database, Complaints(events).writer_failed)
    writer.start()
    try:
        yield Ground(database, writer, cipher, Trail(writer, events), events)
    finally:
        writer.stop()
