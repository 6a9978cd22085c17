"""Grants that oauthlib does not have: Ping's question what a token is worth, and the signed assertion of RFC 7523."""

import json
from collections.abc import Mapping
from typing import Protocol

from oauthlib.oauth2 import OAuth2Error
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, InvalidRequestError
from oauthlib.oauth2.rfc6749.grant_types.base import GrantTypeBase

from worker.sandbox.jwts import AssertionRefusedError, Expected
from worker.sandbox.parties import OAuthRequest
from worker.sandbox.tokens import Issued
from worker.sandbox.validator import Validator

_Response = tuple[Mapping[str, str], str, int]


class TokenHandler(Protocol):
    """oauthlib's maker of tokens."""

    def create_token(self, request: OAuthRequest, *, refresh_token: bool) -> dict[str, str]:
        """Returns the fields of a token answer."""
        ...


def seconds(value: float) -> float:
    """Returns whole seconds as int, as servers write them; a fraction stays one."""
    return int(value) if value == int(value) else round(value, 3)


def worth(validator: Validator, issued: Issued) -> dict[str, object]:
    """Returns what PingFederate tells of a good token; `access_token` in the answer is an object."""
    domain, _, name = issued.subject.username.rpartition("://")
    return {
        "scope": issued.subject.scope,
        "expires_in": seconds(validator.tokens.seconds_left(issued)),
        "client_id": issued.subject.client_id,
        "access_token": {
            "platform": domain,
            "tenant": validator.directory.user.tenant,
            "multitenant": "false",
            "domain": domain,
            "identityProvider": "sandbox",
            "identifier": name,
        },
    }


class ValidateBearer:
    """PingFederate's grant that asks what a token is worth."""

    def __init__(self, validator: Validator) -> None:
        self._validator = validator

    def create_token_response(self, request: OAuthRequest, _handler: object) -> _Response:
        """Answers as oauthlib's own grants do."""
        try:
            return {}, json.dumps(self._worth(request)), 200
        except OAuth2Error as error:
            return dict(error.headers), error.json, error.status_code

    def _worth(self, request: OAuthRequest) -> dict[str, object]:
        self._validator.authenticate_client(request)
        if request.client is None or "validate_bearer" not in request.client.grants:
            raise InvalidClientError(description="this client may not validate tokens")
        issued = self._validator.tokens.accepts(request.token or "")
        if issued is None:
            raise InvalidGrantError(description="token not found, expired or invalid")
        return worth(self._validator, issued)


class JwtBearerGrant(GrantTypeBase):  # type: ignore[misc]  # oauthlib ships no types
    """A token for a signed assertion that names the user (RFC 7523 2.1); it brings no refresh token."""

    def __init__(self, validator: Validator) -> None:
        super().__init__(validator)
        self._validator = validator

    def create_token_response(self, request: OAuthRequest, handler: TokenHandler) -> _Response:
        """Answers as oauthlib's own grants do."""
        headers: dict[str, str] = self._get_default_headers()
        try:
            self._check(request)
            token = handler.create_token(request, refresh_token=False)
        except OAuth2Error as error:
            return headers | dict(error.headers), error.json, error.status_code
        self._validator.save_bearer_token(token, request)
        return headers, json.dumps(token), 200

    def _check(self, request: OAuthRequest) -> None:
        text = getattr(request, "assertion", None)
        if not text:
            raise InvalidRequestError(description="Missing assertion parameter.")
        rules = self._validator.rules
        if rules.audience_is_client or self._validator.client_authentication_required(request):
            self._validator.authenticate_client(request)
        claims = self._claims(str(text), request)
        if not self._validator.validate_client_id(str(claims["iss"]), request):
            raise InvalidGrantError(description="iss is no client of this server")
        self.validate_grant_type(request)
        if claims["sub"] != self._validator.directory.user.name:
            raise InvalidGrantError(description="sub is no user of this server")
        request.user = str(claims["sub"])
        self.validate_scopes(request)

    def _claims(self, text: str, request: OAuthRequest) -> dict[str, object]:
        rules, client = self._validator.rules, request.client_id
        expected = self._validator.expected(request, client)
        if rules.audience_is_client:
            expected = Expected((client or "",), rules.leeway_s, client)
        try:
            return self._validator.assertions.claims(text, expected)
        except AssertionRefusedError as error:
            raise InvalidGrantError(description=str(error)) from None
