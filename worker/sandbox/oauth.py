"""One authorization server on oauthlib: takes the parameters of a request, returns status and JSON, or where to go."""

import json
import logging
from collections.abc import Mapping
from urllib.parse import urlencode

from oauthlib.common import Request, add_params_to_uri
from oauthlib.oauth2 import (
    AuthorizationCodeGrant,
    AuthorizationEndpoint,
    BearerToken,
    ClientCredentialsGrant,
    ImplicitGrant,
    IntrospectEndpoint,
    OAuth2Error,
    RefreshTokenGrant,
    ResourceOwnerPasswordCredentialsGrant,
    RevocationEndpoint,
    TokenEndpoint,
)
from oauthlib.oauth2.rfc6749.errors import AccessDeniedError, FatalClientError, InvalidRequestError
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

from worker.sandbox.consent import ConsentValidator, s256_only
from worker.sandbox.grants import JwtBearerGrant, ValidateBearer, seconds, worth
from worker.sandbox.handoff import HandOffs
from worker.sandbox.identify import basic_client
from worker.sandbox.jwts import Assertions
from worker.sandbox.parties import DEVICE, JWT_BEARER, VALIDATE, Directory, OAuthRequest, Rules
from worker.sandbox.tokens import Issued, Tokens
from worker.sandbox.validator import subject_of

logging.getLogger("oauthlib").setLevel(logging.WARNING)  # at DEBUG it logs tokens and passwords

Answer = tuple[int, dict[str, object]]
Form = list[tuple[str, str]]


class LoginRefusedError(Exception):
    """An authorization request that must not be answered by a redirect (RFC 6749 4.1.2.1)."""


