"""The OAuth 2 server side, on oauthlib: who may have a token, by which grant, and what a refusal says."""

import base64
import binascii
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote_plus, urlencode

from oauthlib.oauth2 import (
    BearerToken,
    ClientCredentialsGrant,
    OAuth2Error,
    RefreshTokenGrant,
    RequestValidator,
    ResourceOwnerPasswordCredentialsGrant,
    TokenEndpoint,
)
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, InvalidRequestError

from worker.sandbox.tokens import Issued, Subject, Tokens

logging.getLogger("oauthlib").setLevel(logging.WARNING)  # at DEBUG it logs tokens and passwords

VALIDATE = "urn:pingidentity.com:oauth2:grant_type:validate_bearer"
Answer = tuple[int, dict[str, object]]


@dataclass(slots=True)
class Client:
    """The one client and user of an authorization server; the password can change while it runs."""

    client_id: str
    secret: str = field(repr=False)
    username: str
    password: str = field(repr=False)
    scope: str
    grants: frozenset[str]
    tenant: str = ""


class TokenRequest(Protocol):
    """What this module reads and writes of oauthlib's request, which answers for any parameter sent."""

    headers: Mapping[str, str]
    client: Client | None
    client_id: str | None
    client_secret: str | None
    user: str | None
    refresh_token: str | None
    grant_type: str
    token: str | None


def _basic(headers: Mapping[str, str]) -> tuple[str | None, str | None] | None:
    """Returns client id and secret of HTTP basic, form-decoded (RFC 6749 2.3.1); None without the header."""
    kind, _, packed = headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return unquote_plus(name), unquote_plus(secret)


def basic_client(headers: Mapping[str, str]) -> str | None:
    """Returns the client id that HTTP basic names, if any."""
    return (_basic(headers) or (None, None))[0]


class Validator(RequestValidator):  # type: ignore[misc]  # oauthlib ships no types
    """oauthlib's questions, answered from one client and its tokens."""

    def __init__(self, client: Client, tokens: Tokens) -> None:
        super().__init__()
        self._client = client
        self._tokens = tokens

    def client_authentication_required(self, _request: TokenRequest, *_: object) -> bool:
        """Says that every grant needs the client's secret."""
        return True

    def authenticate_client(self, request: TokenRequest, *_: object) -> bool:
        """Accepts the client by post parameters or HTTP basic."""
        given = _basic(request.headers) or (request.client_id, request.client_secret)
        if given != (self._client.client_id, self._client.secret):
            raise InvalidClientError(description="Invalid client or client credentials.")
        request.client = self._client
        request.client_id = self._client.client_id
        return True

    def validate_grant_type(self, _id: str, grant_type: str, client: Client, _req: TokenRequest, *_: object) -> bool:
        """Accepts the grants that the client is allowed."""
        return grant_type in client.grants

    def validate_user(self, name: str, password: str, _client: Client, request: TokenRequest, *_: object) -> bool:
        """Accepts the one user by password."""
        if (name, password) != (self._client.username, self._client.password):
            raise InvalidGrantError(description="username or password is invalid")
        request.user = name
        return True

    def get_default_scopes(self, _client_id: str, _request: TokenRequest, *_: object) -> list[str]:
        """Returns the one scope of this server."""
        return [self._client.scope]

    def validate_scopes(self, _id: str, scopes: list[str], _client: Client, _req: TokenRequest, *_: object) -> bool:
        """Accepts no other scope than the server's."""
        return set(scopes) <= {self._client.scope}

    def get_original_scopes(self, _refresh_token: str, _request: TokenRequest, *_: object) -> list[str]:
        """Returns the scope that every token has."""
        return [self._client.scope]

    def validate_refresh_token(self, token: str, client: Client, request: TokenRequest, *_: object) -> bool:
        """Accepts a living refresh token that was not used before; says what is wrong with any other."""
        objection = self._tokens.objection(token, client.client_id)
        if objection:
            raise InvalidGrantError(description=objection)
        request.user = self._tokens.subject_of(token).username
        return True

    def rotate_refresh_token(self, _request: TokenRequest) -> bool:
        """Tells whether a refresh brings a new refresh token."""
        return self._tokens.manners.rotate

    def save_bearer_token(self, token: Mapping[str, str], request: TokenRequest, *_: object) -> None:
        """Records what is handed out and ends the refresh token that paid for it."""
        used = request.refresh_token if request.grant_type == "refresh_token" else None
        self._tokens.record(subject_of(request), token["access_token"], token.get("refresh_token"), used)


