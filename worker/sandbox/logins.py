"""What a person has agreed to, or still must: authorization codes and device logins on their way to a token."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels: no words, and none looks like another (RFC 8628 6.1)
_SLOWER_S = 5  # added by each slow_down (RFC 8628 3.5)


@dataclass(slots=True)
class Consent:
    """A code that can be exchanged once, and what it stands for."""

    client_id: str
    username: str
    scopes: list[str]
    audience: tuple[str, ...]
    redirect_uri: str | None
    challenge: str | None
    until: float  # monotonic seconds
    used: bool = False
    family: int | None = None  # of the tokens it was exchanged for


class LoginState(StrEnum):
    """How a device login stands, in the words of RFC 8628 3.5."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired_token"
    DENIED = "access_denied"
    AUTHORIZED = "authorized"


def _user_code() -> str:
    """Returns a code that a person can type."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


@dataclass(slots=True)
class DeviceLogin:
    """A device that waits for a person to type its user code."""

    client_id: str
    scopes: list[str]
    audience: tuple[str, ...]
    until: float  # monotonic seconds
    interval_s: float
    user_code: str = field(default_factory=_user_code)
    device_code: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    username: str | None = None  # who approved
    denied: bool = False
    used: bool = False
    polled: float | None = None


@dataclass(slots=True)
class Logins:
    """The logins of one authorization server; not safe for threads."""

    clock: Callable[[], float] = time.monotonic
    _codes: dict[str, Consent] = field(default_factory=dict)
    _devices: list[DeviceLogin] = field(default_factory=list)

    def keep(self, code: str, consent: Consent) -> None:
        """Keeps what a code stands for."""
        self._codes[code] = consent

    def consent(self, code: str) -> Consent | None:
        """Returns what a code stands for, good or not."""
        return self._codes.get(code)

    def good(self, consent: Consent) -> bool:
        """Tells whether a code can still be exchanged."""
        return not consent.used and self.clock() < consent.until

    def wait_for(self, login: DeviceLogin) -> None:
        """Adds a device that waits."""
        self._devices.append(login)

    def device(self, device_code: str) -> DeviceLogin | None:
        """Returns the login with this device code."""
        return next((one for one in self._devices if one.device_code == device_code), None)

    def decide(self, typed: str | None, username: str | None) -> str:
        """Approves as the user, or denies for None, the login of a user code (None: the newest) and returns the code.

        Raises KeyError when none waits.
        """
        wanted = None if typed is None else typed.replace("-", "").upper()
        for login in reversed(self._devices):
            open_ = not login.denied and login.username is None and self.clock() < login.until
            if open_ and wanted in (None, login.user_code.replace("-", "")):
                login.username, login.denied = username, username is None
                return login.user_code
        raise KeyError("no device login waits" if typed is None else f"no device login waits for {typed!r}")

    def poll(self, login: DeviceLogin) -> LoginState:
        """Returns how a login stands and notes the poll; who asks too early must wait longer from then on."""
        now = self.clock()
        early = login.polled is not None and now - login.polled < login.interval_s
        login.polled = now
        if now >= login.until:
            return LoginState.EXPIRED
        if login.denied:
            return LoginState.DENIED
        if early:
            login.interval_s += _SLOWER_S
            return LoginState.SLOW_DOWN
        return LoginState.PENDING if login.username is None else LoginState.AUTHORIZED
