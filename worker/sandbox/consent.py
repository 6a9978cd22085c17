"""oauthlib's questions about what a person agreed to: authorization codes, implicit logins, devices."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from oauthlib.oauth2.rfc6749.errors import (
    InvalidGrantError,
    UnauthorizedClientError,
    UnsupportedCodeChallengeMethodError,
)

from worker.sandbox.jwts import Assertions
from worker.sandbox.logins import Consent, DeviceLogin, Logins, LoginState
from worker.sandbox.parties import IMPLICIT, Client, Directory, OAuthRequest, Rules
from worker.sandbox.tokens import Issued, Tokens
from worker.sandbox.validator import Validator, audience_of

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def fits(redirect: str, registered: str) -> bool:
    """Tells whether a redirect URI is the registered one; a loopback one may have any port (RFC 8252 7.3).

    A registered path that ends in `*` stands for any path that begins so.
    """
    asked, known = urlsplit(redirect), urlsplit(registered)
    if asked.fragment or (asked.scheme, asked.hostname) != (known.scheme, known.hostname):
        return False
    if asked.hostname not in _LOOPBACK and asked.netloc != known.netloc:
        return False
    if known.path.endswith("*"):
        return asked.path.startswith(known.path[:-1])
    return (asked.path, asked.query) == (known.path, known.query)


def s256_only(request: OAuthRequest) -> dict[str, object]:
    """Refuses a challenge that is not hashed (RFC 7636 4.2): oauthlib would take it."""
    if request.code_challenge is not None and request.code_challenge_method != "S256":
        raise UnsupportedCodeChallengeMethodError(description="code_challenge_method must be S256", request=request)
    return {}


class ConsentValidator(Validator):
    """What the authorization and device endpoints ask, and the grants that redeem what they gave."""

    def __init__(self, directory: Directory, tokens: Tokens, assertions: Assertions, rules: Rules) -> None:
        super().__init__(directory, tokens, assertions, rules)
        self.logins = Logins()

    def validate_redirect_uri(self, _id: str, redirect_uri: str, _request: OAuthRequest, *_: object) -> bool:
        """Accepts the registered redirect URIs."""
        return any(fits(redirect_uri, known) for known in self.rules.redirects)

    def get_default_redirect_uri(self, _id: str, _request: OAuthRequest, *_: object) -> None:
        """Says that a redirect URI must be sent."""

    def validate_response_type(self, _id: str, kind: str, client: Client, _request: OAuthRequest, *_: object) -> bool:
        """Accepts the logins that the client is allowed."""
        return (IMPLICIT if kind == "token" else "authorization_code") in client.grants

    def is_pkce_required(self, _id: str, _request: OAuthRequest) -> bool:
        """Tells whether a code needs a challenge."""
        return self.rules.pkce

    def save_authorization_code(
        self, client_id: str, code: Mapping[str, str], request: OAuthRequest, *_: object
    ) -> None:
        """Keeps what was agreed to."""
        consent = Consent(
            client_id,
            request.user or "",
            request.scopes or [],
            audience_of(request),
            request.redirect_uri,
            request.code_challenge,
            self.logins.clock() + self.rules.code_lifetime_s,
        )
        self.logins.keep(code["code"], consent)

    def validate_code(self, client_id: str, code: str, _client: Client, request: OAuthRequest, *_: object) -> bool:
        """Accepts a fresh code of this client; one that comes back costs the tokens it brought (RFC 6749 4.1.2)."""
        consent = self.logins.consent(code)
        if consent is None or consent.client_id != client_id:
            raise InvalidGrantError(description="unknown code, or issued to another client")
        if consent.used and consent.family is not None:
            self.tokens.revoke_family(consent.family)
        if not self.logins.good(consent):
            raise InvalidGrantError(description="code was used before" if consent.used else "code is expired")
        request.user, request.scopes = consent.username, consent.scopes
        request.granted_audience = consent.audience  # type: ignore[attr-defined]  # read in audience_of
        return True

    def get_code_challenge(self, code: str, _request: OAuthRequest) -> str | None:
        """Returns the challenge that came with the login."""
        consent = self.logins.consent(code)
        return consent.challenge if consent else None

    def get_code_challenge_method(self, _code: str, _request: OAuthRequest) -> str:
        """Returns the one method there is."""
        return "S256"

    def confirm_redirect_uri(
        self, _id: str, code: str, uri: str, _client: Client, _req: OAuthRequest, *_: object
    ) -> bool:
        """Tells whether the redirect URI is that of the login."""
        consent = self.logins.consent(code)
        return consent is not None and consent.redirect_uri == uri

    def invalidate_authorization_code(self, _id: str, _code: str, _request: OAuthRequest, *_: object) -> None:
        """Does nothing: the code ended when its token was recorded."""

    def validate_device_code(self, client_id: str, code: str, request: OAuthRequest) -> str | None:
        """Returns how a device login stands; None for a code that is unknown or was used."""
        login = self.logins.device(code)
        if login is None or login.client_id != client_id or login.used:
            return None
        standing = self.logins.poll(login)
        if standing is LoginState.AUTHORIZED:
            request.user, request.scopes = login.username, login.scopes
            request.granted_audience = login.audience  # type: ignore[attr-defined]  # read in audience_of
        return standing.value

    def save_bearer_token(self, token: Mapping[str, str], request: OAuthRequest, *_: object) -> Issued:
        """Records what is handed out and ends the code or device login that paid for it."""
        issued = super().save_bearer_token(token, request)
        consent = self.logins.consent(request.code or "")
        if consent is not None and request.grant_type == "authorization_code":
            consent.used, consent.family = True, issued.family
        login = self.logins.device(getattr(request, "device_code", None) or "")
        if login is not None:
            login.used = True
        return issued

    def begin_device(self, request: OAuthRequest) -> DeviceLogin:
        """Notes a device login that begins and returns it; raises UnauthorizedClientError."""
        client = request.client
        if client is None or "device_code" not in client.grants:
            raise UnauthorizedClientError(description="this client may not begin a device login")
        login = DeviceLogin(
            client.client_id,
            request.scopes or [],
            audience_of(request),
            until=self.logins.clock() + self.rules.device_lifetime_s,
            interval_s=self.rules.device_interval_s,
        )
        self.logins.wait_for(login)
        return login
