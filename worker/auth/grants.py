"""Grants: what each sends to the token endpoint, and what a refusal of it means.

A further grant is one more class here; nothing else in this room asks which one it deals with.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from worker.auth.account import Account
from worker.auth.assertion import grant_assertion
from worker.auth.client import Parameters
from worker.auth.custom import custom_grant
from worker.auth.verdict import Verdict
from worker.model.records import Purpose
from worker.vault.secret import Secret

__all__ = ["Grant", "Parameters", "Verdict", "login_grant"]
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_UNAUTHORIZED = 401
_REFUSALS = frozenset({400, _UNAUTHORIZED, 403})


class Grant(Protocol):
    """One way to ask for a token."""

    @property
    def name(self) -> str:
        """The grant's name as configured and logged."""

    @property
    def purpose(self) -> Purpose:
        """Why the call is made, for the trail."""

    def parameters(self) -> Parameters:
        """Returns the grant's own parameters, those of the client left out; raises AccountBlocked."""

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
    configured: bool = False  # the one a person gave, not the latest one stored
    name: ClassVar[str] = "refresh_token"
    purpose: ClassVar[Purpose] = Purpose.REFRESH

    def parameters(self) -> Parameters:
        """Returns grant type, refresh token and scope."""
        return {"grant_type": self.name, "refresh_token": self.refresh_token, **_scope(self.scope)}

    def verdict(self, status: int, code: str) -> Verdict:
        """Says dead where the token was at fault; ServiceNow says so with 401 server_error."""
        at_fault = status in _REFUSALS or code == "invalid_grant"
        return Verdict.DEAD if at_fault else Verdict.CONFIGURATION


@dataclass(frozen=True)
class JwtBearerGrant:
    """A signed assertion in place of a login (RFC 7523 section 2.1); each request has one of its own."""

    assertion: Callable[[], Secret] = field(repr=False)
    scope: str = ""
    name: ClassVar[str] = "jwt_bearer"
    purpose: ClassVar[Purpose] = Purpose.TOKEN

    def parameters(self) -> Parameters:
        """Returns grant type, assertion and scope; raises AccountBlocked where it cannot be signed."""
        return {"grant_type": JWT_BEARER, "assertion": self.assertion(), **_scope(self.scope)}

    def verdict(self, status: int, code: str) -> Verdict:  # noqa: ARG002  the protocol's signature
        """Says configuration whatever the code: an assertion locks nobody out, and clocks or keys may be mended."""
        return Verdict.CONFIGURATION


def _scope(scope: str) -> Parameters:
    return {"scope": scope} if scope else {}


def login_grant(account: Account, endpoint: Callable[[], str]) -> Grant | None:
    """Returns how the account logs in by itself, None where a person or a missing secret is needed.

    `endpoint` returns the token endpoint's URL, which an assertion is made out to.
    """
    options = account.options
    match options.grant:
        case "client_credentials" if account.client_secret or account.private_key:
            return ClientCredentialsGrant(options.scope)
        case "password" if account.password:
            return PasswordGrant(options.username, account.password, options.scope)
        case "refresh_token" if account.refresh_token:
            return RefreshGrant(account.refresh_token, options.scope, configured=True)
        case "jwt_bearer" if account.private_key:
            return JwtBearerGrant(lambda: grant_assertion(account, endpoint()), options.scope)
        case "custom":
            return custom_grant(account, endpoint)
        case _:
            return None
