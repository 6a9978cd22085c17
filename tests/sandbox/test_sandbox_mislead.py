"""Faults that change a good answer: fields, lifetimes, odd tokens, a clock that is wrong, bodies that break off."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
import requests

from tests.sandbox.calling import Caller
from tests.sandbox.idpcalling import IdpCaller
from worker.sandbox.faults import Fault


@pytest.mark.parametrize(
    "value", [{"token_type": "mac"}, {"token_type": None}, {"scope": "read"}, {"error": "x", "access_token": None}]
)
def test_fields_are_replaced_or_taken_away(idp: IdpCaller, value: dict[str, object]) -> None:
    """token_type odd or missing, a narrower scope, anything; null takes away."""
    plain = idp.token("client_credentials").json()
    idp.sandbox.fault(Fault("fields", path="/idp/token", value=value))
    body = idp.token("client_credentials").json()
    for name in set(plain) | set(value):
        if name in value:
            assert body.get(name) == value[name]
            assert (name in body) == (value[name] is not None)
        else:
            assert name in body


def test_fields_meet_any_endpoint(idp: IdpCaller) -> None:
    """An issuer that is not the one asked; members missing from an introspection; a list has no fields."""
    idp.sandbox.fault(Fault("fields", path="/idp/.well-known", value={"issuer": "https://elsewhere.example"}))
    idp.sandbox.fault(Fault("fields", path="/idp/introspect", value={"exp": None, "scope": None, "client_id": None}))
    assert idp.get("/idp/.well-known/openid-configuration").json()["issuer"] == "https://elsewhere.example"
    told = idp.introspect(idp.token("client_credentials").json()["access_token"])
    assert told["active"] is True
    assert not {"exp", "scope", "client_id"} & set(told)
    idp.sandbox.fault(Fault("fields", value={"x": 1}))
    assert idp.authorize(user="ask").status_code == 200
    idp.sandbox.fault(Fault("fields", value={"x": 1}))
    assert idp.post("/idp/revoke", {"token": "made-up", **idp.secret()}).content == b""


def test_exp_may_be_a_float(idp: IdpCaller) -> None:
    """As Canaille answers; an inactive token has none."""
    idp.sandbox.fault(Fault("float_exp", path="/idp/introspect", times=2))
    told = idp.introspect(idp.token("client_credentials").json()["access_token"])
    assert isinstance(told["exp"], float)
    assert idp.introspect("made-up") == {"active": False}


def test_a_lifetime_may_be_a_point_in_time(caller: Caller) -> None:
    """expires_at in place of expires_in: the true one, one in the past, or any value."""
    caller.sandbox.fault(Fault("expires_at"))
    caller.sandbox.fault(Fault("expires_at", seconds=-7200))
    caller.sandbox.fault(Fault("expires_at", value="2026-12-01T00:00:00Z"))
    true, past, text = (caller.tangoe_token().json() for _ in range(3))
    assert abs(true["expires_at"] - time.time() - 3600) < 60
    assert past["expires_at"] < time.time()
    assert text["expires_at"] == "2026-12-01T00:00:00Z"
    assert not any("expires_in" in body for body in (true, past, text))


def test_tokens_may_be_odd(caller: Caller) -> None:
    """A newline at the end, 64 KiB, or a size of one's choice; a refusal stays as it is."""
    caller.sandbox.fault(Fault("token_newline", times=2))
    assert caller.tangoe_token().json()["access_token"].endswith("\n")
    assert "access_token" not in caller.tangoe_token(password="wrong").json()
    caller.sandbox.fault(Fault("token_long"))
    caller.sandbox.fault(Fault("token_long", size=5000, times=2))
    assert len(caller.tangoe_token().json()["access_token"]) == 65536
    assert len(caller.now_token().json()["access_token"]) == 5000
    assert "access_token" not in caller.tangoe_token(password="wrong").json()


@pytest.mark.parametrize("seconds", [-90, 3600])
def test_the_clock_of_the_server_may_be_wrong(caller: Caller, seconds: int) -> None:
    """Date ahead or behind; the answer is good."""
    caller.sandbox.fault(Fault("date_skew", seconds=seconds))
    answer = caller.tangoe_token()
    skew = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
    assert answer.status_code == 200
    assert abs(skew.total_seconds() - seconds) < 30


def test_raw_bodies_with_any_status(caller: Caller) -> None:
    """By default JSON that breaks off, 400 and no `error`; nothing was done: the refresh token is still good."""
    refresh = caller.tangoe_token().json()["refresh_token"]
    caller.sandbox.fault(Fault("raw"))
    caller.sandbox.fault(Fault("raw", status=429, body='{"message": "slow down"}'))
    first, second = caller.refreshed(refresh), caller.refreshed(refresh)
    assert (first.status_code, first.headers["Content-Type"]) == (400, "application/json; charset=utf-8")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        first.json()
    assert "error" not in first.text
    assert (second.status_code, second.json()) == (429, {"message": "slow down"})
    assert caller.refreshed(refresh).status_code == 200


def test_echo_token_repeats_every_kind_of_secret(idp: IdpCaller) -> None:
    """Codes, assertions, keys and tokens, from form, query and headers."""
    idp.sandbox.fault(Fault("echo_token", times=3))
    told = idp.exchange("canary-code", client_assertion="canary-assertion").text
    assert "canary-code" in told
    assert "canary-assertion" in told
    assert "canary-key" in idp.session.get(f"{idp.sandbox.url}/key/items?api_key=canary-key", timeout=10).text
    assert "canary-token" in idp.api("/items", "canary-token").text


def test_429_with_and_without_a_time(idp: IdpCaller) -> None:
    """In the words of an authorization server."""
    idp.sandbox.fault(Fault("status", path="/idp/token", status=429))
    idp.sandbox.fault(Fault("status", path="/idp/revoke", status=503, retry_after=5))
    limited = idp.token("client_credentials")
    assert (limited.status_code, "Retry-After" in limited.headers) == (429, False)
    assert limited.json()["error"] == "server_error"
    busy = idp.post("/idp/revoke", {"token": "x"})
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("given", [{"kind": "fields"}, {"kind": "fields", "value": 5}, {"kind": "raw", "body": {}}])
def test_what_cannot_be_played_is_refused(given: dict[str, object]) -> None:
    """Fields needs an object, raw a text."""
    with pytest.raises(ValueError, match="fault: "):
        Fault.parse(given)


def test_the_overview_describes_each_kind(caller: Caller) -> None:
    """One sentence for each, the APIs, and every account's public side."""
    body = caller.control("GET", "").json()
    assert all(text.endswith(".") for text in body["fault_kinds"].values())
    assert set(body["fault_kinds"]) == set(body["faults"])
    assert {"/idp", "/basic", "/key", "/mobproc/v1"} <= set(body["apis"])
    assert body["accounts"]["idp_client_id"] == caller.who.idp_client_id
    for secret in (caller.who.idp_client_secret, caller.who.api_key, caller.who.basic_password):
        assert secret not in repr(body)


def test_manners_by_the_control_page(caller: Caller) -> None:
    """What is sent changes from now on; what is unknown is told."""
    first = caller.tangoe_token().json()
    assert caller.control("POST", "/manners", {"rotate": False}).json() == {"changed": ["rotate"]}
    assert caller.refreshed(first["refresh_token"]).json()["refresh_token"] == first["refresh_token"]
    for wrong in ({"rotate": "no"}, {"mood": 1}, {"api": 5}):
        assert caller.control("POST", "/manners", wrong).status_code == 400
    assert caller.control("POST", "/manners", {"api": "nobody", "rotate": True}).status_code == 404
