"""Signed assertions: a client that proves itself by one, a grant that is one, at the IdP and ServiceNow-style."""

import json
import time
from typing import Any

import pytest
from joserfc import jwk, jwt

from tests.sandbox.calling import Caller, Make
from tests.sandbox.idpcalling import ASSERTION_TYPE, JWT_BEARER, IdpCaller, Signer
from worker.sandbox.options import SandboxOptions


@pytest.fixture
def signer(idp: IdpCaller) -> Signer:
    """A key of the client that signs, registered under its key id."""
    made = Signer(idp.who.idp_signing_client_id, f"{idp.sandbox.issuer}/token")
    assert idp.sandbox.register_key(made.client_id, made.public) == "key-1"
    return made


def _signed(idp: IdpCaller, assertion: str, **given: str) -> tuple[int, dict[str, Any]]:
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    answer = idp.token("client_credentials", **proof | given)
    return answer.status_code, answer.json()


def test_a_client_may_sign(idp: IdpCaller, signer: Signer) -> None:
    """private_key_jwt (RFC 7523 2.2): with and without client_id, made out to token endpoint or issuer."""
    status, body = _signed(idp, signer.sign())
    assert (status, body["token_type"]) == (200, "Bearer")
    assert idp.api("/echo", body["access_token"]).json()["client_id"] == signer.client_id
    assert _signed(idp, signer.sign(aud=idp.sandbox.issuer), client_id=signer.client_id)[0] == 200
    assert _signed(idp, signer.sign(aud=["https://other.example", signer.audience]))[0] == 200
    assert idp.sandbox.token_requests()[0].client_id == signer.client_id


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "https://other.example/token"}, "aud must be one of"),
        ({"aud": None}, "aud must be one of"),
        ({"exp": 1}, "exp is over"),
        ({"exp": None}, "exp must be seconds"),
        ({"exp": True}, "exp must be seconds"),
        ({"exp": int(time.time()) + 86_400}, "exp is more than an hour ahead"),
        ({"iat": int(time.time()) + 86_400}, "iat is in the future"),
        ({"nbf": int(time.time()) + 86_400}, "nbf is in the future"),
        ({"jti": None}, "jti is missing"),
        ({"sub": None}, "sub is missing"),
        ({"sub": "somebody"}, "iss and sub must both be the client"),
        ({"iss": "sandbox-idp-client"}, "no JWT signed with a registered key"),
        ({"iss": None}, "no JWT signed with a registered key"),
    ],
)
def test_a_wrong_assertion_is_refused(idp: IdpCaller, signer: Signer, claims: dict[str, object], reason: str) -> None:
    """invalid_client, 401, with the claim that is wrong, and no word of the assertion."""
    assertion = signer.sign(**claims)
    status, body = _signed(idp, assertion)
    assert (status, body["error"]) == (401, "invalid_client")
    assert reason in body["error_description"]
    assert assertion not in repr(body)


def test_an_assertion_is_good_once(idp: IdpCaller, signer: Signer) -> None:
    """A jti that comes back is refused; the next one is not."""
    assertion = signer.sign()
    assert _signed(idp, assertion)[0] == 200
    assert _signed(idp, assertion)[1]["error_description"] == "jti was used before"
    assert _signed(idp, signer.sign())[0] == 200


def test_signature_key_id_and_type_are_checked(idp: IdpCaller, signer: Signer) -> None:
    """Another key under the same id, an unknown id, no JWT at all, a wrong assertion type, two proofs at once."""
    stranger = Signer(signer.client_id, signer.audience)
    unknown = Signer(signer.client_id, signer.audience, kid="key-9")
    for text in (stranger.sign(), unknown.sign(), "a.b.c", "ü"):
        assert _signed(idp, text)[1]["error"] == "invalid_client"
    assert _signed(idp, signer.sign(), client_assertion_type="other")[1]["error"] == "invalid_request"
    assert _signed(idp, signer.sign(), client_secret="x")[1]["error"] == "invalid_request"
    assert _signed(idp, signer.sign(), client_id=idp.who.idp_client_id)[1]["error"] == "invalid_client"


