"""Grants of one's own, from packages with an entry point in the group `integration_worker.grants`.

    [project.entry-points."integration_worker.grants"]
    exchange = "acme.grants:Exchange"

    class Exchange:
        def __init__(self, given: Given) -> None: ...
        def parameters(self) -> dict[str, str | Secret]: ...          # of one token request; grant_type among them
        def verdict(self, status: int, code: str) -> Verdict: ...     # of a refusal that no general rule explains

An account names it with `grant = "custom"` and `custom = { name = "exchange", options = {...}, secrets = {...} }`. It
sends nothing itself: the worker adds the client's part, sends, refreshes, seals and records as with any other grant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, ClassVar

from jobs.contract import Json
from worker.auth.account import Account
from worker.auth.client import Parameters
from worker.auth.verdict import Verdict
from worker.model.errors import AccountBlocked
from worker.model.records import Purpose
from worker.vault.redact import redact
from worker.vault.secret import Secret

GROUP = "integration_worker.grants"


@dataclass(frozen=True)
class Given:
    """What a grant of one's own is made from; `endpoint` returns the token endpoint's URL."""

    account: str
    client_id: str
    username: str
    scope: str
    options: Mapping[str, Json]
    secrets: Mapping[str, Secret] = field(repr=False)
    endpoint: Callable[[], str] = field(repr=False)


@dataclass(frozen=True)
class CustomGrant:
    """A grant of one's own; its class is loaded when the first token is asked for."""

    plugin: str
    given: Given
    name: ClassVar[str] = "custom"
    purpose: ClassVar[Purpose] = Purpose.TOKEN

    def parameters(self) -> Parameters:
        """Returns what the class gives; raises AccountBlocked where it cannot be had or fails."""
        return dict(self._attempt(lambda made: made.parameters()))

    def verdict(self, status: int, code: str) -> Verdict:
        """Returns what the class says."""
        return Verdict(self._attempt(lambda made: made.verdict(status, code)))

    def _attempt(self, act: Callable[[Any], Any]) -> Any:  # noqa: ANN401  whatever a plug-in returns
        points = entry_points(group=GROUP)
        name = self.given.account
        if self.plugin not in points.names:
            known = ", ".join(sorted(points.names)) or "none"
            problem = f"there is no grant {self.plugin!r}; installed in {GROUP}: {known}"
            raise AccountBlocked(f"account {name}: {problem}", name)
        try:
            return act(points[self.plugin].load()(self.given))
        except AccountBlocked:
            raise
        except Exception as error:  # noqa: BLE001  a plug-in may raise anything
            problem = f"its grant {self.plugin!r} failed: {type(error).__name__}: {redact(str(error))}"
            raise AccountBlocked(f"account {name}: {problem}", name) from None


def custom_grant(account: Account, endpoint: Callable[[], str]) -> CustomGrant | None:
    """Returns an account's grant of its own, None where a secret it names could not be had."""
    options, custom = account.options, account.options.custom
    if custom is None or set(custom.secrets) - set(account.custom):
        return None
    whom = account.name, options.client_id, options.username, options.scope
    return CustomGrant(custom.name, Given(*whom, custom.options, account.custom, endpoint))
