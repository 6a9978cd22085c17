"""The IdP: metadata, codes with PKCE, redirect URIs, client authentication."""

import http.client
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.sandbox.calling import Make
from tests.sandbox.idpcalling import REDIRECT, IdpCaller, basic, landed
from worker.sandbox.options import Credentials, IdpOptions, SandboxOptions


def test_metadata_leads_to_every_endpoint(idp: IdpCaller) -> None:
    """Both documents agree, the issuer is the one asked (RFC 8414 3.3), and each endpoint answers at its address."""
    data = idp.get("/.well-known/oauth-authorization-server/idp").json()
    assert data == idp.get("/idp/.well-known/openid-configuration").json()
    assert data["issuer"] == idp.sandbox.issuer
    assert data["code_challenge_methods_supported"] == ["S256"]
    assert data["authorization_response_iss_parameter_supported"] is True
    for name, address in data.items():
        if name.endswith("_endpoint"):
            path = urlsplit(address).path
            answer = idp.get(path) if name == "authorization_endpoint" else idp.post(path, {})
            assert answer.status_code in (400, 401), name


def test_a_code_brings_both_tokens(idp: IdpCaller) -> None:
    """The login answers with code, state and iss; the code is exchanged for tokens of the user."""
    back = landed(idp.authorize())
    assert (back["state"], back["iss"]) == ("state-1", idp.sandbox.issuer)
    body = idp.exchange(back["code"]).json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, "read write")
    assert idp.api("/echo", body["access_token"]).json()["account"] == idp.who.idp_username
    login, exchange, _ = idp.sandbox.calls()
    assert (login.status, login.client_id) == (302, idp.who.idp_client_id)
    assert (exchange.account, exchange.token_issued) == (idp.who.idp_username, 1)


def test_a_public_client_needs_no_secret(idp: IdpCaller) -> None:
    """Code and refresh with nothing but the client's name; other grants are not for it."""
    name = idp.who.idp_public_client_id
    body = idp.exchange(idp.code(client_id=name), client_id=name).json()
    assert idp.token("refresh_token", client_id=name, refresh_token=body["refresh_token"]).status_code == 200
    for grant in ("client_credentials", "password"):
        refused = idp.token(grant, client_id=name, username=idp.who.idp_username, password=idp.who.idp_password)
        assert refused.json()["error"] in ("unauthorized_client", "invalid_client")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_type": "magic"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"resource": "no-uri"}, "invalid_target"),
        ({"user": "deny"}, "access_denied"),
        ({"user": "deny", "scope": "everything"}, "invalid_scope"),
    ],
)
def test_a_wrong_login_comes_back_with_an_error(idp: IdpCaller, given: dict[str, str], error: str) -> None:
    """The browser is sent back with error, state and iss, and no code (RFC 6749 4.1.2.1, RFC 7636 4.4.1)."""
    back = landed(idp.authorize(**given))
    assert (back["error"], back["state"], back["iss"]) == (error, "state-1", idp.sandbox.issuer)
    assert "code" not in back


@pytest.mark.parametrize(
    "given",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": "https://elsewhere.example/callback"},
        {"redirect_uri": "http://127.0.0.1.elsewhere.example/callback"},
        {"redirect_uri": "http://localhost:1/callback"},
        {"redirect_uri": None},
        {"user": "deny", "client_id": "nobody"},
    ],
)
def test_nobody_is_sent_to_an_unknown_place(idp: IdpCaller, given: dict[str, str]) -> None:
    """A wrong client or redirect URI is told to the person, not to the address."""
    answer = idp.authorize(**given)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert idp.sandbox.calls()[-1].error


def test_a_registered_path_is_exact_and_its_port_is_free(make: Make) -> None:
    """RFC 8252 7.3: any port on loopback; path and query as registered; another host only with its own port."""
    uris = ("http://127.0.0.1/callback", "https://app.example:8443/back")
    idp = IdpCaller(make(SandboxOptions(rows=1, redirects=uris)).sandbox)
    good = (REDIRECT, "http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "https://app.example:8443/back")
    bad = (f"{REDIRECT}/", f"{REDIRECT}?x=1", f"{REDIRECT}#x", "https://app.example/back", "https://127.0.0.1/callback")
    with idp.session:
        assert [idp.authorize(redirect_uri=uri).status_code for uri in good] == [302] * 4
        assert [idp.authorize(redirect_uri=uri).status_code for uri in bad] == [400] * 5


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"code_verifier": "another-verifier-that-is-long-enough-indeed"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1:1/callback"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"resource": "https://other.example"}, "invalid_target"),
    ],
)
def test_a_wrong_exchange_is_refused(idp: IdpCaller, given: dict[str, str], error: str) -> None:
    """Verifier, redirect URI and resource must be those of the login."""
    code = given.pop("code", None) or idp.code(resource="https://api.example")
    answer = idp.exchange(code, **given)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_code_of_another_client_is_refused(idp: IdpCaller) -> None:
    """A code is bound to its client."""
    answer = idp.exchange(idp.code(), client_id=idp.who.idp_public_client_id)
    assert answer.json()["error"] == "invalid_grant"


