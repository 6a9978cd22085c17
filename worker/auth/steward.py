"""Looks after the accounts that nobody asks for a token just now: logins that lapse, refresh tokens that would."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from worker.auth.credential import Credential
from worker.model.events import AccountBlocked, AccountNeedsLogin, AccountRecovered
from worker.model.listening import Event, Events
from worker.model.records import TokenRow
from worker.store import tokens
from worker.store.database import Database

WATCH_S = 1.0
SWEEP_S = 5.0  # a login of some minutes is to be missed before it lapses


@dataclass(frozen=True)
class Steward:
    """Both passes are called again and again by threads of their own; each looks at the accounts there are by then."""

    keepers: Callable[[], Mapping[str, Credential]]
    database: Database
    events: Events
    _seen: dict[str, int] = field(default_factory=dict, init=False)  # generation by account
    _unusable: dict[str, int] = field(default_factory=dict, init=False)  # the same, until the account recovers

    def __post_init__(self) -> None:
        self.events.listen(self._hear)

    def watch(self) -> None:
        """Lets every keeper see what other processes did: a login, a logout; one read. Raises StoreUnreachable."""
        keepers = self.keepers()
        for row in self._rows(keepers):
            keeper = keepers[row.account]
            if not row.health.usable:
                self._unusable[row.account] = row.generation
            elif row.generation > self._unusable.get(row.account, row.generation):
                self.events.emit(AccountRecovered(row.account))
            self._seen[row.account] = row.generation
            keeper.notice(row)

    def _hear(self, event: Event) -> None:
        """Notes trouble at once, as a login may end it before the next pass; forgets what a keeper told of itself."""
        if isinstance(event, AccountBlocked | AccountNeedsLogin):
            self._unusable.setdefault(event.account, self._seen.get(event.account, 0))
        elif isinstance(event, AccountRecovered):
            self._unusable.pop(event.account, None)

    def sweep(self) -> None:
        """Renews what would lapse unused and tells of what nobody can renew; raises StoreUnreachable."""
        keepers = self.keepers()
        known = {row.account: row for row in self._rows(keepers)}
        for name, keeper in keepers.items():
            keeper.attend(known.get(name, TokenRow(name)))

    def _rows(self, keepers: Mapping[str, Credential]) -> list[TokenRow]:
        with self.database.read() as connection:
            return [row for row in tokens.listing(connection) if row.account in keepers]
