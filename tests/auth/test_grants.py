"""What each grant sends, and how client and parameters are written."""

from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import parse_qs, parse_qsl, unquote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auth.keeping import client_credentials, options
from worker.auth.account import Account
from worker.auth.asking import token_request
from worker.auth.client import basic_header
from worker.auth.grants import (
    ClientCredentialsGrant,
    Grant,
    JwtBearerGrant,
    PasswordGrant,
    RefreshGrant,
    Verdict,
    login_grant,
)
from worker.vault.secret import Secret
from worker.wire.outgoing import Outgoing, Value

URL = "https://api.example.com"
PASSWORD = Secret("p%40+ss wörd&=")


def account(**given: object) -> Account:
    """Returns an account with the password grant."""
    return Account("tangoe", options(URL, **given), Secret("s:e/c?r&t+"), PASSWORD)


def request(who: Account, grant: Grant) -> Outgoing:
    """Returns a token request as it is sent."""
    return token_request(who, who.options.token_endpoint, grant.parameters())


def plain(values: Mapping[str, Value]) -> dict[str, str]:
    """Returns parameters in clear."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in values.items()}


def form(sent: Outgoing) -> dict[str, str]:
    """Returns a form as the server reads it."""
    assert sent.content_type == "application/x-www-form-urlencoded"
    return dict(parse_qsl((sent.body or b"").decode(), keep_blank_values=True, strict_parsing=True))


def test_password_parameters_are_the_seeds() -> None:
    """The password grant sends what the seed's API documents, in the body."""
    sent = request(account(), PasswordGrant("command://svc-sync", PASSWORD, "MOBPROC"))
    assert (sent.method, sent.url, dict(sent.params)) == ("POST", f"{URL}/as/token.oauth2", {})
    assert form(sent) == {
        "grant_type": "password",
        "username": "command://svc-sync",
        "password": PASSWORD.reveal(),
        "scope": "MOBPROC",
        "client_id": "sandbox-tangoe-client",
        "client_secret": "s:e/c?r&t+",
    }


@given(st.sampled_from(["command://", "rivermine://", ""]), st.text(min_size=1))
def test_any_username_survives_encoding(prefix: str, name: str) -> None:
    """Whatever a username holds, a server that decodes the form finds it again."""
    username = (prefix + name).encode("utf-8", "replace").decode()
    assert form(request(account(), PasswordGrant(username, PASSWORD)))["username"] == username


def test_query_style_puts_everything_into_parameters() -> None:
    """In query style the URL stays bare, and secrets stay secrets."""
    sent = request(account(token_params="query"), RefreshGrant(Secret("refresh-1")))
    assert (sent.body, sent.form) == (None, None)
    assert sent.url == f"{URL}/as/token.oauth2"
    assert sent.params["grant_type"] == "refresh_token"
    assert isinstance(sent.params["refresh_token"], Secret)
    assert isinstance(sent.params["client_secret"], Secret)


def test_secrets_do_not_show() -> None:
    """No request shows a secret when printed."""
    places = [{"token_params": place} for place in ("query", "json", "headers", "body")]
    for style in (*places, {"client_auth": "basic"}, {"client_auth": "header"}):
        shown = repr(request(account(**style), PasswordGrant("u", PASSWORD)))
        assert PASSWORD.reveal() not in shown
        assert "s:e/c?r&t+" not in shown


@given(st.text(min_size=1), st.text(min_size=1))
def test_basic_encodes_id_and_secret_first(client_id: str, secret: str) -> None:
    """RFC 6749 section 2.3.1: form-encoded before base64, so that a colon in the id does no harm."""
    client_id, secret = (text.encode("utf-8", "replace").decode() for text in (client_id, secret))
    kind, _, packed = basic_header(client_id, Secret(secret)).reveal().partition(" ")
    first, _, second = b64decode(packed).decode().partition(":")
    assert (kind, unquote_plus(first), unquote_plus(second)) == ("Basic", client_id, secret)


def test_basic_client_is_not_in_the_form() -> None:
    """With basic, client id and secret are in the header alone."""
    sent = request(account(client_auth="basic"), ClientCredentialsGrant())
    assert form(sent) == {"grant_type": "client_credentials"}
    assert isinstance(sent.headers["Authorization"], Secret)


def test_public_client_names_itself() -> None:
    """Without a secret the client id is sent even in basic style."""
    public = Account("a", options(URL, client_auth="basic"), None, PASSWORD)
    sent = request(public, PasswordGrant("u", PASSWORD))
    assert form(sent)["client_id"] == "sandbox-tangoe-client"
    assert "Authorization" not in sent.headers


