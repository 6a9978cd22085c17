"""The IdP's tokens: refresh and manners, resources, introspection, revocation, the API behind it, the call log."""

import pytest

from tests.sandbox.idpcalling import IdpCaller, challenge


def test_password_and_refresh(idp: IdpCaller) -> None:
    """Tokens rotate; a spent one is refused; a scope may be narrowed and not widened."""
    who = {"username": idp.who.idp_username, "password": idp.who.idp_password}
    first = idp.token("password", **who).json()
    second = idp.token("refresh_token", refresh_token=first["refresh_token"], scope="read").json()
    assert second["scope"] == "read"
    replay = idp.token("refresh_token", refresh_token=first["refresh_token"])
    assert replay.json()["error"] == "invalid_grant"
    wider = idp.token("refresh_token", refresh_token=second["refresh_token"], scope="read write")
    assert wider.json()["error"] == "invalid_scope"
    assert idp.token("password", **who | {"password": "wrong"}).json()["error"] == "invalid_grant"
    idp.sandbox.set_password("idp", "another")
    assert idp.token("password", **who | {"password": "another"}).status_code == 200


def test_manners_change_while_it_runs(idp: IdpCaller) -> None:
    """No rotation, then rotation that retires the access token and revokes the family at a replay."""
    idp.sandbox.set_manners("idp", rotate=False)
    first = idp.exchange(idp.code()).json()
    same = idp.token("refresh_token", refresh_token=first["refresh_token"]).json()
    assert same["refresh_token"] == first["refresh_token"]
    assert idp.api("/echo", first["access_token"]).status_code == 200
    idp.sandbox.set_manners("idp", rotate=True, retire=True, revoke_on_replay=True, lifetime_s=5)
    next_ = idp.token("refresh_token", refresh_token=first["refresh_token"]).json()
    assert next_["expires_in"] == 5
    assert idp.api("/echo", same["access_token"]).status_code == 401
    assert idp.token("refresh_token", refresh_token=first["refresh_token"]).status_code == 400
    assert idp.api("/echo", next_["access_token"]).status_code == 401
    assert idp.token("refresh_token", refresh_token=next_["refresh_token"]).status_code == 400


@pytest.mark.parametrize("wrong", [{"rotate": 1}, {"lifetime_s": True}, {"lifetime_s": -1}, {"mood": 1}])
def test_wrong_manners_are_refused(idp: IdpCaller, wrong: dict[str, object]) -> None:
    """A name or value that is none changes nothing."""
    with pytest.raises(ValueError, match="manners: "):
        idp.sandbox.set_manners(None, **wrong)


def test_resources_become_the_audience(idp: IdpCaller) -> None:
    """RFC 8707: several resources at once; a later request may ask for fewer, not for others."""
    both = ["https://one.example", "https://two.example/api"]
    token = idp.token("client_credentials", resource=both).json()["access_token"]
    assert idp.introspect(token)["aud"] == both
    assert idp.api("/echo", token).json()["audience"] == both
    first = idp.exchange(idp.code(resource=both)).json()
    assert idp.introspect(first["access_token"])["aud"] == both
    one = idp.token("refresh_token", refresh_token=first["refresh_token"], resource=both[0]).json()
    assert idp.introspect(one["access_token"])["aud"] == both[:1]
    other = idp.token("refresh_token", refresh_token=one["refresh_token"], resource="https://three.example")
    assert (other.status_code, other.json()["error"]) == (400, "invalid_target")
    for wrong in ("relative", "https://one.example#part"):
        assert idp.token("client_credentials", resource=wrong).json()["error"] == "invalid_target"


def test_introspection_tells_what_a_token_is_worth(idp: IdpCaller) -> None:
    """Access and refresh tokens while they are good; anything else is inactive; only a client may ask."""
    tokens = idp.exchange(idp.code()).json()
    for name in ("access_token", "refresh_token"):
        told = idp.introspect(tokens[name])
        assert (told["active"], told["client_id"], told["scope"]) == (True, idp.who.idp_client_id, "read write")
        assert told["username"] == told["sub"] == idp.who.idp_username
        assert told["iss"] == idp.sandbox.issuer
        assert isinstance(told["exp"], int)
    assert idp.introspect("made-up") == {"active": False}
    idp.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert idp.introspect(tokens["refresh_token"]) == {"active": False}
    idp.sandbox.revoke_access_tokens("idp")
    assert idp.introspect(tokens["access_token"]) == {"active": False}
    assert idp.sandbox.calls()[-1].token_used == 1
    nobody = idp.post("/idp/introspect", {"token": tokens["access_token"]})
    assert (nobody.status_code, nobody.json()["error"]) == (401, "invalid_client")
    public = {"token": tokens["access_token"], "client_id": idp.who.idp_public_client_id}
    assert idp.post("/idp/introspect", public).json()["error"] == "invalid_client"
    assert idp.post("/idp/introspect", idp.secret()).json()["error"] == "invalid_request"


