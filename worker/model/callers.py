"""What an account may say of how its calls show who makes them: API key, TLS certificate, act-for headers."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from worker.model.secretref import SecretRef
from worker.model.values import FilePath, Options

STATIC_GRANTS = frozenset({"basic", "api_key"})
"""Grants without a token endpoint: the secret itself goes along with each call."""

_TAKEN = frozenset({"proxy-authorization", "cookie", "host", "content-length", "transfer-encoding"})


def _free_header(name: str) -> str:
    """Returns a header's name; raises ValueError where HTTP itself has another use for it."""
    if name.lower() in _TAKEN:
        raise ValueError(f"the header {name} means something else to HTTP: name the one that the API asks for")
    return name


HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"), AfterValidator(_free_header)]
"""The name of a header (RFC 9110 section 5.6.2)."""


class CallerOptions(Options):
    """How calls show who makes them."""

    api_key: SecretRef | None = Field(default=None, description="With the grant api_key.")
    api_key_header: HeaderName = Field(default="X-API-Key", description="What carries it.")
    api_key_prefix: str = Field(default="", description="Written before it, such as `Token `.")
    api_key_param: str = Field(default="", description="Or a query parameter, which proxies on the way can read.")
    client_cert: FilePath = Field(default=None, description="PEM: the client's certificate, then its issuers'.")
    client_key: SecretRef | None = Field(default=None, description="The certificate's key: PEM, unencrypted.")
    act_for: dict[str, str] = Field(default_factory=dict, description="On whose behalf; names from act_for_headers.")
    act_for_headers: dict[str, HeaderName] = Field(
        default_factory=dict, description="The header that tells the API each part of act_for."
    )

    def caller_faults(self) -> Iterator[str]:
        """Yields what does not go together."""
        if self.client_cert and not self.client_key:
            yield "client_key is missing, which client_cert needs"
        if self.client_key and not self.client_cert:
            yield "client_cert is missing, which client_key needs"
        if self.api_key_param and {"api_key_header", "api_key_prefix"} & self.model_fields_set:
            yield "api_key_param puts the key into the query: take api_key_header and api_key_prefix out"
