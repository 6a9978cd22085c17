"""Who an authorization server deals with: its clients, its one user, and the rules it keeps with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

VALIDATE = "urn:pingidentity.com:oauth2:grant_type:validate_bearer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONG = {"validate_bearer": VALIDATE, "device_code": DEVICE, "jwt_bearer": JWT_BEARER}  # as they are sent
SHORT = {long: short for short, long in LONG.items()}
IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Client:
    """One client; without a secret it signs with a registered key, or is public."""

    client_id: str
    secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    grants: frozenset[str]  # by their short names
    public: bool = False


@dataclass(slots=True)
class User:
    """The one user; the password can change while the server runs."""

    name: str
    password: str = field(repr=False)
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody an authorization server knows."""

    clients: Mapping[str, Client]
    user: User


@dataclass(frozen=True, slots=True)
class Rules:
    """What an authorization server insists on; times in seconds."""

    redirects: tuple[str, ...] = ()
    pkce: bool = False  # a code without a challenge is refused
    leeway_s: float = 0.0  # for the times of a signed assertion
    audience_is_client: bool = False  # a grant's assertion is made out to the client's own id, as ServiceNow wants it
    code_lifetime_s: float = 60.0
    device_lifetime_s: float = 600.0
    device_interval_s: int = 5
    implicit_refresh: bool = False  # an implicit login brings a refresh token too, against RFC 6749 4.2.2


class OAuthRequest(Protocol):
    """What the sandbox reads and writes of oauthlib's request, which answers for any parameter sent."""

    uri: str
    headers: Mapping[str, str]
    decoded_body: list[tuple[str, str]] | None
    uri_query_params: list[tuple[str, str]]
    client: Client | None
    client_id: str | None
    client_secret: str | None
    code: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    redirect_uri: str | None
    refresh_token: str | None
    response_type: str | None
    scope: str | None
    scopes: list[str] | None
    state: str | None
    user: str | None
    grant_type: str | None
    token: str | None
