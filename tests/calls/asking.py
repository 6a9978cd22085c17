"""A run that calls an account's API at a far end, with tokens that are counted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from tests.wire.farend import Bench
from worker.auth.absorb import PLAIN, Arrival
from worker.auth.account import Account
from worker.auth.keeper import Keeper, Token
from worker.calls.session import AccountApi, BoundApi, RunRef
from worker.model.account import AccountOptions
from worker.model.events import CallRetried
from worker.model.listening import Event
from worker.model.secretref import SecretRef
from worker.vault.secret import Secret
from worker.wire.outgoing import About


@dataclass
class Tokens:
    """Stands in for the keeper: a new generation for each rejection, and a note of each question."""

    generation: int = 1
    asked: list[int | None] = field(default_factory=list)
    good: bool = False  # what somebody says who is asked whether the token is good
    doubted: list[int] = field(default_factory=list)

    def token(self, rejected: int | None = None, deadline_s: float = 60.0) -> Token:
        """Returns the newest token."""
        self.asked.append(rejected)
        if rejected == self.generation:
            self.generation += 1
        return Token(self.generation, Secret(f"canary-token-{self.generation}"), None)

    def vouches(self, token: Token, _about: About) -> bool:
        """Says what it was told to say."""
        self.doubted.append(token.generation)
        return self.good

    def carrying(self, _token: Token) -> AbstractContextManager[Arrival]:
        """Expects nothing of answers."""
        return PLAIN


def options(url: str, **given: object) -> AccountOptions:
    """Returns the options of an account at that URL, changed as given."""
    base: dict[str, object] = {
        "base_url": f"{url}/base",
        "token_url": f"{url}/token",
        "client_id": "client-1",
        "client_secret": SecretRef(env="UNUSED"),
        "tenant": "XYZ",
        "reject_statuses": (401, 403),
        "headers": {"X-TNGO-TENANT": "{tenant}", "client_id": "{client_id}", "X-Empty": " "},
        "retry": {"attempts": 3, "backoff": "100ms", "max": "1s"},
    }
    return AccountOptions.model_validate(base | given)


@dataclass
class Asker:
    """One run, its waits noted in place of waited."""

    bench: Bench
    tokens: Tokens = field(default_factory=Tokens)
    waits: list[float] = field(default_factory=list)
    retried: list[CallRetried] = field(default_factory=list)
    remaining_s: float = 600.0
    check: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.bench.events.listen(self._listen)

    def _listen(self, event: Event) -> None:
        if isinstance(event, CallRetried):
            self.retried.append(event)

    def _check(self) -> None:
        self.check()

    def account_api(self, given: AccountOptions) -> AccountApi:
        """Returns the API of the account `tangoe`."""
        line = self.bench.line(given.base_url)
        keeper: Keeper = self.tokens  # type: ignore[assignment]  # asked for nothing but tokens
        account = Account("tangoe", given, None, None)
        return AccountApi(account, line, keeper, self.bench.events, wait=self.waits.append)

    def api(self, url: str, **given: object) -> BoundApi:
        """Returns a run's access to the API at that URL."""
        return self.bind(self.account_api(options(url, **given)))

    def bind(self, api: AccountApi) -> BoundApi:
        """Returns the run's access to an account's API."""
        return api.bind(RunRef("devices", 8, 2, self._check, lambda: self.remaining_s))