def test_a_replayed_code_costs_its_tokens(idp: IdpCaller) -> None:
    """RFC 6749 4.1.2: the second use is denied, and what the first one brought ends."""
    code = idp.code()
    token = idp.exchange(code).json()["access_token"]
    again = idp.exchange(code)
    assert (again.status_code, again.json()["error_description"]) == (400, "code was used before")
    assert idp.api("/echo", token).status_code == 401


def test_a_code_expires(make: Make) -> None:
    """A lifetime of nothing."""
    idp = IdpCaller(make(SandboxOptions(rows=1, idp=IdpOptions(code_lifetime_s=0.0))).sandbox)
    with idp.session:
        assert idp.exchange(idp.code()).json()["error_description"] == "code is expired"


def test_without_iss_the_metadata_says_so(make: Make) -> None:
    """send_iss=False: an older server."""
    idp = IdpCaller(make(SandboxOptions(rows=1, idp=IdpOptions(send_iss=False))).sandbox)
    with idp.session:
        assert "iss" not in landed(idp.authorize())
        data = idp.get("/idp/.well-known/openid-configuration").json()
    assert data["authorization_response_iss_parameter_supported"] is False


def test_whatever_a_browser_sends_is_understood(idp: IdpCaller) -> None:
    """A state with characters that nobody escaped comes back as it was."""
    asked = idp.authorize(state="S").request.url or ""
    answer = http.client.HTTPConnection(urlsplit(idp.sandbox.url).netloc, timeout=10)
    answer.putrequest("GET", asked.removeprefix(idp.sandbox.url).replace("state=S", "state={'a|b'}"))
    answer.endheaders()
    location = answer.getresponse().headers["Location"]
    answer.close()
    assert dict(parse_qsl(urlsplit(location).query))["state"] == "{'a|b'}"


def test_a_person_may_be_asked(idp: IdpCaller) -> None:
    """`?user=ask` shows two links: one allows and one denies; what was sent is escaped."""
    page = idp.authorize(user="ask", state='"><script>')
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "<script>" not in page.text
    links = [part.partition('"')[0].replace("&amp;", "&") for part in page.text.split('href="')[1:]]
    allowed, denied = (landed(idp.get(link)) for link in links)
    assert "code" in allowed
    assert denied["error"] == "access_denied"
    assert allowed["state"] == denied["state"] == '"><script>'


def test_client_authentication_by_basic_and_post(make: Make) -> None:
    """Both ways with any character in the secret, not both at once; a wrong secret is 401 with a challenge."""
    who = Credentials(idp_client_secret="a:b c%/ü+")
    idp = IdpCaller(make(SandboxOptions(rows=1, credentials=who)).sandbox)
    grant = {"grant_type": "client_credentials"}
    header = basic(who.idp_client_id, who.idp_client_secret)
    with idp.session:
        assert idp.token("client_credentials").status_code == 200
        assert idp.post("/idp/token", grant, header).status_code == 200
        assert idp.post("/idp/token", grant | {"client_id": who.idp_client_id}, header).status_code == 200
        both = idp.post("/idp/token", grant | idp.secret(), header)
        assert both.json()["error"] == "invalid_request"
        wrong = idp.post("/idp/token", grant, basic(who.idp_client_id, "wrong"))
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
        assert wrong.headers["WWW-Authenticate"].startswith("Basic")
        nobody = idp.post("/idp/token", grant, {"Authorization": "Basic !"})
        assert nobody.status_code == 401
        assert idp.sandbox.token_requests()[1].client_id == who.idp_client_id


def test_parameters_count_in_the_form_only(idp: IdpCaller) -> None:
    """What stands in the query is not read."""
    answer = idp.session.post(
        f"{idp.sandbox.url}/idp/token", params={"grant_type": "client_credentials", **idp.secret()}, timeout=10
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
