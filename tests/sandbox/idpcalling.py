"""A client of the sandbox's IdP: logs in as a browser would, signs assertions, asks every endpoint."""

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit
from uuid import uuid4

import requests
from joserfc import jwk, jwt

from worker.sandbox.server import Sandbox

REDIRECT = "http://127.0.0.1:51234/callback"
VERIFIER = "a-verifier-that-is-long-enough-for-rfc-7636-4.1"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
Pairs = dict[str, Any]


def challenge(verifier: str = VERIFIER) -> str:
    """Returns the S256 challenge of a verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def basic(name: str, secret: str) -> dict[str, str]:
    """Returns the header of HTTP basic for a client: both form-encoded first (RFC 6749 2.3.1)."""
    pair = f"{quote_plus(name)}:{quote_plus(secret)}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


class IdpCaller:
    """Calls the IdP of one sandbox over HTTP; nothing follows a redirect."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.who = sandbox.options.credentials
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **params: Any) -> requests.Response:  # noqa: ANN401  whatever requests takes
        """Gets a path of the sandbox."""
        return self.session.get(self.sandbox.url + path, params=params, allow_redirects=False, timeout=10)

    def post(self, path: str, form: Pairs, headers: dict[str, str] | None = None) -> requests.Response:
        """Posts a form."""
        return self.session.post(self.sandbox.url + path, data=form, headers=headers, timeout=10)

    def api(self, path: str, token: str) -> requests.Response:
        """Gets a path of the API behind the IdP."""
        header = {"Authorization": f"Bearer {token}"}
        return self.session.get(f"{self.sandbox.url}/idp/api{path}", headers=header, timeout=10)

    def secret(self) -> dict[str, str]:
        """Returns id and secret of the confidential client as form parameters."""
        return {"client_id": self.who.idp_client_id, "client_secret": self.who.idp_client_secret}

    def token(self, grant_type: str, **given: Any) -> requests.Response:  # noqa: ANN401  texts and lists of them
        """Asks the token endpoint, as the confidential client unless a client_id says otherwise."""
        client = {} if "client_id" in given or "client_assertion" in given else self.secret()
        return self.post("/idp/token", {"grant_type": grant_type, **client, **given})

    def authorize(self, path: str = "/idp/authorize", **given: Any) -> requests.Response:  # noqa: ANN401  the same
        """Asks for a code as the confidential client unless told otherwise; None takes a parameter away."""
        asked = {
            "response_type": "code",
            "client_id": self.who.idp_client_id,
            "redirect_uri": REDIRECT,
            "state": "state-1",
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
        }
        return self.get(path, **asked | given)

    def code(self, **given: Any) -> str:  # noqa: ANN401  the same
        """Logs in and returns the code."""
        return landed(self.authorize(**given))["code"]

    def exchange(self, code: str, **given: Any) -> requests.Response:  # noqa: ANN401  the same
        """Exchanges a code."""
        kept = {"redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        return self.token("authorization_code", code=code, **kept | given)

    def introspect(self, token: str) -> Pairs:
        """Returns what the IdP says of a token."""
        answer: Pairs = self.post("/idp/introspect", {"token": token, **self.secret()}).json()
        return answer


def landed(answer: requests.Response) -> dict[str, str]:
    """Returns the parameters with which the browser was sent back, from query or fragment."""
    parts = urlsplit(answer.headers["Location"])
    assert answer.status_code == 302
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == REDIRECT
    return dict(parse_qsl(parts.fragment or parts.query))


class Signer:
    """A key of a client and the assertions it signs."""

    def __init__(self, client_id: str, audience: str, kid: str = "key-1") -> None:
        self.key = jwk.ECKey.generate_key("P-256", {"kid": kid})
        self.client_id = client_id
        self.audience = audience

    @property
    def public(self) -> Pairs:
        """The public key as JWK."""
        return dict(self.key.as_dict(private=False))

    def sign(self, **claims: Any) -> str:  # noqa: ANN401  claims are JSON
        """Returns an assertion of the client about itself; None takes a claim away."""
        now = int(time.time())
        plain = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid4()),
        }
        said = {name: value for name, value in (plain | claims).items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, said, self.key)
