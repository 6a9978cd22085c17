"""Token styles at servers that know no other: JSON with expires_at, and everything in headers."""

from datetime import timedelta

import pytest

from tests.auth.keeping import WHO, Desk, idp_options, options
from worker.auth.account import Account
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox
from worker.vault.secret import Secret


def test_json_in_and_expires_at_out(desk: Desk, sandbox: Sandbox) -> None:
    """Tangoe Mobile 2.x takes JSON and tells when a token ends, not how long it lives."""
    keeper = desk.keeper(desk.account(options(desk.url, token_url="{base_url}/v2/token", token_params="json")))
    token = keeper.token()
    assert token.expires_at is not None
    assert abs(token.expires_at - desk.clock.now() - timedelta(hours=1)) < timedelta(seconds=5)
    assert keeper.token(rejected=1).generation == 2
    assert [(one.path, one.status) for one in sandbox.token_requests()] == [("/v2/token", 200)] * 2


@pytest.mark.parametrize("client_auth", ["header", "post"])
def test_everything_in_headers(desk: Desk, sandbox: Sandbox, client_auth: str) -> None:
    """Tangoe's OAuth provider takes parameters, client id and secret as headers; the trail shows none of them."""
    style = {"token_params": "headers", "client_auth": client_auth}
    keeper = desk.keeper(desk.account(options(desk.url, token_url="{base_url}/access_token", **style)))
    keeper.token()
    assert keeper.token(rejected=1).generation == 2
    assert [one.grant_type for one in sandbox.token_requests()] == ["password", "refresh_token"]
    assert {call.url for call in desk.trail()} == {f"{desk.url}/access_token"}


def test_resources_become_the_tokens_audience(desk: Desk, sandbox: Sandbox) -> None:
    """Each resource reaches the server, at the login and at the refresh (RFC 8707)."""
    resources = ["https://a.example.com", "https://b.example.com"]
    given = idp_options(
        desk.url,
        grant="password",
        accept_password_grant=True,
        username=WHO.idp_username,
        password={"env": "UNUSED"},
        resource=resources,
    )
    account = Account("tangoe", given, Secret(WHO.idp_client_secret), Secret(WHO.idp_password))
    keeper = desk.keeper(account)
    for token in (keeper.token(), keeper.token(rejected=1)):
        issued = sandbox._state.idp.tokens.find(token.bearer.reveal())
        assert issued is not None
        assert issued.subject.audience == tuple(resources)


@pytest.mark.parametrize("value", [{"iso": True}, {"milliseconds": True}])
def test_ends_however_they_are_written(desk: Desk, sandbox: Sandbox, value: dict[str, bool]) -> None:
    """An end as ISO time or in milliseconds is understood."""
    end = desk.clock.now() + timedelta(minutes=10)
    told = end.isoformat() if "iso" in value else int(end.timestamp() * 1000)
    sandbox.fault(Fault(kind="fields", path="/as/", value={"expires_in": None, "expires_at": told}))
    token = desk.keeper().token()
    assert token.expires_at is not None
    assert abs(token.expires_at - end) < timedelta(seconds=2)
