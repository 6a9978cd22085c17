"""What a sandbox is asked to be: size, pace, credentials and the manners of its two token servers."""

from dataclasses import dataclass, field

ALL_GRANTS = frozenset({"password", "refresh_token", "client_credentials", "validate_bearer"})


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
    tangoe_grants: frozenset[str] = ALL_GRANTS
    servicenow_grants: frozenset[str] = ALL_GRANTS
    hide_every: int = 0  # the Table API hides each n-th row, as access rules do; 0: none
    credentials: Credentials = field(default_factory=Credentials)

    def __post_init__(self) -> None:
        """Refuses numbers below zero, unknown grants and a rejection status that is none."""
        for name in ("rows", "churn", "token_lifetime_s", "refresh_lifetime_s", "port", "hide_every"):
            if getattr(self, name) < 0:
                msg = f"sandbox: {name} must be 0 or more, found {getattr(self, name)}"
                raise ValueError(msg)
        if self.tangoe_rejects_with not in (401, 403):
            msg = f"sandbox: tangoe_rejects_with must be 401 or 403, found {self.tangoe_rejects_with}"
            raise ValueError(msg)
        for grant in sorted((self.tangoe_grants | self.servicenow_grants) - ALL_GRANTS):
            msg = f"sandbox: grants must be of {sorted(ALL_GRANTS)}, found {grant!r}"
            raise ValueError(msg)
