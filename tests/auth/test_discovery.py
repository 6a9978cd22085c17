"""Endpoints: from the options, otherwise from what the issuer publishes."""

from collections.abc import Callable

import pytest

from tests.auth.keeping import WHO, Desk, idp_options
from worker.auth.account import Account
from worker.auth.discovery import Endpoints
from worker.model.account import AccountOptions
from worker.model.errors import AccountBlocked, TokenUnavailable
from worker.model.records import Health, Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox
from worker.vault.secret import Secret

FIRST, SECOND = "/.well-known/oauth-authorization-server/idp", "/idp/.well-known/openid-configuration"
Find = Callable[..., Endpoints]


@pytest.fixture
def find(desk: Desk) -> Find:
    """Makes the endpoints of an account of the sandbox's IdP, changed as given."""
    return lambda **given: Endpoints(account(idp_options(desk.url, **given)), desk.line(), desk.clock.elapsed)


def account(options: AccountOptions) -> Account:
    """Returns the account `tangoe`."""
    return Account("tangoe", options, Secret(WHO.idp_client_secret), None)


def fetched(sandbox: Sandbox) -> list[str]:
    """Returns the places at which metadata was asked for."""
    return [call.path for call in sandbox.calls() if ".well-known" in call.path]


def test_all_endpoints_come_from_one_document(find: Find, desk: Desk, sandbox: Sandbox) -> None:
    """The issuer is asked once, its answer names every endpoint, and the request is a call in the trail."""
    found = find()
    named = (found.token(), found.authorize(), found.device(), found.introspect(), found.revoke())
    assert named == tuple(f"{desk.url}/idp/{name}" for name in ("token", "authorize", "device", "introspect", "revoke"))
    assert fetched(sandbox) == [FIRST]
    desk.writer.call(lambda _connection: None)  # the call's row is written behind it
    assert [call.purpose for call in desk.trail()] == [Purpose.DISCOVERY]


def test_options_win(find: Find, desk: Desk, sandbox: Sandbox) -> None:
    """An endpoint that an option names is not asked for; the base URL is filled in."""
    found = find(token_url="{base_url}/own/token", revoke_url="https://e.example.com/r")
    assert (found.token(), found.revoke()) == (f"{desk.url}/own/token", "https://e.example.com/r")
    assert fetched(sandbox) == []
    assert found.device() == f"{desk.url}/idp/device"


def test_no_issuer_no_endpoint(find: Find) -> None:
    """Without option and issuer there is none."""
    assert find(issuer="", token_url="{base_url}/t").introspect() is None


def test_openid_place_comes_second(find: Find, desk: Desk, sandbox: Sandbox) -> None:
    """A server that publishes in OpenID's place only is found there."""
    sandbox.fault(Fault(kind="status", status=404, path=FIRST))
    assert find().token() == f"{desk.url}/idp/token"
    assert fetched(sandbox) == [FIRST, SECOND]


def test_kept_for_a_day_and_after_that_while_it_cannot_be_had(find: Find, desk: Desk, sandbox: Sandbox) -> None:
    """A document serves for a day; an old one helps out while no newer one can be had."""
    found = find()
    for _ in range(3):
        found.token()
    desk.clock.pass_by(86_401)
    sandbox.fault(Fault(kind="status", status=503, path="/", times=2))
    assert found.token() == f"{desk.url}/idp/token"
    assert fetched(sandbox) == [FIRST, FIRST, SECOND]
    found.forget()
    assert found.token() == f"{desk.url}/idp/token"
    assert fetched(sandbox)[3:] == [FIRST]


@pytest.mark.parametrize("value", ["https://evil.example.com", "{url}/idp/", "", None])
def test_another_issuer_is_refused(find: Find, desk: Desk, sandbox: Sandbox, value: str | None) -> None:
    """A document that names another issuer, be it by a slash, is not used (RFC 8414 section 3.3)."""
    issuer = value.replace("{url}", desk.url) if value else value
    sandbox.fault(Fault(kind="fields", path=FIRST, value={"issuer": issuer}))
    with pytest.raises(AccountBlocked, match="issuer"):
        find().token()
    assert fetched(sandbox) == [FIRST]


@pytest.mark.parametrize("url", ["https://evil.example.com/token", "//evil.example.com", "http://127.0.0.1:99999/"])
def test_endpoint_elsewhere_is_refused(find: Find, sandbox: Sandbox, url: str) -> None:
    """Secrets do not follow a document to a place that nobody has allowed."""
    sandbox.fault(Fault(kind="fields", path=FIRST, value={"token_endpoint": url}))
    with pytest.raises(AccountBlocked, match="origins"):
        find().token()


def test_endpoint_elsewhere_is_taken_where_it_is_allowed(find: Find, sandbox: Sandbox) -> None:
    """A server whose token endpoint has a host of its own: that host stands in origins."""
    sandbox.fault(Fault(kind="fields", path=FIRST, value={"token_endpoint": "https://tokens.example.com/t"}))
    assert find(origins=["https://tokens.example.com"]).token() == "https://tokens.example.com/t"


@pytest.mark.parametrize("kind", ["html", "empty", "drop", "malformed_json", "redirect"])
def test_no_metadata_no_endpoint(find: Find, sandbox: Sandbox, kind: str) -> None:
    """Where nothing usable is published, the error says what was found at each place."""
    sandbox.fault(Fault(kind=kind, path="/", times=None, location="https://evil.example.com/"))
    with pytest.raises(TokenUnavailable, match=r"oauth-authorization-server.*openid-configuration"):
        find().token()


def test_token_by_discovery(desk: Desk, sandbox: Sandbox) -> None:
    """A keeper logs in at the endpoint its issuer names."""
    keeper = desk.keeper(account(idp_options(desk.url)))
    assert keeper.token().generation == 1
    assert [call.purpose for call in desk.trail()] == [Purpose.DISCOVERY, Purpose.TOKEN]


def test_issuer_that_is_down_is_tried_again(desk: Desk, sandbox: Sandbox) -> None:
    """While the issuer is down the account is degraded, not blocked; then it logs in."""
    sandbox.fault(Fault(kind="status", status=503, path="/", times=2))
    keeper = desk.keeper(account(idp_options(desk.url)))
    with pytest.raises(TokenUnavailable):
        keeper.token()
    assert keeper.health() is Health.DEGRADED
    assert desk.row().attempt_id is None
    desk.clock.pass_by(10)
    assert keeper.token().generation == 1


def test_moved_endpoint_is_found_after_a_failure(desk: Desk, sandbox: Sandbox) -> None:
    """A token endpoint that is gone makes the next attempt ask the issuer anew."""
    sandbox.fault(Fault(kind="fields", path=FIRST, value={"token_endpoint": f"{desk.url}/idp/old"}))
    keeper = desk.keeper(account(idp_options(desk.url)))
    with pytest.raises((TokenUnavailable, AccountBlocked)):
        keeper.token()
    desk.clock.pass_by(3601)
    assert keeper.token().generation == 1
    assert fetched(sandbox) == [FIRST, FIRST]


def test_issuer_without_token_endpoint_is_named(desk: Desk, sandbox: Sandbox) -> None:
    """An issuer that publishes no token endpoint blocks the account and says what to write."""
    sandbox.fault(Fault(kind="fields", path=FIRST, value={"token_endpoint": None}))
    with pytest.raises(AccountBlocked, match="token_url"):
        desk.keeper(account(idp_options(desk.url))).token()
