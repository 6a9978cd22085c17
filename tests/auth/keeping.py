"""What the keeper's tests share: clocks that are moved by hand, and a desk that makes keepers for one sandbox."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.canary import credentials
from worker.auth.account import Account
from worker.auth.keeper import Keeper, Pace
from worker.model.account import AccountOptions
from worker.model.listening import Event, Events
from worker.model.records import Call, TokenRow
from worker.model.secretref import SecretRef
from worker.store import calls, tokens
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.cipher import Cipher
from worker.vault.keyring import KeyRing, Ring
from worker.vault.secret import Secret
from worker.wire.line import Line
from worker.wire.outgoing import Limits
from worker.wire.trail import Trail

E = TypeVar("E", bound=Event)
WHO = credentials()
TOKEN_PATH = "/as/token.oauth2"
RING = KeyRing({"k1": Secret(base64.b64encode(b"1" * 32).decode())})


class Clock:
    """A wall clock and an elapsed clock that move together, by hand, beside the real time that passes."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        """Returns the wall clock's time."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def elapsed(self) -> float:
        """Returns the elapsed clock's seconds."""
        return time.monotonic() + self.ahead_s

    def pass_by(self, seconds: float) -> None:
        """Lets time pass."""
        self.ahead_s += seconds


def options(url: str, **given: object) -> AccountOptions:
    """Returns the options of an account at a Tangoe-style API, changed as given."""
    ref = SecretRef(env="UNUSED")
    base: dict[str, object] = {
        "base_url": url,
        "token_url": f"{url}{TOKEN_PATH}",
        "grant": "password",
        "accept_password_grant": True,
        "client_id": WHO.tangoe_client_id,
        "client_secret": ref,
        "username": WHO.tangoe_username,
        "password": ref,
        "scope": "MOBPROC",
    }
    return AccountOptions.model_validate(base | given)


def client_credentials(url: str, **given: object) -> AccountOptions:
    """Returns the options of an account that logs in for itself."""
    return options(url, grant="client_credentials", username="", password=None, **given)


def idp_options(url: str, **given: object) -> AccountOptions:
    """Returns the options of an account whose issuer is the sandbox's IdP, changed as given."""
    base: dict[str, object] = {
        "base_url": url,
        "issuer": f"{url}/idp",
        "client_id": WHO.idp_client_id,
        "client_secret": SecretRef(env="UNUSED"),
    }
    return AccountOptions.model_validate(base | given)


class Desk:
    """Makes keepers of one account at one sandbox, all on one database, and hears what they tell."""

    def __init__(self, database: Database, writer: Writer, url: str) -> None:
        self.database = database
        self.writer = writer
        self.url = url
        self.clock = Clock()
        self.events = Events()
        self.heard: list[Event] = []
        self.events.listen(self.heard.append)
        self._lines: list[Line] = []

    def line(self, deadline_s: float = 20.0) -> Line:
        """Returns a line to the sandbox; closed with the desk."""
        limits = Limits(connect_s=2.0, read_s=deadline_s, deadline_s=deadline_s, max_body=100_000)
        line = Line(frozenset({self.url}), limits, Trail(self.writer, self.events))
        self._lines.append(line)
        return line

    def account(
        self, given: AccountOptions | None = None, password: str | None = WHO.tangoe_password, secret: str = ""
    ) -> Account:
        """Returns the account `tangoe` with its secrets."""
        client_secret = Secret(secret or WHO.tangoe_client_secret)
        return Account("tangoe", given or options(self.url), client_secret, Secret(password) if password else None)

    def keeper(self, account: Account | None = None, ring: Ring = RING, **pace: Any) -> Keeper:  # noqa: ANN401  as Pace takes them
        """Returns a new keeper, as another process would have it; `pace` changes its Pace."""
        pace.setdefault("wait", lambda seconds: time.sleep(min(seconds, 0.01)))
        return Keeper(
            account or self.account(),
            self.database,
            self.writer,
            Cipher(ring, "test-installation"),
            self.line(),
            self.events,
            now=self.clock.now,
            elapsed=self.clock.elapsed,
            pace=Pace(**pace),
        )

    def row(self) -> TokenRow:
        """Returns the account's row."""
        with self.database.read() as connection:
            return tokens.load(connection, "tangoe")

    def trail(self) -> list[Call]:
        """Returns the account's calls, oldest first."""
        with self.database.read() as connection:
            return calls.listing(connection, account="tangoe")[::-1]

    def told(self, kind: type[E]) -> list[E]:
        """Returns the events of one kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    def close(self) -> None:
        """Closes the lines."""
        for line in self._lines:
            line.close()
