"""Accounts whose secret itself goes along with each call, at the sandbox's doors for HTTP basic and API keys."""

from dataclasses import dataclass, field

from tests.auth.keeping import RING, WHO, Desk
from worker.auth.account import Account
from worker.auth.static import StaticKeeper
from worker.calls.session import AccountApi, BoundApi, RunRef
from worker.model.account import AccountOptions
from worker.model.secretref import SecretRef
from worker.vault.cipher import Cipher
from worker.vault.secret import Secret

UNUSED = SecretRef(env="UNUSED")


@dataclass
class Door:
    """One door of a sandbox and what opens it; `keepers` are as many processes that use it."""

    desk: Desk
    kind: str  # basic or key
    given: dict[str, object] = field(default_factory=dict)

    @property
    def right(self) -> str:
        """The secret that opens it."""
        return WHO.basic_password if self.kind == "basic" else WHO.api_key

    def account(self, secret: str) -> Account:
        """Returns the account `tangoe` with a secret of its grant."""
        own: dict[str, object] = {"grant": "basic", "username": WHO.basic_username, "password": UNUSED}
        if self.kind == "key":
            own = {"grant": "api_key", "api_key": UNUSED}
        options = AccountOptions.model_validate({"base_url": f"{self.desk.url}/{self.kind}"} | own | self.given)
        held = Secret(secret)
        if self.kind == "key":
            return Account("tangoe", options, None, None, api_key=held)
        return Account("tangoe", options, None, held)

    def keeper(self, secret: str = "") -> StaticKeeper:
        """Returns a new keeper, as another process would have it."""
        account, cipher = self.account(secret or self.right), Cipher(RING, "test-installation")
        desk = self.desk
        return StaticKeeper(account, desk.database, desk.writer, cipher, desk.events, desk.clock.now)

    def api(self, secret: str = "", keeper: StaticKeeper | None = None) -> BoundApi:
        """Returns a run's access through the door."""
        keeper = keeper or self.keeper(secret)
        shared = AccountApi(keeper.account, self.desk.line(), keeper, self.desk.events, wait=lambda _: None)
        return shared.bind(RunRef("devices", 8, 1, lambda: None, lambda: 600.0))
