"""Grants: what each sends to the token endpoint, and what a refusal of it means.

A further grant is one more class here; nothing else in this room asks which one it deals with.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

from worker.auth.account import Account
from worker.model.records import Purpose
from worker.vault.secret import Secret

Parameters = dict[str, str | Secret]


class Verdict(StrEnum):
    """What becomes of an account after a token request that brought no token."""

    TRANSIENT = "transient"  # tried again by itself, with backoff
    CONFIGURATION = "configuration"  # blocked; tried again when secrets or options change, or after an hour
    REFUSED = "refused"  # blocked at once until the secret changes: another try may lock the user out
    DEAD = "dead"  # the refresh token is spent, revoked or expired: one new login


class Grant(Protocol):
    """One way to ask for a token."""

    @property
    def name(self) -> str:
        """The grant's name as configured and logged."""

    @property
    def purpose(self) -> Purpose:
        """Why the call is made, for the trail."""

    def parameters(self) -> Parameters:
        """Returns the grant's own parameters, those of the client left out."""

    def verdict(self, status: int, code: str) -> Verdict:
        """Returns what a refusal means that no general rule explains; `code` is the RFC's error code or empty."""


@dataclass(frozen=True)
class PasswordGrant:
    """The user's password (RFC 6749 section 4.3). RFC 9700 forbids it; some APIs offer nothing else."""

    username: str
    password: Secret
    scope: str = ""
    name: ClassVar[str] = "password"
    purpose: ClassVar[Purpose] = Purpose.TOKEN

    def parameters(self) -> Parameters:
        """Returns grant type, user and password."""
        given: Parameters = {"grant_type": self.name, "username": self.username, "password": self.password}
        return given | _scope(self.scope)

    def verdict(self, status: int, code: str) -> Verdict:  # noqa: ARG002  the protocol's signature
        """Says refused whatever the code: some answer a wrong password with invalid_request or server_error."""
        return Verdict.REFUSED if status in _REFUSALS else Verdict.CONFIGURATION


@dataclass(frozen=True)
class ClientCredentialsGrant:
    """The client for itself (RFC 6749 section 4.4)."""

    scope: str = ""
    name: ClassVar[str] = "client_credentials"
    purpose: ClassVar[Purpose] = Purpose.TOKEN

    def parameters(self) -> Parameters:
        """Returns grant type and scope."""
        return {"grant_type": self.name, **_scope(self.scope)}

    def verdict(self, status: int, code: str) -> Verdict:
        """Says refused where the secret was at fault, otherwise that the client is not set up for this."""
        at_fault = status == _UNAUTHORIZED or code in ("invalid_grant", "access_denied")
        return Verdict.REFUSED if at_fault else Verdict.CONFIGURATION


@dataclass(frozen=True)
class RefreshGrant:
    """A refresh token (RFC 6749 section 6)."""

    refresh_token: Secret
    scope: str = ""
    name: ClassVar[str] = "refresh_token"
    purpose: ClassVar[Purpose] = Purpose.REFRESH

    def parameters(self) -> Parameters:
        """Returns grant type, refresh token and scope."""
        return {"grant_type": self.name, "refresh_token": self.refresh_token, **_scope(self.scope)}

    def verdict(self, status: int, code: str) -> Verdict:
        """Says dead where the token was at fault; ServiceNow says so with 401 server_error."""
        at_fault = status in _REFUSALS or code == "invalid_grant"
        return Verdict.DEAD if at_fault else Verdict.CONFIGURATION


_UNAUTHORIZED = 401
_REFUSALS = frozenset({400, _UNAUTHORIZED, 403})


def _scope(scope: str) -> Parameters:
    return {"scope": scope} if scope else {}


def login_grant(account: Account) -> Grant | None:
    """Returns how the account logs in by itself, None where a secret for that is missing."""
    options = account.options
    if options.grant == "client_credentials":
        return ClientCredentialsGrant(options.scope) if account.client_secret else None
    return PasswordGrant(options.username, account.password, options.scope) if account.password else None
