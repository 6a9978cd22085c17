"""The whole configuration as one model, asked for its keys and for its JSON Schema; jobs vary with their type."""

from typing import Annotated, Any

from pydantic import Field

from worker.model.account import AccountOptions
from worker.model.options import OtherDatabaseOptions, Sections
from worker.model.schedules import OneOrMany
from worker.model.values import Name, Options


class Profile(Options):
    """A known API as data: what its accounts have in common, and the resources that jobs name."""

    description: str = ""
    base: str = Field(default="", description="A profile from which all is taken that is not said anew.")
    account: dict[str, Any] = Field(default_factory=dict, description="Defaults of [accounts.*] that name it.")
    resources: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Sources by name, with key and types; {name} in one is what a job writes behind the slash, "
        "like names a resource from which is taken what is not said anew.",
    )
    destinations: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="What jobs write to, in the manner of resources."
    )


class Whole(Sections):
    """Every key that may stand at the top of the main file."""

    include: Annotated[tuple[str, ...], OneOrMany(least=0)] = Field(
        default=(), description="Further files, as paths or patterns beside this one: jobs.d/*.toml"
    )
    databases: dict[Name, OtherDatabaseOptions] = Field(default_factory=dict)
    profiles: dict[Name, Profile] = Field(default_factory=dict)
    accounts: dict[Name, AccountOptions] = Field(default_factory=dict)
    jobs: dict[Name, Any] = Field(default_factory=dict)
