"""What each grant sends, and how client and parameters are written."""

from base64 import b64decode
from urllib.parse import parse_qsl, unquote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auth.keeping import client_credentials, options
from worker.auth.account import Account
from worker.auth.endpoint import basic_header, request
from worker.auth.grants import (
    ClientCredentialsGrant,
    Grant,
    PasswordGrant,
    RefreshGrant,
    Verdict,
    login_grant,
)
from worker.vault.secret import Secret
from worker.wire.outgoing import Value

URL = "https://api.example.com"
PASSWORD = Secret("p%40+ss wörd&=")


def account(**given: str) -> Account:
    """Returns an account with the password grant."""
    return Account("tangoe", options(URL, **given), Secret("s:e/c?r&t+"), PASSWORD)


def plain(values: dict[str, Value]) -> dict[str, str]:
    """Returns parameters in clear."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in values.items()}


def test_password_parameters_are_the_seeds() -> None:
    """The password grant sends what the seed's API documents, in the body."""
    sent = request(account(), PasswordGrant("command://svc-sync", PASSWORD, "MOBPROC"))
    assert (sent.method, sent.url, dict(sent.params)) == ("POST", f"{URL}/as/token.oauth2", {})
    assert plain(dict(sent.form or {})) == {
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
    form = plain(PasswordGrant(username, PASSWORD).parameters())
    assert dict(parse_qsl(urlencode(form), keep_blank_values=True))["username"] == username


def test_query_style_puts_everything_into_parameters() -> None:
    """In query style the URL stays bare, and secrets stay secrets."""
    sent = request(account(token_params="query"), RefreshGrant(Secret("refresh-1")))
    assert sent.form is None
    assert sent.url == f"{URL}/as/token.oauth2"
    assert sent.params["grant_type"] == "refresh_token"
    assert isinstance(sent.params["refresh_token"], Secret)
    assert isinstance(sent.params["client_secret"], Secret)


def test_secrets_do_not_show() -> None:
    """No request shows a secret when printed."""
    for style in ({"token_params": "query"}, {"client_auth": "basic"}, {}):
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
    assert dict(sent.form or {}) == {"grant_type": "client_credentials"}
    assert isinstance(sent.headers["Authorization"], Secret)


def test_public_client_names_itself() -> None:
    """Without a secret the client id is sent even in basic style."""
    public = Account("a", options(URL, client_auth="basic"), None, PASSWORD)
    sent = request(public, PasswordGrant("u", PASSWORD))
    assert (sent.form or {})["client_id"] == "sandbox-tangoe-client"
    assert "Authorization" not in sent.headers


def test_login_grant_needs_its_secret() -> None:
    """An account logs in by itself only where the secret for that is at hand."""
    assert isinstance(login_grant(account()), PasswordGrant)
    assert login_grant(Account("a", options(URL), Secret("x"), None)) is None
    assert isinstance(login_grant(Account("a", client_credentials(URL), Secret("x"), None)), ClientCredentialsGrant)
    assert login_grant(Account("a", client_credentials(URL), None, None)) is None


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
    ],
)
def test_verdicts_by_grant(grant: Grant, status: int, code: str, verdict: Verdict) -> None:
    """The same refusal means something else for each grant."""
    assert grant.verdict(status, code) is verdict
