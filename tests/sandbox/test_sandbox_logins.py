"""Implicit logins, the logins of the Tangoe-style and ServiceNow-style servers, and the faults of a redirect."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.sandbox.calling import Caller, Make
from tests.sandbox.idpcalling import REDIRECT, VERIFIER, IdpCaller, Pairs, challenge, landed
from worker.sandbox.faults import Fault
from worker.sandbox.options import HandOff, SandboxOptions

NO_PKCE: Pairs = {"code_challenge": None, "code_challenge_method": None}


def test_an_implicit_login_puts_the_token_into_the_fragment(idp: IdpCaller) -> None:
    """RFC 6749 4.2.2: token, type, lifetime, scope and state; nothing in the query, no refresh token."""
    name = idp.who.idp_public_client_id
    answer = idp.authorize(response_type="token", client_id=name, scope="read", **NO_PKCE)
    parts = urlsplit(answer.headers["Location"])
    assert parts.query == ""
    back = dict(parse_qsl(parts.fragment))
    assert (back["token_type"], back["expires_in"], back["scope"]) == ("Bearer", "3600", "read")
    assert (back["state"], back["iss"]) == ("state-1", idp.sandbox.issuer)
    assert "refresh_token" not in back
    assert idp.api("/echo", back["access_token"]).json()["account"] == idp.who.idp_username
    login = idp.sandbox.calls()[0]
    assert (login.account, login.token_issued) == (idp.who.idp_username, 1)
    assert back["access_token"] not in repr(idp.sandbox.calls())


def test_a_denied_implicit_login_says_so_in_the_fragment(idp: IdpCaller) -> None:
    """Errors go where the token would."""
    answer = idp.authorize(response_type="token", user="deny", **NO_PKCE)
    assert "error=access_denied" in urlsplit(answer.headers["Location"]).fragment
    late = idp.authorize(response_type="token", resource="no-uri", **NO_PKCE)
    assert "error=invalid_target" in urlsplit(late.headers["Location"]).fragment


def _tangoe(caller: Caller) -> dict[str, str]:
    idp = IdpCaller(caller.sandbox)
    with idp.session:
        name = caller.who.tangoe_client_id
        answer = idp.authorize("/as/authorization.oauth2", response_type="token", client_id=name, **NO_PKCE)
        assert "iss" not in landed(answer)
        return landed(answer)


def test_tangoe_has_implicit_logins(caller: Caller) -> None:
    """The token works at the API; codes are not to be had there."""
    back = _tangoe(caller)
    assert (back["scope"], back["state"]) == ("MOBPROC", "state-1")
    assert caller.tangoe("/me", caller.tangoe_headers(back["access_token"])).status_code == 200
    assert "refresh_token" not in back
    with IdpCaller(caller.sandbox).session as session:
        params = {"response_type": "code", "client_id": caller.who.tangoe_client_id, "redirect_uri": REDIRECT}
        url = f"{caller.sandbox.url}/as/authorization.oauth2"
        answer = session.get(url, params=params, allow_redirects=False, timeout=10)
    assert landed(answer)["error"] == "unauthorized_client"


def test_tangoe_may_add_a_refresh_token(make: Make) -> None:
    """As the vendor's text promises: with the hand-off mode nobody is asked again."""
    caller = make(SandboxOptions(rows=1, handoff=HandOff(window_s=3600.0, implicit_refresh=True)))
    refresh = _tangoe(caller)["refresh_token"]
    answer = caller.tangoe("/ping", caller.tangoe_headers(refresh))
    assert (answer.status_code, "X-New-Token" in answer.headers) == (200, True)


def test_servicenow_has_codes(idp: IdpCaller) -> None:
    """With PKCE or without; the exchange needs the client's secret."""
    name, secret = idp.who.servicenow_client_id, idp.who.servicenow_client_secret
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "client_id": name, "client_secret": secret}
    for given, verifier in ((NO_PKCE, {}), ({"code_challenge": challenge()}, {"code_verifier": VERIFIER})):
        back = landed(idp.authorize("/oauth_auth.do", client_id=name, **given))
        answer = idp.post("/oauth_token.do", form | verifier | {"code": back["code"]})
        assert answer.status_code == 200
        assert answer.json()["scope"] == "useraccount"
        again = idp.post("/oauth_token.do", form | verifier | {"code": back["code"]})
        assert (again.status_code, again.json()["error_description"]) == (401, "access_denied")


def test_servicenow_revokes_without_a_credential(caller: Caller) -> None:
    """GET or POST with the token alone: an access token ends, a refresh token ends its family."""
    url = f"{caller.sandbox.url}/oauth_revoke_token.do"
    first = caller.now_token().json()
    assert caller.session.get(url, params={"token": first["access_token"]}, timeout=10).status_code == 200
    header = {"Authorization": f"Bearer {first['access_token']}"}
    table = f"{caller.sandbox.url}/api/now/table/incident"
    assert caller.session.get(table, headers=header, timeout=10).status_code == 401
    second = caller.now_token(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    assert caller.session.post(url, data={"token": second["refresh_token"]}, timeout=10).status_code == 200
    dead = caller.now_token(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert dead.status_code == 401
    assert caller.session.get(url, params={"token": "made-up"}, timeout=10).status_code == 200
    assert second["refresh_token"] not in repr(caller.sandbox.calls())
    assert [call.token_used for call in caller.sandbox.calls("/oauth_revoke")] == [1, 2, None]


@pytest.mark.parametrize("kind", ["code", "token"])
def test_faults_of_a_redirect(idp: IdpCaller, kind: str) -> None:
    """Denied, state wrong or missing, iss wrong or missing; in query and fragment; other endpoints meet none."""
    idp.sandbox.fault(Fault("deny"))
    idp.sandbox.fault(Fault("wrong_state"))
    idp.sandbox.fault(Fault("no_state"))
    idp.sandbox.fault(Fault("wrong_iss"))
    idp.sandbox.fault(Fault("no_iss"))
    assert idp.token("client_credentials").status_code == 200
    pkce = {} if kind == "code" else NO_PKCE
    denied, state, no_state, iss, no_iss = (landed(idp.authorize(response_type=kind, **pkce)) for _ in range(5))
    assert (denied["error"], denied["state"], denied["iss"]) == ("access_denied", "state-1", idp.sandbox.issuer)
    assert (state["state"], "state" in no_state) == ("not-the-state-that-was-sent", False)
    assert (iss["iss"], "iss" in no_iss) == ("https://elsewhere.example", False)
    good = "code" if kind == "code" else "access_token"
    assert all(good in back for back in (state, no_state, iss, no_iss))
    assert good not in denied
    page = idp.authorize(client_id="nobody")
    assert page.status_code == 400


def test_a_redirect_fault_spares_a_page(idp: IdpCaller) -> None:
    """Where nobody is redirected there is nothing to change."""
    idp.sandbox.fault(Fault("wrong_state"))
    answer = idp.authorize(client_id="nobody")
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
