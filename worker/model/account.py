"""What an account may say; a profile gives the defaults of the keys a known API needs."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from jobs.contract import Duration
from worker.model.callers import STATIC_GRANTS, CallerOptions
from worker.model.grants import AssertionOptions, ClientHeaderOptions, CustomGrantOptions, NewTokenOptions
from worker.model.logins import LOGIN_GRANTS, ValidateOptions, loopback_url
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


class AccountOptions(CallerOptions):
    """An identity at one API; a profile gives the defaults of the keys a known API needs."""

    profile: str = ""
    base_url: Annotated[str, AfterValidator(web_url)] = Field(description="https, or http on loopback")
    origins: Annotated[tuple[Annotated[str, AfterValidator(origin)], ...], OneOrMany(least=0)] = Field(
        default=(), description="Further origins its links may lead to."
    )
    tenant: str = ""
    client_id: str = ""
    client_secret: SecretRef | None = None
    grant: Literal[
        "password",
        "client_credentials",
        "refresh_token",
        "jwt_bearer",
        "custom",
        "basic",
        "api_key",
        "authorization_code",
        "device_code",
        "implicit",
        "token",
    ] = "client_credentials"
    accept_password_grant: bool = Field(default=False, description="RFC 9700 section 2.4 forbids that grant.")
    username: str = ""
    password: SecretRef | None = None
    token_url: Annotated[str, AfterValidator(endpoint_url)] = Field(default="", description="May hold {base_url}.")
    issuer: Annotated[str, AfterValidator(endpoint_url)] = Field(
        default="", description="Its metadata names the endpoints that no option names (RFC 8414)."
    )
    authorize_url: Annotated[str, AfterValidator(endpoint_url)] = Field(default="", description="As token_url.")
    device_url: Annotated[str, AfterValidator(endpoint_url)] = Field(default="", description="As token_url.")
    introspect_url: Annotated[str, AfterValidator(endpoint_url)] = Field(default="", description="As token_url.")
    revoke_url: Annotated[str, AfterValidator(endpoint_url)] = Field(default="", description="As token_url.")
    redirect_url: Annotated[str, AfterValidator(loopback_url)] = Field(
        default="http://127.0.0.1/callback", description="Where a login's pages lead; without a port any free one."
    )
    authorize_extra: dict[str, str] = Field(
        default_factory=dict, description="Further parameters of the page that a login opens."
    )
    validation: ValidateOptions | None = Field(
        default=None, alias="validate", description="How one asks whether a token is good; default: introspect_url."
    )
    token_params: Literal["body", "query", "json", "headers"] = "body"  # noqa: S105 - a place, no secret
    token_extra: dict[str, str] = Field(default_factory=dict, description="Further parameters of token requests.")
    token_headers: dict[str, str] = Field(default_factory=dict, description="Of token requests; filled as headers.")
    client_auth: Literal["post", "basic", "header", "private_key_jwt", "tls", "none"] = "post"
    client_headers: ClientHeaderOptions = ClientHeaderOptions()
    refresh_token: SecretRef | None = Field(default=None, description="Used once, with the grant refresh_token.")
    private_key: SecretRef | None = Field(default=None, description="PEM, unencrypted.")
    key_id: str = ""
    assertion: AssertionOptions = AssertionOptions()
    custom: CustomGrantOptions | None = None
    scope: str = ""
    resource: Annotated[tuple[str, ...], OneOrMany(least=0)] = Field(
        default=(), description="What the token is for, as URIs (RFC 8707)."
    )
    bearer: Literal["access_token", "refresh_token"] = "access_token"
    new_token: NewTokenOptions = NewTokenOptions()
    token_lifetime: Duration = Field(default=3600.0, description="Where an answer has no expires_in.")
    refresh_lifetime: Duration | None = Field(
        default=None, description="Of a refresh token whose answer does not tell; it is used before it would lapse."
    )
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
        faults = [*self._grant_faults(), *self._header_faults(), *self.caller_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _grant_faults(self) -> Iterator[str]:
        for name in self._endpoints_needed():
            if not getattr(self, name) and not self.issuer:
                yield f"{name} is missing: name it, or the issuer that publishes it, or a profile that knows it"
        if not self.client_id and self.grant not in {"token", *STATIC_GRANTS}:
            yield "client_id is missing"
        for name in self._needed():
            if not getattr(self, name):
                yield f"{name} is missing, which the grant {self.grant} needs"
        if self.grant == "password" and not self.accept_password_grant:
            yield (
                "the grant password is forbidden by RFC 9700 section 2.4: "
                "use client_credentials, or say accept_password_grant = true if the API offers nothing else"
            )
        yield from self._style_faults()

    def _endpoints_needed(self) -> tuple[str, ...]:
        """Returns the endpoints that the grant cannot do without."""
        needed = {
            "authorization_code": ("token_url", "authorize_url"),
            "device_code": ("token_url", "device_url"),
            "implicit": ("authorize_url", "token_url") if self.bearer == "refresh_token" else ("authorize_url",),
            "token": (),
            "basic": (),
            "api_key": (),
        }
        return needed.get(self.grant, ("token_url",))

    def _needed(self) -> tuple[str, ...]:
        """Returns the options that the grant cannot do without."""
        proofs = {"private_key_jwt": "private_key", "tls": "client_cert"}
        proof = proofs.get(self.client_auth, "client_secret")
        needed = {
            "client_credentials": (proof,),
            "password": ("username", "password"),
            "refresh_token": ("refresh_token",),
            "jwt_bearer": ("private_key",),
            "custom": ("custom",),
            "basic": ("username", "password"),
            "api_key": ("api_key",),
        }
        return needed.get(self.grant, ())

    def _style_faults(self) -> Iterator[str]:
        if self.client_auth == "private_key_jwt" and self.private_key is None and self.grant != "client_credentials":
            yield 'private_key is missing, which client_auth = "private_key_jwt" needs'
        if self.client_auth == "tls" and self.client_cert is None and self.grant != "client_credentials":
            yield 'client_cert is missing, which client_auth = "tls" needs (RFC 8705 section 2)'
        if self.grant == "basic" and ":" in self.username:
            yield "username holds a colon, which ends it in HTTP basic (RFC 7617 section 2): the API would cut it there"
        if self.client_auth == "none" and self.grant == "client_credentials":
            yield "client_auth is none: the grant client_credentials has nothing but the client's proof"
        if self.resource and self.token_params == "headers":  # noqa: S105 - a place, no secret
            yield "resource cannot be sent in headers: use token_params body, query or json"

    def _header_faults(self) -> Iterator[str]:
        for header, text in (*self.headers.items(), *self.token_headers.items()):
            if header.lower() in _CREDENTIAL_HEADERS:
                yield f"the header {header} holds a credential, which the worker sends itself: take it out"
            for name in re.findall(r"\{([^{}]*)\}", text):
                if name not in _IN_HEADERS:
                    yield f"the header {header} holds {{{name}}}: only {' and '.join(_IN_HEADERS)} can be filled in"
                elif not getattr(self, name) and (name != "client_id" or self.is_static):  # else told above
                    yield f"{name} is missing: the API is sent it as the header {header}"

    @property
    def needs_person(self) -> bool:
        """Tells whether only a person can log in."""
        return self.grant in LOGIN_GRANTS

    @property
    def is_static(self) -> bool:
        """Tells whether a secret that never changes by itself goes along with each call, and no token."""
        return self.grant in STATIC_GRANTS

    @property
    def absorbs(self) -> bool:
        """Whether answers of the API may bring a new token."""
        return bool(self.new_token.header or self.new_token.field)

    @property
    def token_endpoint(self) -> str:
        """The token endpoint's URL, with the base URL filled in."""
        return self.filled(self.token_url)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The URLs at which the account's tokens are dealt with, its issuer's too."""
        urls = (
            self.token_url,
            self.issuer,
            self.authorize_url,
            self.device_url,
            self.introspect_url,
            self.revoke_url,
            self.validation.url if self.validation else "",
        )
        return tuple(self.filled(url) for url in urls if url)

    def filled(self, url: str) -> str:
        """Returns an endpoint's URL, with the base URL filled in."""
        return url.replace("{base_url}", self.base_url.rstrip("/"))
