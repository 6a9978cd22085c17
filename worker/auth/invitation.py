"""What a login needs of the world, and what it asks a person to do."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.auth.account import Account
from worker.auth.clocks import Clocks
from worker.auth.discovery import Endpoints
from worker.model.errors import LoginFailed
from worker.wire.line import Line


@dataclass(frozen=True)
class Invitation:
    """The page a person is to open within so many seconds, and what is to be typed there; no secret."""

    url: str
    within_s: float
    code: str = ""
    url_with_code: str = ""  # where the server offers it: nothing has to be typed then
    advice: str = ""


@dataclass(frozen=True)
class LoginDesk:
    """One account's login: its way out, its clocks, how a person is asked, and how long that person may take."""

    account: Account
    line: Line
    endpoints: Endpoints
    clocks: Clocks
    invite: Callable[[Invitation], object]
    wait: Callable[[float], None]
    patience_s: float = 300.0

    def failed(self, why: str) -> LoginFailed:
        """Returns the error of a login that ended without a token."""
        name, command = self.account.name, self.account.login_command
        return LoginFailed(f"account {name} is not logged in: {why}; begin again: {command}", name)

    def endpoint(self, url: str | None, option: str) -> str:
        """Returns an endpoint's URL; raises LoginFailed where there is none."""
        if url is None:
            raise self.failed(f"its {option} is not known: neither the account nor its issuer names it")
        return url