class Authority:
    """One authorization server with its clients, its user and the tokens it has issued."""

    def __init__(
        self,
        directory: Directory,
        tokens: Tokens,
        assertions: Assertions | None = None,
        rules: Rules | None = None,
        handoffs: HandOffs | None = None,
    ) -> None:
        self.directory = directory
        self.tokens = tokens
        self.handoffs = handoffs
        self._validator = ConsentValidator(directory, tokens, assertions or Assertions(), rules or Rules())
        self.logins = self._validator.logins
        bearer = BearerToken(
            self._validator,
            token_generator=lambda request: tokens.access_for(subject_of(request)),
            refresh_token_generator=lambda request: tokens.refresh_for(subject_of(request)),
            expires_in=lambda _request: seconds(tokens.manners.lifetime_s),
        )
        code = AuthorizationCodeGrant(self._validator, pre_auth=[s256_only])
        self._authorization = AuthorizationEndpoint("code", bearer, {"code": code, "token": self._implicit()})
        self._device = DeviceCodeGrant(self._validator)
        self._endpoint = TokenEndpoint("refresh_token", bearer, self._grants(code))
        self._introspection = IntrospectEndpoint(self._validator)
        self._revocation = RevocationEndpoint(self._validator)

    def _grants(self, code: object) -> dict[str, object]:
        validator = self._validator
        return {
            "authorization_code": code,
            "password": ResourceOwnerPasswordCredentialsGrant(validator),
            "client_credentials": ClientCredentialsGrant(validator),
            "refresh_token": RefreshTokenGrant(validator),
            DEVICE: self._device,
            JWT_BEARER: JwtBearerGrant(validator),
            VALIDATE: ValidateBearer(validator),
        }

    def _implicit(self) -> object:
        def with_refresh(token: dict[str, str], _handler: object, request: OAuthRequest) -> dict[str, str]:
            if self._validator.rules.implicit_refresh:
                token["refresh_token"] = self.tokens.refresh_for(subject_of(request))
            return token

        grant = ImplicitGrant(self._validator)
        grant.register_token_modifier(with_refresh)
        return grant

    def answer(self, form: Form, headers: Mapping[str, str], url: str) -> Answer:
        """Answers a token request at this URL with status and body (RFC 6749 5.1 and 5.2)."""
        try:
            if not any(name == "grant_type" and value for name, value in form):
                raise InvalidRequestError(description="Missing grant_type parameter.")
            given = self._endpoint.create_token_response(url, "POST", urlencode(form), dict(headers))
            return _answer(given)
        except OAuth2Error as error:
            return error.status_code, json.loads(error.json)

    def introspect(self, form: Form, headers: Mapping[str, str], url: str) -> Answer:
        """Tells what a token is worth (RFC 7662)."""
        try:
            given = self._introspection.create_introspect_response(url, "POST", urlencode(form), dict(headers))
            return _answer(given)
        except OAuth2Error as error:
            return error.status_code, json.loads(error.json)

    def revoke(self, form: Form, headers: Mapping[str, str], url: str) -> Answer:
        """Ends a token (RFC 7009)."""
        try:
            return _answer(self._revocation.create_revocation_response(url, "POST", urlencode(form), dict(headers)))
        except OAuth2Error as error:
            return error.status_code, json.loads(error.json)

    def authorize(self, url: str, *, allow: bool) -> str:
        """Returns where an authorization request leads when the user allows or denies it; tokens go into the fragment.

        Raises LoginRefusedError when client or redirect URI are wrong, so that nobody may be sent there.
        """
        try:
            if not allow:
                return self._denied(url)
            who = {"user": self.directory.user.name}
            headers, _, _ = self._authorization.create_authorization_response(url, credentials=who)
            return str(headers["Location"])
        except FatalClientError as error:
            raise LoginRefusedError(error.description or error.error) from None
        except OAuth2Error as error:  # raised late, by the resources
            return self._away(url, error)

    def _denied(self, url: str) -> str:
        try:
            self._authorization.validate_authorization_request(url)
        except FatalClientError:
            raise
        except OAuth2Error as error:
            return self._away(url, error)
        return self._away(url, AccessDeniedError(description="the user said no"))

    def _away(self, url: str, error: OAuth2Error) -> str:
        """Returns the redirect that tells the client of an error."""
        asked = Request(url)
        told = dict(error.twotuples) | ({"state": asked.state} if asked.state else {})
        fragment = asked.response_type == "token"
        return str(add_params_to_uri(asked.redirect_uri, list(told.items()), fragment=fragment))

    def begin_device(self, form: Form, headers: Mapping[str, str], url: str, person: str) -> Answer:
        """Begins a device login (RFC 8628 3.1) that a person completes at the URL `person`."""
        named = basic_client(headers)
        if named and not any(name == "client_id" for name, _ in form):
            form = [*form, ("client_id", named)]  # oauthlib asks for it even beside HTTP basic
        request = Request(url, "POST", urlencode(form), dict(headers))
        try:
            self._device.validate_device_authorization_request(request)
            login = self._validator.begin_device(request)
        except OAuth2Error as error:
            return error.status_code, json.loads(error.json)
        rules = self._validator.rules
        return 200, {
            "device_code": login.device_code,
            "user_code": login.user_code,
            "verification_uri": person,
            "verification_uri_complete": f"{person}?user_code={login.user_code}",
            "expires_in": seconds(rules.device_lifetime_s),
            "interval": rules.device_interval_s,
        }

    def bearer(self, header: str | None) -> Issued | None:
        """Returns the issue behind an `Authorization: Bearer` header, None when it is not good."""
        kind, _, token = (header or "").partition(" ")
        if kind.lower() != "bearer":
            return None
        found = self.tokens.accepts(token.strip())
        return found or (self.handoffs.bearer(token.strip()) if self.handoffs else None)

    def worth(self, issued: Issued) -> dict[str, object]:
        """Returns what PingFederate's validator tells of a good token."""
        return worth(self._validator, issued)

    def set_password(self, password: str) -> None:
        """Changes the user's password; tokens stay as they are."""
        self.directory.user.password = password


def _answer(given: tuple[Mapping[str, str], str, int]) -> Answer:
    _, body, status = given
    return status, json.loads(body) if body else {}