def subject_of(request: TokenRequest) -> Subject:
    """Returns who an authenticated token request is for; a client without a user speaks for itself."""
    client = request.client_id or ""
    return Subject(client, request.user or client)


class ValidateBearer:
    """PingFederate's grant that asks what a token is worth; `access_token` in the answer is an object."""

    def __init__(self, validator: Validator, client: Client, tokens: Tokens) -> None:
        self._validator = validator
        self._client = client
        self._tokens = tokens

    def create_token_response(self, request: TokenRequest, _handler: object) -> tuple[dict[str, str], str, int]:
        """Answers as oauthlib's own grants do."""
        try:
            return {}, json.dumps(self._worth(request)), 200
        except OAuth2Error as error:
            return dict(error.headers), error.json, error.status_code

    def _worth(self, request: TokenRequest) -> dict[str, object]:
        self._validator.authenticate_client(request)
        if "validate_bearer" not in self._client.grants:
            raise InvalidClientError(description="this client may not validate tokens")
        issued = self._tokens.accepts(request.token or "")
        if issued is None:
            raise InvalidGrantError(description="token not found, expired or invalid")
        domain, _, name = issued.subject.username.rpartition("://")
        return {
            "scope": self._client.scope,
            "expires_in": seconds(self._tokens.seconds_left(issued)),
            "client_id": issued.subject.client_id,
            "access_token": {
                "platform": domain,
                "tenant": self._client.tenant,
                "multitenant": "false",
                "domain": domain,
                "identityProvider": "sandbox",
                "identifier": name,
            },
        }


def seconds(value: float) -> float:
    """Returns whole seconds as int, as servers write them; a fraction stays one."""
    return int(value) if value == int(value) else round(value, 3)


class Authority:
    """One authorization server: takes the parameters of a token request, returns status and JSON."""

    def __init__(self, client: Client, tokens: Tokens) -> None:
        self.client = client
        self.tokens = tokens
        validator = Validator(client, tokens)
        bearer = BearerToken(
            validator,
            token_generator=lambda request: tokens.access_for(subject_of(request)),
            refresh_token_generator=lambda request: tokens.refresh_for(subject_of(request)),
            expires_in=lambda _request: seconds(tokens.manners.lifetime_s),
        )
        grants = {
            "password": ResourceOwnerPasswordCredentialsGrant(validator),
            "client_credentials": ClientCredentialsGrant(validator),
            "refresh_token": RefreshTokenGrant(validator),
            VALIDATE: ValidateBearer(validator, client, tokens),
        }
        self._endpoint = TokenEndpoint("refresh_token", bearer, grants)

    def answer(self, form: list[tuple[str, str]], headers: Mapping[str, str]) -> Answer:
        """Answers a token request with status and body (RFC 6749 5.1 and 5.2)."""
        try:
            if not any(name == "grant_type" and value for name, value in form):
                raise InvalidRequestError(description="Missing grant_type parameter.")
            _, body, status = self._endpoint.create_token_response("/token", "POST", urlencode(form), dict(headers))
            return status, json.loads(body)
        except OAuth2Error as error:
            return error.status_code, json.loads(error.json)

    def bearer(self, header: str | None) -> Issued | None:
        """Returns the issue behind an `Authorization: Bearer` header, None when it is not good."""
        kind, _, token = (header or "").partition(" ")
        return self.tokens.accepts(token.strip()) if kind.lower() == "bearer" else None

    def set_password(self, password: str) -> None:
        """Changes the user's password; tokens stay as they are."""
        self.client.password = password