def test_a_few_seconds_of_skew_are_forgiven_by_the_idp(idp: IdpCaller, signer: Signer) -> None:
    """leeway_s."""
    now = int(time.time())
    assert _signed(idp, signer.sign(iat=now + 20, exp=now - 20))[0] == 200


@pytest.mark.parametrize("as_pem", [True, False])
def test_keys_come_by_options_as_pem_or_jwk(make: Make, as_pem: bool) -> None:
    """One key without an id serves an assertion without one."""
    key = jwk.RSAKey.generate_key(2048)
    text = key.as_pem(private=False).decode() if as_pem else jwk_text(key)
    idp = IdpCaller(make(SandboxOptions(rows=1, client_keys={"sandbox-idp-signing": text})).sandbox)
    now = int(time.time())
    claims = {"iss": "sandbox-idp-signing", "sub": "sandbox-idp-signing", "aud": idp.sandbox.issuer, "jti": "1"}
    with idp.session:
        assertion = jwt_of(key, claims | {"exp": now + 60})
        assert _signed(idp, assertion)[0] == 200


def jwk_text(key: jwk.RSAKey) -> str:
    """Returns the public key as JSON text."""
    return json.dumps(key.as_dict(private=False))


def jwt_of(key: jwk.RSAKey, claims: dict[str, object]) -> str:
    """Returns a token without a key id."""
    return jwt.encode({"alg": "PS256"}, claims, key, algorithms=["PS256"])


def test_keys_are_registered_by_the_control_page(idp: IdpCaller) -> None:
    """JWK object or PEM text, with a key id of one's choice; the list shows ids only."""
    made = Signer(idp.who.idp_signing_client_id, idp.sandbox.issuer)
    sent = {"client_id": made.client_id, "key": made.public, "kid": "chosen"}
    answer = idp.session.post(f"{idp.sandbox.url}/_sandbox/keys", json=sent, timeout=10)
    assert (answer.status_code, answer.json()) == (201, {"client_id": made.client_id, "kid": "chosen"})
    pem = {"client_id": made.client_id, "key": made.key.as_pem(private=False).decode(), "kid": "key-1"}
    assert idp.session.post(f"{idp.sandbox.url}/_sandbox/keys", json=pem, timeout=10).status_code == 201
    assert idp.get("/_sandbox/keys").json() == {made.client_id: ["chosen", "key-1"]}
    assert _signed(idp, made.sign())[0] == 200


def test_what_is_no_public_key_is_refused(idp: IdpCaller) -> None:
    """A private key, a symmetric one, an Ed25519 one and plain text are not registered, and not repeated."""
    private = jwk.ECKey.generate_key("P-256")
    wrong: list[object] = [
        private.as_dict(private=True),
        private.as_pem(private=True).decode(),
        jwk.OctKey.generate_key().as_dict(),
        jwk.OKPKey.generate_key("Ed25519").as_pem(private=False).decode(),
        "text",
        "{}",
        "[1]",
    ]
    for key in wrong:
        sent = {"client_id": "x", "key": key}
        answer = idp.session.post(f"{idp.sandbox.url}/_sandbox/keys", json=sent, timeout=10)
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": "key must be a public key of RSA or EC, as PEM or JWK"},
        )
    assert idp.session.post(f"{idp.sandbox.url}/_sandbox/keys", json={"key": 1}, timeout=10).status_code == 400
    assert idp.get("/_sandbox/keys").json() == {}


def test_a_signed_grant_speaks_for_the_user(idp: IdpCaller, signer: Signer) -> None:
    """jwt-bearer (RFC 7523 2.1) with or without client authentication; no refresh token comes."""
    said = {"sub": idp.who.idp_username, "aud": signer.audience}
    body = idp.token(JWT_BEARER, client_id=signer.client_id, assertion=signer.sign(**said), scope="read").json()
    assert (body["scope"], "refresh_token" in body) == ("read", False)
    assert idp.api("/echo", body["access_token"]).json()["account"] == idp.who.idp_username
    bare = idp.post("/idp/token", {"grant_type": JWT_BEARER, "assertion": signer.sign(**said)})
    assert bare.status_code == 200
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signer.sign()}
    assert idp.token(JWT_BEARER, assertion=signer.sign(**said), **proof).status_code == 200


