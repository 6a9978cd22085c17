"""What a sandbox is asked to be: size, pace, credentials and the manners of its two token servers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TANGOE_GRANTS = frozenset({"password", "refresh_token", "client_credentials", "validate_bearer"})
ALL_GRANTS = TANGOE_GRANTS | {"authorization_code", "device_code", "jwt_bearer"}
TLS_MODES = ("", "server", "mutual")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one client and the one user that each API of the sandbox knows; no real account has them."""

    tangoe_client_id: str = "sandbox-tangoe-client"
    tangoe_client_secret: str = field(default="sandbox-tangoe-secret", repr=False)
    tangoe_username: str = "command://svc-sync"
    tangoe_password: str = field(default="sandbox-tangoe-password", repr=False)
    tangoe_tenant: str = "SANDBOX"
    servicenow_client_id: str = "sandbox-servicenow-client"
    servicenow_client_secret: str = field(default="sandbox-servicenow-secret", repr=False)
    servicenow_username: str = "svc.sync"
    servicenow_password: str = field(default="sandbox-servicenow-password", repr=False)
    idp_client_id: str = "sandbox-idp-client"
    idp_client_secret: str = field(default="sandbox-idp-secret", repr=False)
    idp_public_client_id: str = "sandbox-idp-public"  # proves nothing: code with PKCE, device and implicit logins
    idp_signing_client_id: str = "sandbox-idp-signing"  # has no secret; signs with a key that was registered for it
    idp_username: str = "svc-idp@example.com"
    idp_password: str = field(default="sandbox-idp-password", repr=False)
    basic_username: str = "svc-basic"
    basic_password: str = field(default="sandbox-basic-password", repr=False)
    api_key: str = field(default="sandbox-api-key", repr=False)


@dataclass(frozen=True, slots=True)
class HandOff:
    """How a refresh token stands in for the access token at the Tangoe-style API; raises ValueError."""

    window_s: float = 60.0  # before the expiry, in which an answer brings a new token
    header: str = "X-New-Token"  # that carries it; empty: none
    body_field: str = ""  # of a JSON object that carries it; empty: none
    grace_s: float = 30.0  # after it was handed over, in which the old token still works
    same: bool = False  # calls that race get one new token; else each gets its own, and only the last one stays good
    implicit_refresh: bool = False  # an implicit login brings a refresh token too, as the vendor's text promises

    def __post_init__(self) -> None:
        """Refuses times below zero and a new token that nothing carries."""
        if min(self.window_s, self.grace_s) < 0 or not (self.header or self.body_field):
            msg = "sandbox: a hand-off needs window_s and grace_s of 0 or more, and a header or a body_field"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class IdpOptions:
    """How the IdP of the sandbox behaves; times in seconds."""

    scopes: tuple[str, ...] = ("read", "write")
    send_iss: bool = True  # authorization answers name the issuer (RFC 9207)
    code_lifetime_s: float = 60.0
    device_lifetime_s: float = 600.0
    device_interval_s: int = 5
    leeway_s: float = 30.0  # for the times of signed assertions; the ServiceNow-style server grants none


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Options of one sandbox; raises ValueError when one of them cannot be meant."""

    rows: int = 200  # of each main resource
    churn: float = 0.0  # changed rows per second, spread over the resources
    token_lifetime_s: float = 3600.0
    refresh_lifetime_s: float = 86400.0
    seed: int = 1
    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one
    rotate: bool = True  # Tangoe-style refresh tokens are single use; ServiceNow-style ones never rotate
    revoke_on_replay: bool = False  # a spent refresh token that comes back revokes its whole family
    retire_access: bool = False  # a Tangoe-style refresh ends the older access token at once
    tangoe_rejects_with: int = 403  # the vendor's list of statuses has no 401
    tangoe_grants: frozenset[str] = TANGOE_GRANTS  # at the token endpoint; implicit logins need none there
    servicenow_grants: frozenset[str] = ALL_GRANTS - {"device_code"}
    hide_every: int = 0  # the Table API hides each n-th row, as access rules do; 0: none
    credentials: Credentials = field(default_factory=Credentials)
    idp: IdpOptions = field(default_factory=IdpOptions)
    handoff: HandOff | None = None  # None: a refresh token is for the token endpoint only
    redirects: tuple[str, ...] = ("http://127.0.0.1/*", "http://[::1]/*")  # of all clients; loopback: any port
    client_keys: Mapping[str, str] = field(default_factory=dict)  # public ones, PEM or JWK text by client id
    tls: str = ""  # "server": https; "mutual": https for callers with a client certificate only

    def __post_init__(self) -> None:
        """Refuses numbers below zero, unknown grants and a rejection status that is none."""
        for name in ("rows", "churn", "token_lifetime_s", "refresh_lifetime_s", "port", "hide_every"):
            if getattr(self, name) < 0:
                msg = f"sandbox: {name} must be 0 or more, found {getattr(self, name)}"
                raise ValueError(msg)
        if self.tangoe_rejects_with not in (401, 403):
            msg = f"sandbox: tangoe_rejects_with must be 401 or 403, found {self.tangoe_rejects_with}"
            raise ValueError(msg)
        if self.tls not in TLS_MODES:
            msg = f"sandbox: tls must be one of {', '.join(map(repr, TLS_MODES))}; found {self.tls!r}"
            raise ValueError(msg)
        for grant in sorted((self.tangoe_grants | self.servicenow_grants) - ALL_GRANTS):
            msg = f"sandbox: grants must be of {sorted(ALL_GRANTS)}, found {grant!r}"
            raise ValueError(msg)
