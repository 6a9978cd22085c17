"""Signed assertions: as a login, and to prove the client, at servers that check them."""

import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwk, jwt

from tests.auth.keeping import WHO, Desk, idp_options
from worker.auth.account import Account
from worker.auth.assertion import check_key, client_assertion, grant_assertion
from worker.auth.grants import JWT_BEARER
from worker.model.account import AccountOptions
from worker.model.errors import AccountBlocked
from worker.model.records import Health
from worker.model.secretref import SecretRef
from worker.sandbox.server import Sandbox
from worker.vault.secret import Secret

NOW = datetime(2026, 11, 23, 12, 0, 0, 700_000, tzinfo=UTC)
REF = SecretRef(env="UNUSED")


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Secret:
    """Returns a private key as text."""
    kind, style = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return Secret(key.private_bytes(kind, style, serialization.NoEncryption()).decode())


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """Returns its public half as text."""
    style = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, style).decode()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A key for this module."""
    return rsa.generate_private_key(65537, 2048)


def account(given: AccountOptions, key: Secret | None) -> Account:
    """Returns the account `tangoe` with a private key."""
    return Account("tangoe", given, None, None, private_key=key)


def bearer(url: str, **given: object) -> AccountOptions:
    """Returns the options of an account that logs in by assertion."""
    base: dict[str, object] = {"grant": "jwt_bearer", "private_key": REF, "client_auth": "none"}
    base["assertion"] = {"subject": WHO.idp_username}
    return idp_options(url, **(base | {"client_id": WHO.idp_signing_client_id} | given))


def test_what_an_assertion_says(key: rsa.RSAPrivateKey) -> None:
    """Issuer, subject, audience, a short life, a random id, the key's name and further claims, which replace none."""
    options = bearer(
        "https://erp.example.com",
        key_id="k-7",
        assertion={"issuer": "i", "subject": "s", "lifetime": "2m", "claims": {"iss": "no", "team": ["a"]}},
    )
    who = account(options, pem(key))
    tokens = [jwt.decode(grant_assertion(who, "https://e/token", lambda: NOW).reveal(), _key(key)) for _ in "ab"]
    first, second = (dict(token.claims) for token in tokens)
    assert first.pop("jti") != second.pop("jti")
    begin = int(NOW.timestamp()) - 12  # a tenth of its life, for a server whose clock is behind
    assert first == {
        "iss": "i",
        "sub": "s",
        "aud": "https://e/token",
        "iat": begin,
        "exp": begin + 120,
        "team": ["a"],
    }
    assert tokens[0].header == {"alg": "RS256", "typ": "JWT", "kid": "k-7"}


def test_client_proves_itself_by_its_own_name(key: rsa.RSAPrivateKey) -> None:
    """To prove the client, issuer and subject are the client, whatever the grant's assertion says."""
    options = bearer("https://e.example.com", assertion={"issuer": "i", "subject": "s", "audience": "https://aud"})
    claims = jwt.decode(client_assertion(account(options, pem(key)), "https://e/token").reveal(), _key(key)).claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (*(WHO.idp_signing_client_id,) * 2, "https://aud")


def _key(key: rsa.RSAPrivateKey) -> jwk.RSAKey:
    return jwk.RSAKey.import_key(public(key))


def test_login_by_assertion(desk: Desk, sandbox: Sandbox, key: rsa.RSAPrivateKey) -> None:
    """An account logs in by assertion alone, and again with another one when its token was rejected."""
    sandbox.register_key(WHO.idp_signing_client_id, public(key), "k-1")
    keeper = desk.keeper(account(bearer(desk.url, key_id="k-1"), pem(key)))
    assert keeper.token().generation == 1
    assert keeper.token(rejected=1).generation == 2
    asked = sandbox.token_requests()
    assert [(one.grant_type, one.account) for one in asked] == [(JWT_BEARER, WHO.idp_username)] * 2


