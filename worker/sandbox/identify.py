"""Which client asks, and how it proves so: HTTP basic, form parameters, a signed assertion, nothing if public."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus

from oauthlib.oauth2 import RequestValidator
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError

from worker.sandbox.jwts import AssertionRefusedError, Assertions, Expected
from worker.sandbox.parties import JWT_BEARER, Client, Directory, OAuthRequest, Rules

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Pair = tuple[str | None, str | None]


def basic_pair(headers: Mapping[str, str]) -> Pair | None:
    """Returns what HTTP basic holds, as it came; None without the header, two None when it is no pair."""
    kind, _, packed = headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return name, secret


def _basic(headers: Mapping[str, str]) -> Pair | None:
    """Returns client id and secret of HTTP basic, form-decoded (RFC 6749 2.3.1); None without the header."""
    name, secret = basic_pair(headers) or (None, None)
    if name is None or secret is None:
        return None if basic_pair(headers) is None else (None, None)
    return unquote_plus(name), unquote_plus(secret)


def basic_client(headers: Mapping[str, str]) -> str | None:
    """Returns the client id that HTTP basic names, if any."""
    return (_basic(headers) or (None, None))[0]


def issuer_of(url: str) -> str:
    """Returns the issuer whose endpoint this is: its address without the last step."""
    return url.rpartition("/")[0]


class ClientValidator(RequestValidator):  # type: ignore[misc]  # oauthlib ships no types
    """oauthlib's questions about the client."""

    def __init__(self, directory: Directory, assertions: Assertions, rules: Rules) -> None:
        super().__init__()
        self.directory = directory
        self.assertions = assertions
        self.rules = rules

    def client_authentication_required(self, request: OAuthRequest, *_: object) -> bool:
        """Says that everybody must prove who asks, but public clients and those whose grant is signed already."""
        if self._proofs(request):
            return True
        client = self.directory.clients.get(request.client_id or "")
        return not (client is not None and client.public) and request.grant_type != JWT_BEARER

    def authenticate_client(self, request: OAuthRequest, *_: object) -> bool:
        """Accepts a client by one proof; raises what RFC 6749 5.2 says otherwise."""
        proofs = self._proofs(request)
        if len(proofs) > 1:
            raise InvalidRequestError(description=f"one client authentication at a time, found {' and '.join(proofs)}")
        client = self._signer(request) if "client_assertion" in proofs else self._knower(request)
        return self._accept(client, request)

    def authenticate_client_id(self, client_id: str | None, request: OAuthRequest, *_: object) -> bool:
        """Accepts a public client by its name, and leaves one whose grant is signed to the signature."""
        client = self.directory.clients.get(client_id or "")
        return client is not None and client.public and self._accept(client, request)

    def validate_client_id(self, client_id: str | None, request: OAuthRequest, *_: object) -> bool:
        """Tells whether a client of this name is known."""
        client = self.directory.clients.get(client_id or "")
        return client is not None and self._accept(client, request)

    def expected(self, request: OAuthRequest, issuer: str | None) -> Expected:
        """Returns what a client's assertion must say here (RFC 7523 3)."""
        server = issuer_of(request.uri)
        return Expected((server, f"{server}/token", request.uri), self.rules.leeway_s, issuer)

    def _accept(self, client: Client, request: OAuthRequest) -> bool:
        request.client = client
        request.client_id = client.client_id
        return True

    def _proofs(self, request: OAuthRequest) -> list[str]:
        given = {
            "HTTP basic": _basic(request.headers) is not None,
            "client_secret": bool(request.client_secret),
            "client_assertion": bool(getattr(request, "client_assertion", None)),
        }
        return [name for name, there in given.items() if there]

    def _knower(self, request: OAuthRequest) -> Client:
        name, secret = _basic(request.headers) or (request.client_id, request.client_secret)
        client = self.directory.clients.get(name or "")
        if client is None or client.secret is None or client.secret != secret:
            raise InvalidClientError(description="Invalid client or client credentials.")
        return client

    def _signer(self, request: OAuthRequest) -> Client:
        """Returns the client that signed (RFC 7523 2.2)."""
        if getattr(request, "client_assertion_type", None) != ASSERTION_TYPE:
            raise InvalidRequestError(description=f"client_assertion_type must be {ASSERTION_TYPE}")
        try:
            text = str(getattr(request, "client_assertion", ""))
            claims = self.assertions.claims(text, self.expected(request, request.client_id))
        except AssertionRefusedError as error:
            raise InvalidClientError(description=str(error)) from None
        client = self.directory.clients.get(str(claims["iss"]))
        if client is None or claims["sub"] != client.client_id:
            raise InvalidClientError(description="iss and sub must both be the client")
        return client
