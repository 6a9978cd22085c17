"""HTTP basic, API keys, the token endpoints by JSON and by headers, and the vendor's validator."""

import time

import pytest
import requests

from tests.sandbox.calling import Caller, Make
from worker.sandbox.options import Credentials, SandboxOptions


def _get(caller: Caller, path: str, **given: object) -> requests.Response:
    return caller.session.get(caller.sandbox.url + path, timeout=10, **given)  # type: ignore[arg-type]  # as requests


def test_basic_opens_for_user_and_password(make: Make) -> None:
    """UTF-8 and a colon in the password (RFC 7617); pages as behind the other doors; the account is logged."""
    who = Credentials(basic_password="a:ü")
    caller = make(SandboxOptions(rows=30, credentials=who))
    pair = (who.basic_username.encode(), who.basic_password.encode())
    page = _get(caller, "/basic/items?style=offset&limit=20", auth=pair).json()
    assert (len(page["data"]["items"]), page["total"]) == (20, 30)
    assert _get(caller, f"/basic/items/{page['data']['items'][0]['id']}", auth=pair).status_code == 200
    assert caller.sandbox.calls()[-1].account == who.basic_username


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic !"}, {"Authorization": "Bearer x"}])
def test_basic_challenges_others(caller: Caller, header: dict[str, str]) -> None:
    """401 with the scheme that is wanted."""
    answer = _get(caller, "/basic/items", headers=header)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="sandbox", charset="UTF-8"'


def test_the_basic_password_can_change(caller: Caller) -> None:
    """The old one is refused from then on, and the log tells why."""
    old = (caller.who.basic_username, caller.who.basic_password)
    assert _get(caller, "/basic/items", auth=old).status_code == 200
    caller.control("POST", "/password", {"api": "basic", "password": "another"})
    assert _get(caller, "/basic/items", auth=old).status_code == 401
    assert caller.sandbox.calls()[-1].error == "username or password is invalid"
    assert _get(caller, "/basic/items", auth=(caller.who.basic_username, "another")).status_code == 200


def test_a_key_opens_by_header_or_query(caller: Caller) -> None:
    """Two header names and one parameter; another key and none are 401; the log keeps neither."""
    key = caller.who.api_key
    for name in ("x-api-key", "x-sn-apikey", "X-API-KEY"):
        assert _get(caller, "/key/items", headers={name: key}).status_code == 200
    assert _get(caller, "/key/items", params={"api_key": key}).status_code == 200
    wrong = _get(caller, "/key/items", headers={"x-api-key": "canary-key"})
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_api_key")
    assert _get(caller, "/key/items").status_code == 401
    assert [call.error for call in caller.sandbox.calls()[-2:]] == ["API key is unknown", "API key is missing"]
    shown = repr(caller.sandbox.calls())
    assert key not in shown
    assert "canary-key" not in shown


def test_links_do_not_repeat_a_key(caller: Caller) -> None:
    """Who sends the key in the query must add it to the next page's address."""
    answer = _get(caller, "/key/items", params={"api_key": caller.who.api_key, "style": "next_url", "per_page": 20})
    following = answer.json()["next"]
    assert caller.who.api_key not in following
    assert caller.session.get(following, timeout=10).status_code == 401
    header = {"x-api-key": caller.who.api_key}
    assert caller.session.get(following, headers=header, timeout=10).status_code == 200


def test_the_key_can_change(caller: Caller) -> None:
    """From one call to the next."""
    caller.sandbox.set_password("key", "another")
    assert _get(caller, "/key/items", headers={"x-api-key": caller.who.api_key}).status_code == 401
    assert _get(caller, "/key/items", headers={"x-api-key": "another"}).status_code == 200


def _client(caller: Caller, **given: str) -> dict[str, str]:
    who = caller.who
    client = {"client_id": who.tangoe_client_id, "client_secret": who.tangoe_client_secret}
    return {"grant_type": "client_credentials"} | client | given


