"""What the tests of logins share: an account at the sandbox's issuer, and a person with a browser of four lines."""

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import requests

from tests.auth.keeping import Desk
from worker.auth.account import Account
from worker.auth.clocks import Clocks
from worker.auth.discovery import Endpoints
from worker.auth.invitation import Invitation, LoginDesk
from worker.auth.keeper import Keeper
from worker.model.account import AccountOptions
from worker.sandbox.options import Credentials
from worker.vault.secret import Secret

WHO = Credentials()
SCOPE = "read write"


def login_options(url: str, grant: str, **given: object) -> AccountOptions:
    """Returns the options of an account at the sandbox's issuer, which names all endpoints."""
    base: dict[str, object] = {
        "base_url": url,
        "issuer": f"{url}/idp",
        "grant": grant,
        "client_id": WHO.idp_public_client_id,
        "client_auth": "none",
        "scope": SCOPE,
    }
    return AccountOptions.model_validate(base | given)


class Person:
    """Somebody at a browser: opens the page of an invitation and goes where it leads."""

    def __init__(self) -> None:
        self.invited: list[Invitation] = []
        self.landed: requests.Response | None = None

    def follow(self, invitation: Invitation) -> None:
        """Opens the page and every redirect after it."""
        self.invited.append(invitation)
        self.landed = self.get(invitation.url)

    def get(self, url: str, *, redirects: bool = True) -> requests.Response:
        """Opens a page without the environment's proxies."""
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=5, allow_redirects=redirects)

    def hand_over(self, invitation: Invitation) -> None:
        """Does what the page of an implicit login does: posts the fragment to where it was sent."""
        self.invited.append(invitation)
        location = self.get(invitation.url, redirects=False).headers["Location"]
        page, _, fragment = location.partition("#")
        self.landed = self.get(page)
        with requests.Session() as session:
            session.trust_env = False
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(page))
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
            self.posted = session.post(page, data=fragment, headers=headers, timeout=5)


class Bench:
    """Logs one account in at the sandbox, with clocks and waits of its own."""

    def __init__(self, desk: Desk, options: AccountOptions, secret: str = "") -> None:
        self.desk = desk
        self.account = Account("tangoe", options, Secret(secret) if secret else None, None)
        self.person = Person()
        self.waited: list[float] = []
        self.line = desk.line()

    def login(
        self,
        invite: Callable[[Invitation], object] | None = None,
        on_wait: Callable[[], object] = lambda: None,
        patience_s: float = 5.0,
    ) -> LoginDesk:
        """Returns a desk whose waits let the clock pass, and call `on_wait`, rather than real time."""

        def wait(seconds: float) -> None:
            self.waited.append(seconds)
            self.desk.clock.pass_by(seconds)
            on_wait()

        clocks = Clocks(self.desk.clock.now, self.desk.clock.elapsed, lambda: 0.5)
        endpoints = Endpoints(self.account, self.line, self.desk.clock.elapsed)
        return LoginDesk(self.account, self.line, endpoints, clocks, invite or self.person.follow, wait, patience_s)

    def keeper(self) -> Keeper:
        """Returns a keeper of the account."""
        return self.desk.keeper(self.account)


def later(act: Callable[[], object]) -> threading.Thread:
    """Starts something beside; the caller joins it."""
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def wait_until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Waits for a change that another thread makes."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come to be"
        time.sleep(0.005)
