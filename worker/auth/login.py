"""Logins by a person: how each grant gets its token."""

from collections.abc import Callable, Mapping

from worker.auth.browser import by_code, by_fragment
from worker.auth.device import by_device
from worker.auth.invitation import LoginDesk
from worker.auth.refresh import Handed

_WAYS: Mapping[str, Callable[[LoginDesk], Handed]] = {
    "authorization_code": by_code,
    "device_code": by_device,
    "implicit": by_fragment,
}


def log_in(desk: LoginDesk) -> Handed:
    """Returns the token that a person's login brought, for `Keeper.adopt`; nothing is stored yet.

    Raises LoginFailed, and TokenUnavailable or AccountBlocked where the issuer's metadata cannot be had.
    """
    way = _WAYS.get(desk.account.options.grant)
    if way is None:
        grant = desk.account.options.grant
        hint = "pipe the token in: --token-stdin" if grant == "token" else "it logs in by itself at its next use"
        raise desk.failed(f"its grant {grant} has no page to log in at; {hint}")
    return way(desk)
