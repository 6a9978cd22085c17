"""What an account may say; a profile gives the defaults of the keys a known API needs."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs.contract import Duration
from worker.model.schedules import OneOrMany
from worker.model.secretref import SecretRef
from worker.model.urls import endpoint_url, origin, proxy_url, web_url
from worker.model.values import FilePath, Options, Rate, RetryOptions, Size


class CorrelationOptions(Options):
    """Headers that carry the run's and the call's id to the API."""

    run: str = ""
    call: str = ""


_CREDENTIAL_HEADERS = ("authorization", "proxy-authorization", "cookie")
_IN_HEADERS = ("tenant", "client_id")


class AccountOptions(Options):
    """An identity at one API; a profile gives the defaults of the keys a known API needs."""

    profile: str = ""
    base_url: Annotated[str, AfterValidator(web_url)] = Field(description="https, or http on loopback")
    origins: Annotated[tuple[Annotated[str, AfterValidator(origin)], ...], OneOrMany(least=0)] = Field(
        default=(), description="Further origins its links may lead to."
    )
    tenant: str = ""
    client_id: str = ""
    client_secret: SecretRef | None = None
    grant: Literal["password", "client_credentials"] = "client_credentials"
    accept_password_grant: bool = Field(default=False, description="RFC 9700 section 2.4 forbids that grant.")
    username: str = ""
    password: SecretRef | None = None
    token_url: Annotated[str, AfterValidator(endpoint_url)] = Field(default="", description="May hold {base_url}.")
    token_params: Literal["body", "query"] = "body"  # noqa: S105 - a place, no secret
    client_auth: Literal["post", "basic"] = "post"
    scope: str = ""
    token_lifetime: Duration = Field(default=3600.0, description="Where an answer has no expires_in.")
    reject_statuses: Annotated[tuple[Annotated[int, Field(ge=400, le=499)], ...], OneOrMany()] = Field(
        default=(401,), description="Answers that may mean a bad token."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="May hold {tenant} and {client_id}.")
    correlation: CorrelationOptions = CorrelationOptions()
    rate_limit: Rate | None = None
    connect_timeout: Duration = 10.0
    read_timeout: Duration = 60.0
    deadline: Duration = Field(default=120.0, description="A call's wall-clock limit, its body included.")
    max_body: Size = 64 * 1024**2
    retry: RetryOptions = RetryOptions(attempts=4, backoff=1.0, max=60.0)
    proxy: Annotated[str, AfterValidator(proxy_url)] = Field(default="", description="Default: the network's.")
    ca_bundle: FilePath = Field(default=None, description="Default: the network's.")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        faults = [*self._grant_faults(), *self._header_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _grant_faults(self) -> Iterator[str]:
        if not self.token_url:
            yield "token_url is missing: name it, or a profile that knows it"
        if not self.client_id:
            yield "client_id is missing"
        if self.grant == "client_credentials" and self.client_secret is None:
            yield "client_secret is missing, which the grant client_credentials needs"
        if self.grant == "password" and (not self.username or self.password is None):
            yield "username and password are needed by the grant password"
        if self.grant == "password" and not self.accept_password_grant:
            yield (
                "the grant password is forbidden by RFC 9700 section 2.4: "
                "use client_credentials, or say accept_password_grant = true if the API offers nothing else"
            )

    def _header_faults(self) -> Iterator[str]:
        for header, text in self.headers.items():
            if header.lower() in _CREDENTIAL_HEADERS:
                yield f"the header {header} holds a credential, which the worker sends itself: take it out"
            for name in re.findall(r"\{([^{}]*)\}", text):
                if name not in _IN_HEADERS:
                    yield f"the header {header} holds {{{name}}}: only {' and '.join(_IN_HEADERS)} can be filled in"
                elif not getattr(self, name) and name != "client_id":  # whose lack was told above
                    yield f"{name} is missing: the API is sent it as the header {header}"

    @property
    def token_endpoint(self) -> str:
        """The token endpoint's URL, with the base URL filled in."""
        return self.token_url.replace("{base_url}", self.base_url.rstrip("/"))
