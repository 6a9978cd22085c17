"""Options of single grants and token styles, which stand as small tables in an account."""

from typing import Annotated, Any, Literal

from pydantic import Field

from jobs.contract import Duration
from worker.model.schedules import OneOrMany
from worker.model.secretref import SecretRef
from worker.model.values import Options

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]


class AssertionOptions(Options):
    """What the worker signs with `private_key`: as the grant jwt_bearer, and to prove the client (RFC 7523)."""

    issuer: str = Field(default="", description="Default: client_id.")
    subject: str = Field(default="", description="On whose behalf, with the grant jwt_bearer; default: client_id.")
    audience: str = Field(default="", description="Default: the token endpoint's URL.")
    lifetime: Annotated[Duration, Field(gt=0, le=3600)] = 300.0
    algorithm: Algorithm = "RS256"
    claims: dict[str, Any] = Field(default_factory=dict, description="Further claims.")


class ClientHeaderOptions(Options):
    """The headers that carry client id and secret with `client_auth = "header"`."""

    id: str = Field(default="client_id", min_length=1)
    secret: str = Field(default="client_secret", min_length=1)


class NewTokenOptions(Options):
    """Where an API's answers bring a newly issued token, if they do."""

    header: str = ""
    field: Annotated[tuple[str, ...], OneOrMany(least=0)] = Field(
        default=(), description="The way to it in a JSON body: one key, or several from the outside in."
    )


class CustomGrantOptions(Options):
    """A grant of one's own, from a package with an entry point in the group `integration_worker.grants`."""

    name: str = Field(min_length=1, description="The entry point's name.")
    options: dict[str, Any] = Field(default_factory=dict, description="Handed to it as they stand.")
    secrets: dict[str, SecretRef] = Field(default_factory=dict, description="Fetched and handed to it.")
