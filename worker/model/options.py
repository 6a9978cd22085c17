"""Every setting, in the order of config.example.toml; what a job type adds stands with the job type.

A key enters this sheet with its feature. Relative paths are relative to the file that names them; the configuration
makes them absolute before they come here.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from jobs.contract import Duration, RejectLimit
from worker.model.schedules import Manual, OneOrMany, Schedule
from worker.model.secretref import SecretRef
from worker.model.urls import database_url, endpoint_url, origin, proxy_url, web_url

NAME = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
Name = Annotated[str, Field(pattern=NAME)]
"""The name of an account, a database, a profile or a job."""


class Options(BaseModel):
    """The manners of every section: frozen, no unknown keys, no input values in error texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


_zones = cache(available_timezones)  # reads a folder of some hundred files


def _zone(value: object) -> object:
    if isinstance(value, str) and value not in _zones():
        raise ValueError(f"expected an IANA zone such as Europe/Berlin, found {value!r}")
    return ZoneInfo(value) if isinstance(value, str) else value


FilePath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""A path, or none where nothing or the empty text is written."""

Zone = Annotated[ZoneInfo, BeforeValidator(_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})]

_SIZES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}


def _size(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+)\s*(B|KB|MB|GB)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a size such as 64MB, found {value!r}")
    return int(match[1]) * _SIZES[match[2]]


Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": "string", "pattern": r"^\d+ ?(B|KB|MB|GB)$"})]
"""Bytes, written with their unit: `"64MB"`."""


def _reject_limit(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return RejectLimit(count=value)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a number of records or a share such as 1%, found {value!r}")
    return RejectLimit(share=float(match[1]) / 100)


Rejects = Annotated[
    RejectLimit,
    BeforeValidator(_reject_limit),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["1%", 10]}),
]

_PERIODS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class RateLimit(BaseModel):
    """So many calls in so many seconds."""

    model_config = ConfigDict(frozen=True)

    calls: int
    per_s: float


def _rate(value: object) -> object:
    match = re.fullmatch(r"([1-9]\d*)/([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected calls per second, minute, hour or day such as 100/m, found {value!r}")
    return RateLimit(calls=int(match[1]), per_s=_PERIODS_S[match[2]])


Rate = Annotated[
    RateLimit, BeforeValidator(_rate), WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]*/[smhd]$"})
]


class WorkerOptions(Options):
    """The daemon itself."""

    name: str = Field(default="", description="For people; empty: the host's name.")
    timezone: Zone = Field(default=ZoneInfo("UTC"), description="Zone of schedules that name none.")
    concurrency: int = Field(default=8, ge=1, le=500, description="Runs at once on this node.")
    drain_timeout: Duration = Field(default=30.0, description="How long a stop waits for what runs.")


class DatabaseOptions(Options):
    """A database, by SQLAlchemy URL; a password stands beside the URL, as a secret reference."""

    url: Annotated[str, AfterValidator(database_url)] = Field(
        description="sqlite:///file.db or postgresql://user@host/name"
    )
    password: SecretRef | None = None


class VaultOptions(Options):
    """Where the key ring lies that seals stored tokens."""

    keys: SecretRef


class LogOptions(Options):
    """The log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json", "logfmt"] = Field(
        default="auto", description="auto: console on a terminal, json elsewhere"
    )
    file: FilePath = Field(default=None, description="Absent or empty: stdout.")


class NetworkOptions(Options):
    """How calls leave this machine; the environment is not asked."""

    proxy: Annotated[str, AfterValidator(proxy_url)] = Field(default="", description="Empty: none.")
    ca_bundle: FilePath = Field(default=None, description="Absent or empty: the system's certificates.")


class RetryOptions(Options):
    """How often a failed run is attempted, and how long it waits between."""

    attempts: int = Field(default=3, ge=1, le=100)
    backoff: Duration = 10.0
    max: Duration = 600.0


class PolicyOptions(Options):
    """What a job may say about its running; `[defaults]` says it for all."""

    timeout: Duration = 600.0
    retry: RetryOptions = RetryOptions()
    catch_up: Literal["last", "all", "none"] = "last"
    overlap: Literal["skip", "queue"] = "skip"
    max_rejects: Rejects = RejectLimit(share=0.01)


class JobOptions(PolicyOptions):
    """A job, without what its type adds."""

    type: str
    schedule: Schedule = Manual()
    timezone: Zone | None = Field(default=None, description="Default: the worker's.")
    enabled: bool = True


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


OWN_DATABASE = "sqlite:///worker.db"


class Sections(Options):
    """The sections of fixed shape; accounts, databases and jobs come beside them, by name."""

    worker: WorkerOptions = WorkerOptions()
    database: DatabaseOptions = DatabaseOptions(url=OWN_DATABASE)
    vault: VaultOptions
    log: LogOptions = LogOptions()
    network: NetworkOptions = NetworkOptions()
    defaults: PolicyOptions = PolicyOptions()