def test_client_in_headers() -> None:
    """With client_auth header, id and secret are two headers of the account's choice, as Tangoe's provider wants."""
    sent = request(account(client_auth="header", client_headers={"secret": "X-Secret"}), ClientCredentialsGrant())
    assert form(sent) == {"grant_type": "client_credentials"}
    assert (sent.headers["client_id"], plain(sent.headers)["X-Secret"]) == ("sandbox-tangoe-client", "s:e/c?r&t+")


def test_no_client_secret_leaves_with_none() -> None:
    """With client_auth none a public client names itself and proves nothing."""
    sent = request(account(client_auth="none"), PasswordGrant("u", PASSWORD))
    assert form(sent)["client_id"] == "sandbox-tangoe-client"
    assert b"s%3Ae" not in (sent.body or b"")


def test_json_style_sends_one_object() -> None:
    """In JSON style every parameter stands in one object."""
    sent = request(account(token_params="json", resource=["https://a", "https://b"]), PasswordGrant("u", PASSWORD))
    assert sent.content_type == "application/json"
    assert orjson.loads(sent.body or b"") == {
        "grant_type": "password",
        "username": "u",
        "password": PASSWORD.reveal(),
        "client_id": "sandbox-tangoe-client",
        "client_secret": "s:e/c?r&t+",
        "resource": ["https://a", "https://b"],
    }


def test_header_style_sends_parameters_as_headers() -> None:
    """In header style there is no body, and secrets stay secrets."""
    sent = request(account(token_params="headers"), RefreshGrant(Secret("refresh-1")))
    assert (sent.body, sent.form, dict(sent.params)) == (None, None, {})
    assert plain(sent.headers) == {
        "Accept": "application/json",
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
        "client_id": "sandbox-tangoe-client",
        "client_secret": "s:e/c?r&t+",
    }
    assert isinstance(sent.headers["refresh_token"], Secret)


def test_resources_are_repeated() -> None:
    """Each resource is a parameter of its own (RFC 8707), in the body and in the query."""
    resources = ["https://a.example.com", "https://b.example.com/x?y"]
    sent = request(account(resource=resources), RefreshGrant(Secret("r")))
    assert parse_qs((sent.body or b"").decode())["resource"] == resources
    sent = request(account(resource=resources, token_params="query"), RefreshGrant(Secret("r")))
    assert parse_qs(sent.url.partition("?")[2]) == {"resource": resources}


def test_further_parameters_and_headers() -> None:
    """token_extra joins the parameters of every token request, token_headers its headers, filled in."""
    given = {"token_extra": {"audience": "https://erp"}, "token_headers": {"X-T": "{tenant}/{client_id}"}}
    for grant in (ClientCredentialsGrant(), RefreshGrant(Secret("r"))):
        sent = request(account(tenant="XYZ", **given), grant)
        assert form(sent)["audience"] == "https://erp"
        assert sent.headers["X-T"] == "XYZ/sandbox-tangoe-client"


def nowhere() -> str:
    """Stands in for the token endpoint where nobody asks for it."""
    raise AssertionError("no assertion is made here")


def test_login_grant_needs_its_secret() -> None:
    """An account logs in by itself only where the secret for that is at hand."""
    assert isinstance(login_grant(account(), nowhere), PasswordGrant)
    assert login_grant(Account("a", options(URL), Secret("x"), None), nowhere) is None
    one = Account("a", client_credentials(URL), Secret("x"), None)
    assert isinstance(login_grant(one, nowhere), ClientCredentialsGrant)
    assert login_grant(Account("a", client_credentials(URL), None, None), nowhere) is None


@pytest.mark.parametrize(
    ("grant", "status", "code", "verdict"),
    [
        (PasswordGrant("u", PASSWORD), 400, "invalid_grant", Verdict.REFUSED),
        (PasswordGrant("u", PASSWORD), 400, "invalid_request", Verdict.REFUSED),
        (PasswordGrant("u", PASSWORD), 401, "server_error", Verdict.REFUSED),
        (PasswordGrant("u", PASSWORD), 403, "", Verdict.REFUSED),
        (PasswordGrant("u", PASSWORD), 404, "", Verdict.CONFIGURATION),
        (ClientCredentialsGrant(), 401, "access_denied", Verdict.REFUSED),
        (ClientCredentialsGrant(), 400, "invalid_request", Verdict.CONFIGURATION),
        (RefreshGrant(PASSWORD), 400, "invalid_grant", Verdict.DEAD),
        (RefreshGrant(PASSWORD), 401, "server_error", Verdict.DEAD),
        (RefreshGrant(PASSWORD), 404, "", Verdict.CONFIGURATION),
        (JwtBearerGrant(lambda: PASSWORD), 400, "invalid_grant", Verdict.CONFIGURATION),
    ],
)
def test_verdicts_by_grant(grant: Grant, status: int, code: str, verdict: Verdict) -> None:
    """The same refusal means something else for each grant."""
    assert grant.verdict(status, code) is verdict