def test_a_wrong_signed_grant_is_refused(idp: IdpCaller, signer: Signer) -> None:
    """A user nobody knows, a used jti, no assertion, a client that may not, an issuer that is no client."""
    good = signer.sign(sub=idp.who.idp_username)
    public = Signer(idp.who.idp_public_client_id, signer.audience)
    other = Signer("somebody", signer.audience)
    for one in (public, other):
        idp.sandbox.register_key(one.client_id, one.public)

    def refused(assertion: str | None) -> str:
        answer = idp.post("/idp/token", {"grant_type": JWT_BEARER, "assertion": assertion})
        assert answer.status_code == 400
        return str(answer.json()["error"])

    assert refused(signer.sign(sub="nobody")) == "invalid_grant"
    assert idp.post("/idp/token", {"grant_type": JWT_BEARER, "assertion": good}).status_code == 200
    assert refused(good) == "invalid_grant"
    assert refused(None) == "invalid_request"
    assert refused(public.sign(sub=idp.who.idp_username)) == "unauthorized_client"
    assert refused(other.sign(sub=idp.who.idp_username)) == "invalid_grant"


@pytest.fixture
def now_signer(caller: Caller) -> Signer:
    """A key of the ServiceNow-style client; its assertions are made out to the client's own id."""
    made = Signer(caller.who.servicenow_client_id, caller.who.servicenow_client_id)
    caller.sandbox.register_key(made.client_id, made.public)
    return made


def _now(caller: Caller, assertion: str, **given: str) -> tuple[int, dict[str, Any]]:
    answer = caller.now_token(grant_type=JWT_BEARER, assertion=assertion, username="", password="", **given)
    return answer.status_code, answer.json()


def test_servicenow_takes_a_signed_grant(caller: Caller, now_signer: Signer) -> None:
    """Iss and aud are the client, sub the user; the token works and is handed out again while it is valid."""
    first = _now(caller, now_signer.sign(sub=caller.who.servicenow_username))
    again = _now(caller, now_signer.sign(sub=caller.who.servicenow_username))
    assert first[0] == 200
    assert first[1]["access_token"] == again[1]["access_token"]
    header = {"Authorization": f"Bearer {first[1]['access_token']}"}
    url = f"{caller.sandbox.url}/api/now/table/incident?sysparm_limit=1"
    assert caller.session.get(url, headers=header, timeout=10).status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://instance.example/oauth_token.do"},
        {"iat": 300},
        {"exp": -1},
        {"sub": "nobody"},
        {"jti": None},
    ],
)
def test_servicenow_refuses_in_its_words(caller: Caller, now_signer: Signer, claims: dict[str, object]) -> None:
    """access_denied, 401, without a second of leeway; the call log knows why. Times are seconds from now."""
    timed = {name: int(time.time()) + span for name, span in claims.items() if isinstance(span, int)}
    status, body = _now(caller, now_signer.sign(**{"sub": caller.who.servicenow_username} | claims | timed))
    assert (status, body["error_description"]) == (401, "access_denied")
    assert caller.sandbox.token_requests()[-1].error not in (None, "access_denied")


def test_servicenow_wants_the_secret_too(caller: Caller, now_signer: Signer) -> None:
    """The assertion alone is not enough, and it is good once."""
    assertion = now_signer.sign(sub=caller.who.servicenow_username)
    assert _now(caller, assertion, client_secret="wrong")[0] == 401
    assert _now(caller, assertion)[0] == 200
    assert _now(caller, assertion)[0] == 401


def test_the_log_keeps_no_assertion(idp: IdpCaller, signer: Signer) -> None:
    """Neither of the two kinds."""
    proof, grant = signer.sign(), signer.sign(sub=idp.who.idp_username)
    given = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": proof, "assertion": grant}
    assert idp.token(JWT_BEARER, **given).status_code == 200
    shown = repr(idp.sandbox.calls()) + idp.get("/_sandbox/calls").text
    assert proof not in shown
    assert grant not in shown
