"""What an account may say of logins by a person, and of asking whether a token is good."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from worker.model.urls import endpoint_url, is_loopback, web_url
from worker.model.values import Options

LOGIN_GRANTS = frozenset({"authorization_code", "device_code", "implicit", "token"})
"""Grants that need a person: `worker account login` brings the token."""


def loopback_url(url: str) -> str:
    """Returns where a browser brings the answer of a login: this machine, over http; raises ValueError.

    A port of its own is only needed where the server does not let it vary (RFC 8252 section 7.3).
    """
    parts = urlsplit(web_url(url))
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        raise ValueError("expected a loopback address such as http://127.0.0.1/callback, found another place")
    return url


class ValidateOptions(Options):
    """How one asks whether a token is good."""

    kind: Literal["introspect", "ping", "get"]
    url: Annotated[str, AfterValidator(endpoint_url)] = Field(
        default="", description="Default: introspect_url for introspect, token_url for ping."
    )
    param: str = Field(default="", description="For get: the query parameter with the token; empty: a header.")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.kind == "get" and not self.url:
            raise ValueError("url is missing, which kind get needs")
        if self.param and self.kind != "get":
            raise ValueError(f"param is for kind get; {self.kind} sends the token in a form: take it out")
        return self