def test_revocation_ends_a_token_or_its_family(idp: IdpCaller) -> None:
    """RFC 7009: an access token alone, a refresh token with all that came from its login; unknown ones are fine."""
    first = idp.exchange(idp.code()).json()
    revoke = {"token": first["access_token"], "token_type_hint": "access_token", **idp.secret()}
    answer = idp.post("/idp/revoke", revoke)
    assert (answer.status_code, answer.content) == (200, b"")
    assert idp.api("/echo", first["access_token"]).status_code == 401
    second = idp.token("refresh_token", refresh_token=first["refresh_token"]).json()
    assert idp.post("/idp/revoke", {"token": second["refresh_token"], **idp.secret()}).status_code == 200
    assert idp.api("/echo", second["access_token"]).status_code == 401
    assert idp.token("refresh_token", refresh_token=second["refresh_token"]).status_code == 400
    assert idp.post("/idp/revoke", {"token": "made-up", **idp.secret()}).status_code == 200
    assert idp.post("/idp/revoke", {"token": "made-up"}).status_code == 401


def test_a_token_of_another_client_is_not_revoked(idp: IdpCaller) -> None:
    """RFC 7009 2.1: refused, and the token stays good."""
    token = idp.token("client_credentials").json()["access_token"]
    answer = idp.post("/idp/revoke", {"token": token, "client_id": idp.who.idp_public_client_id})
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert idp.api("/echo", token).status_code == 200


def test_its_api_pages_and_asks_for_a_scope(idp: IdpCaller) -> None:
    """Items by pages; 401 for a bad token, 403 insufficient_scope for one that lacks `read` (RFC 6750 3.1)."""
    token = idp.token("client_credentials").json()["access_token"]
    page = idp.api("/items?style=page&per_page=25", token).json()
    assert (len(page["data"]["items"]), page["pages"]) == (25, 3)
    first = page["data"]["items"][0]["id"]
    assert idp.api(f"/items/{first}", token).json()["data"]["id"] == first
    bad = idp.api("/items", "made-up")
    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in bad.headers["WWW-Authenticate"]
    narrow = idp.token("client_credentials", scope="write").json()["access_token"]
    refused = idp.api("/items", narrow)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert idp.api("/echo", narrow).json()["scope"] == "write"


def test_the_echo_hides_what_is_secret(idp: IdpCaller) -> None:
    """Headers that carry no secret are shown, others are not."""
    token = idp.token("client_credentials").json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-TNGO-TENANT": "XYZ", "X-Api-Key": "canary"}
    answer = idp.session.post(f"{idp.sandbox.url}/idp/api/echo", headers=headers, timeout=10)
    data = answer.json()
    assert (data["method"], data["headers"]["X-TNGO-TENANT"], data["token"]) == ("POST", "XYZ", 1)
    assert data["client_id"] == idp.who.idp_client_id
    assert "canary" not in answer.text
    assert token not in answer.text


def test_the_log_keeps_no_secret_of_a_login(idp: IdpCaller) -> None:
    """Code, verifier, challenge and tokens are not in the log; the record of each step is."""
    code = idp.code()
    tokens = idp.exchange(code).json()
    idp.introspect(tokens["access_token"])
    idp.post("/idp/revoke", {"token": tokens["refresh_token"], **idp.secret()})
    calls = idp.sandbox.calls()
    assert [call.path.rpartition("/")[2] for call in calls] == ["authorize", "token", "introspect", "revoke"]
    assert [call.token_used for call in calls] == [None, None, 1, 1]
    shown = repr(calls) + idp.get("/_sandbox/calls").text
    for secret in (code, challenge(), tokens["access_token"], tokens["refresh_token"], idp.who.idp_client_secret):
        assert secret not in shown