def test_tokens_by_json(caller: Caller) -> None:
    """Parameters in a JSON object; the lifetime comes as a point in time; the token works; nothing secret is logged."""
    url = f"{caller.sandbox.url}/v2/token"
    before = int(time.time())
    answer = caller.session.post(url, json=_client(caller, subject="jane@example.com"), timeout=10)
    body = answer.json()
    assert (answer.status_code, "expires_in" in body) == (200, False)
    assert before + 3600 <= body["expires_at"] <= time.time() + 3600
    assert caller.tangoe("/ping", caller.tangoe_headers(body["access_token"])).status_code == 200
    who = caller.who
    login = _client(caller, grant_type="password", username=who.tangoe_username, password=who.tangoe_password)
    refresh = caller.session.post(url, json=login, timeout=10).json()["refresh_token"]
    again = _client(caller, grant_type="refresh_token", refresh_token=refresh)
    assert caller.session.post(url, json=again, timeout=10).status_code == 200
    asked = caller.sandbox.token_requests("/v2")
    assert [one.grant_type for one in asked] == ["client_credentials", "password", "refresh_token"]
    assert asked[0].form["subject"] == "jane@example.com"
    assert who.tangoe_client_secret not in repr(asked)


@pytest.mark.parametrize("body", [b"{", b"[1]", b"{}", b'{"grant_type": 5}'])
def test_json_that_is_no_token_request(caller: Caller, body: bytes) -> None:
    """400 as RFC 6749 words it; a form is refused too."""
    url = f"{caller.sandbox.url}/v2/token"
    headers = {"Content-Type": "application/json"}
    answer = caller.session.post(url, data=body, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    form = caller.session.post(url, data=_client(caller), timeout=10)
    assert (form.status_code, "application/json" in form.json()["error_description"]) == (400, True)


def test_tokens_by_headers(caller: Caller) -> None:
    """Every parameter as a header; a body does not count; the secret ones are not logged."""
    url = f"{caller.sandbox.url}/access_token"
    headers = _client(caller, audience="enterprise", username=caller.who.tangoe_username)
    answer = caller.session.post(url, headers=headers, timeout=10)
    assert answer.json()["expires_in"] == 3600
    token = answer.json()["access_token"]
    assert caller.tangoe("/ping", caller.tangoe_headers(token)).status_code == 200
    assert caller.session.post(url, data=_client(caller), timeout=10).json()["error"] == "invalid_request"
    wrong = caller.session.post(url, headers=headers | {"client_secret": "canary"}, timeout=10)
    assert wrong.status_code == 401
    asked = caller.sandbox.token_requests("/access_token")
    assert (asked[0].grant_type, asked[0].token_issued) == ("client_credentials", 1)
    assert caller.who.tangoe_client_secret not in repr(asked)
    assert "canary" not in repr(asked)


def test_bytes_beyond_utf8_are_just_wrong(caller: Caller) -> None:
    """A key or a secret in Latin-1 is refused, not a crash."""
    assert _get(caller, "/key/items", headers={"x-api-key": "k\xe9y".encode("latin-1")}).status_code == 401
    headers = _client(caller) | {"client_secret": "s\xe9cret".encode("latin-1")}
    answer = caller.session.post(f"{caller.sandbox.url}/access_token", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_the_validator_by_get(caller: Caller) -> None:
    """It tells what Ping's grant tells, takes the token from the query, and refuses any other."""
    token = caller.tangoe_token().json()["access_token"]
    answer = _get(caller, "/validate", params={"access_token": token})
    assert (answer.status_code, answer.json()["access_token"]["identifier"]) == (200, "svc-sync")
    assert answer.json()["client_id"] == caller.who.tangoe_client_id
    caller.sandbox.revoke_access_tokens("tangoe")
    for bad in (token, "made-up"):
        assert _get(caller, "/validate", params={"access_token": bad}).json()["error"] == "invalid_grant"
    assert _get(caller, "/validate").status_code == 400
    calls = caller.sandbox.calls("/validate")
    assert [call.token_used for call in calls] == [1, 1, None, None]
    assert token not in repr(calls)
