"""A grant of one's own, by entry point."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from tests.auth.keeping import WHO, Desk, options
from worker.auth import custom
from worker.auth.account import Account
from worker.auth.custom import GROUP, Given
from worker.auth.verdict import Verdict
from worker.model.errors import AccountBlocked
from worker.model.records import Health
from worker.sandbox.server import Sandbox
from worker.vault.secret import Secret


class Pin:
    """Logs in with a user that stands in its options and a secret of its own."""

    def __init__(self, given: Given) -> None:
        self._given = given

    def parameters(self) -> dict[str, str | Secret]:
        """Returns the parameters of the sandbox's password grant."""
        given = self._given
        user, pin = str(given.options["user"]), given.secrets["pin"]
        assert given.endpoint().endswith("/as/token.oauth2")
        return {"grant_type": "password", "username": user, "password": pin, "scope": given.scope}

    def verdict(self, _status: int, _code: str) -> Verdict:
        """Says refused: a pin is tried once."""
        return Verdict.REFUSED


class Broken:
    """Fails with a secret in its error."""

    def __init__(self, given: Given) -> None:
        raise RuntimeError(f"cannot use {given.secrets['pin'].reveal()}")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs both under names of entry points."""
    points = EntryPoints(EntryPoint(name.lower(), f"{__name__}:{name}", GROUP) for name in ("Pin", "Broken"))
    monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.attr])
    monkeypatch.setattr(custom, "entry_points", lambda group: points.select(group=group))


def account(desk: Desk, name: str = "pin", pin: str = WHO.tangoe_password) -> Account:
    """Returns an account with a grant of its own."""
    table = {"name": name, "options": {"user": WHO.tangoe_username}, "secrets": {"pin": {"env": "UNUSED"}}}
    given = options(desk.url, grant="custom", custom=table, username="", password=None)
    return Account("tangoe", given, Secret(WHO.tangoe_client_secret), None, custom={"pin": Secret(pin)})


def test_custom_grant_logs_in_and_is_refreshed(desk: Desk, sandbox: Sandbox) -> None:
    """Its options and secrets reach it; everything else is as with any grant."""
    keeper = desk.keeper(account(desk))
    keeper.token()
    assert keeper.token(rejected=1).generation == 2
    assert [one.grant_type for one in sandbox.token_requests()] == ["password", "refresh_token"]


def test_its_verdict_counts(desk: Desk, sandbox: Sandbox) -> None:
    """What it calls refused is tried once, until its secret changes."""
    keeper = desk.keeper(account(desk, pin="wrong-pin-1"))
    for _ in range(2):
        with pytest.raises(AccountBlocked, match="tried once"):
            keeper.token()
    assert len(sandbox.token_requests()) == 1
    assert desk.keeper(account(desk)).token().generation == 1


def test_unknown_grant_names_the_installed_ones(desk: Desk) -> None:
    """A name that no entry point has is told with those there are."""
    with pytest.raises(AccountBlocked, match=r"'pim'.*broken, pin"):
        desk.keeper(account(desk, name="pim")).token()


def test_failure_of_the_grant_is_the_accounts(desk: Desk, sandbox: Sandbox) -> None:
    """Whatever it raises blocks its account alone, and a secret in its error is masked."""
    keeper = desk.keeper(account(desk, name="broken"))
    with pytest.raises(AccountBlocked, match="RuntimeError") as caught:
        keeper.token()
    assert keeper.health() is Health.BLOCKED
    assert WHO.tangoe_password not in f"{caught.value} {desk.row()}"
    assert sandbox.token_requests() == []
