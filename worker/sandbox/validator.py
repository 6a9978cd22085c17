"""oauthlib's questions about users, scopes and tokens, answered from one directory and its tokens."""

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from oauthlib.oauth2 import OAuth2Error
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError, UnauthorizedClientError

from worker.sandbox.identify import ClientValidator, issuer_of
from worker.sandbox.jwts import Assertions
from worker.sandbox.parties import SHORT, Client, Directory, OAuthRequest, Rules
from worker.sandbox.tokens import Issued, Subject, Tokens

Claims = dict[str, object]


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]  # oauthlib ships no types
    """A resource that is no absolute URI, or was not granted (RFC 8707 2)."""

    error = "invalid_target"


def _resources(request: OAuthRequest) -> tuple[str, ...]:
    """Returns the resources a request names, each once; raises InvalidTargetError."""
    pairs = [*(request.uri_query_params or []), *(request.decoded_body or [])]
    found = tuple(dict.fromkeys(value for name, value in pairs if name == "resource"))
    for one in found:
        parts = urlsplit(one)
        if not parts.scheme or parts.fragment or "#" in one:
            raise InvalidTargetError(description="resource must be an absolute URI without a fragment")
    return found


def audience_of(request: OAuthRequest) -> tuple[str, ...]:
    """Returns whom the token is for: the resources asked for, within those granted before (RFC 8707 2.2)."""
    asked = _resources(request)
    granted: tuple[str, ...] = getattr(request, "granted_audience", ())
    if granted and not set(asked) <= set(granted):
        raise InvalidTargetError(description="resource was not granted")
    return asked or granted


def subject_of(request: OAuthRequest) -> Subject:
    """Returns who an authenticated token request is for; a client without a user speaks for itself."""
    client = request.client_id or ""
    return Subject(client, request.user or client, " ".join(request.scopes or ()), audience_of(request))


class Validator(ClientValidator):
    """What every grant of the token endpoint asks, and introspection and revocation."""

    def __init__(self, directory: Directory, tokens: Tokens, assertions: Assertions, rules: Rules) -> None:
        super().__init__(directory, assertions, rules)
        self.tokens = tokens

    def validate_grant_type(self, _id: str, grant_type: str, client: Client, _req: OAuthRequest, *_: object) -> bool:
        """Accepts the grants that the client is allowed."""
        return SHORT.get(grant_type, grant_type) in client.grants

    def validate_user(self, name: str, password: str, _client: Client, request: OAuthRequest, *_: object) -> bool:
        """Accepts the one user by password."""
        user = self.directory.user
        if (name, password) != (user.name, user.password):
            raise InvalidGrantError(description="username or password is invalid")
        request.user = name
        return True

    def get_default_scopes(self, client_id: str, _request: OAuthRequest, *_: object) -> list[str]:
        """Returns all scopes of the client."""
        client = self.directory.clients.get(client_id)
        return list(client.scopes) if client else []

    def validate_scopes(self, _id: str, scopes: list[str], client: Client, _req: OAuthRequest, *_: object) -> bool:
        """Accepts no other scopes than the client's."""
        return set(scopes) <= set(client.scopes)

    def get_original_scopes(self, refresh_token: str, _request: OAuthRequest, *_: object) -> str:
        """Returns the scope that was granted at the login."""
        return self.tokens.subject_of(refresh_token).scope

    def validate_refresh_token(self, token: str, client: Client, request: OAuthRequest, *_: object) -> bool:
        """Accepts a living refresh token that was not used before; says what is wrong with any other."""
        objection = self.tokens.objection(token, client.client_id)
        if objection:
            raise InvalidGrantError(description=objection)
        subject = self.tokens.subject_of(token)
        request.user = subject.username
        request.granted_audience = subject.audience  # type: ignore[attr-defined]  # read in audience_of
        return True

    def rotate_refresh_token(self, _request: OAuthRequest) -> bool:
        """Tells whether a refresh brings a new refresh token."""
        return self.tokens.manners.rotate

    def save_bearer_token(self, token: Mapping[str, str], request: OAuthRequest, *_: object) -> Issued:
        """Records what is handed out and ends the refresh token that paid for it."""
        used = request.refresh_token if request.grant_type == "refresh_token" else None
        return self.tokens.record(subject_of(request), token["access_token"], token.get("refresh_token"), used)

    def introspect_token(self, token: str, _hint: str | None, request: OAuthRequest, *_: object) -> Claims | None:
        """Returns what a good access or refresh token is worth (RFC 7662 2.2), None for any other.

        Raises InvalidClientError for a public client: it could ask about everybody's tokens.
        """
        if request.client is None or request.client.public:
            raise InvalidClientError(description="a public client may not ask what tokens are worth")
        found = self.tokens.worth(token)
        if found is None:
            return None
        issued, left_s = found
        subject = issued.subject
        claims: Claims = {
            "iss": issuer_of(request.uri),
            "sub": subject.username,
            "username": subject.username,
            "client_id": subject.client_id,
            "scope": subject.scope,
            "exp": int(time.time() + left_s),
            "token_type": "Bearer",
        }
        return claims | ({"aud": list(subject.audience)} if subject.audience else {})

    def revoke_token(self, token: str, _hint: str | None, request: OAuthRequest, *_: object) -> None:
        """Ends an access token alone, or with a refresh token its whole family; an unknown token is no error.

        Raises UnauthorizedClientError for another client's token (RFC 7009 2.1).
        """
        issued = self.tokens.find(token)
        if issued is None:
            return
        if issued.subject.client_id != request.client_id:
            raise UnauthorizedClientError(description="the token was issued to another client")
        self.tokens.end(issued, token)