def test_login_by_assertion_at_servicenow(desk: Desk, sandbox: Sandbox, key: rsa.RSAPrivateKey) -> None:
    """ServiceNow wants the client's own id as audience, and its secret beside the assertion."""
    client = WHO.servicenow_client_id
    sandbox.register_key(client, public(key), "k-1")
    given = {"grant": "jwt_bearer", "private_key": REF, "key_id": "k-1", "issuer": "", "client_id": client}
    signs = {"subject": WHO.servicenow_username, "audience": client}
    options = idp_options(desk.url, token_url="{base_url}/oauth_token.do", assertion=signs, **given)
    secret = Secret(WHO.servicenow_client_secret)
    who = Account("tangoe", options, secret, None, private_key=pem(key))
    assert desk.keeper(who).token().generation == 1
    assert [one.path for one in sandbox.token_requests()] == ["/oauth_token.do"]


def test_clock_that_is_ahead_is_no_reason_to_refuse(desk: Desk, sandbox: Sandbox, key: rsa.RSAPrivateKey) -> None:
    """A server that takes nothing from the future takes an assertion of a clock 20 s ahead."""
    client = WHO.servicenow_client_id
    sandbox.register_key(client, public(key))
    signs = {"subject": WHO.servicenow_username, "audience": client}
    given = {"grant": "jwt_bearer", "private_key": REF, "client_id": client, "assertion": signs}
    options = idp_options(desk.url, token_url="{base_url}/oauth_token.do", **given)
    who = Account("tangoe", options, Secret(WHO.servicenow_client_secret), None, private_key=pem(key))
    claims = {"grant_type": JWT_BEARER, "client_id": client, "client_secret": WHO.servicenow_client_secret}
    ahead = grant_assertion(who, "", lambda: desk.clock.now() + timedelta(seconds=20)).reveal()
    answer = requests.post(f"{desk.url}/oauth_token.do", data=claims | {"assertion": ahead}, timeout=5)
    assert answer.status_code == 200


def test_client_proved_by_assertion(desk: Desk, sandbox: Sandbox) -> None:
    """A client without a secret logs in for itself with a signature of an elliptic curve key."""
    key = ec.generate_private_key(ec.SECP256R1())
    sandbox.register_key(WHO.idp_signing_client_id, public(key))
    given = {"client_auth": "private_key_jwt", "private_key": REF, "client_secret": None}
    options = idp_options(desk.url, client_id=WHO.idp_signing_client_id, assertion={"algorithm": "ES256"}, **given)
    assert desk.keeper(account(options, pem(key))).token().generation == 1
    assert [one.grant_type for one in sandbox.token_requests()] == ["client_credentials"]


def test_unknown_key_blocks_and_is_taken_up_when_it_changes(
    desk: Desk, sandbox: Sandbox, key: rsa.RSAPrivateKey
) -> None:
    """A signature that the server does not know blocks the account until the key changes."""
    sandbox.register_key(WHO.idp_signing_client_id, public(key))
    stranger = rsa.generate_private_key(65537, 2048)
    keeper = desk.keeper(account(bearer(desk.url), pem(stranger)))
    for _ in range(2):
        with pytest.raises(AccountBlocked):
            keeper.token()
    assert len(sandbox.token_requests()) == 1
    assert desk.keeper(account(bearer(desk.url), pem(key))).token().generation == 1


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [("RS256", "no key"), ("RS256", "ec"), ("ES256", "rsa"), ("ES384", "ec"), ("RS256", "public"), ("RS256", None)],
)
def test_keys_that_cannot_sign(key: rsa.RSAPrivateKey, algorithm: str, text: str | None) -> None:
    """A key of another kind, a public one, none: one sentence, without a word of the key."""
    other = ec.generate_private_key(ec.SECP256R1())
    texts = {"ec": pem(other), "rsa": pem(key), "public": Secret(public(key)), "no key": Secret("no key at all")}
    who = account(bearer("https://e.example.com", assertion={"algorithm": algorithm}), texts.get(text or ""))
    with pytest.raises(AccountBlocked, match="private_key") as caught:
        check_key(who)
    assert "no key at all" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert json.dumps(str(caught.value)).count("BEGIN") == 0


def test_missing_extra_is_named(
    desk: Desk, sandbox: Sandbox, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without joserfc the account is blocked with the package to install, and nothing is sent."""
    monkeypatch.setitem(sys.modules, "joserfc", None)
    keeper = desk.keeper(account(bearer(desk.url), pem(key)))
    with pytest.raises(AccountBlocked, match=r"integration-worker\[jwt\]"):
        keeper.token()
    assert keeper.health() is Health.BLOCKED
    assert sandbox.token_requests() == []
