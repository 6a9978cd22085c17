"""What becomes of the ticks that were missed while no worker ran."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from jobs.contract import Duration
from worker.model.values import Options

Policy = Literal["last", "all", "none"]


class CatchUpOptions(Options):
    """Which missed ticks are made up for; all others are told in one row."""

    policy: Policy = Field(description="last: one run covers the whole gap; all: a run for each tick; none.")
    window: Duration | None = Field(default=None, description="Ticks that are older are left out; absent: none is.")
    max: int = Field(default=1000, ge=1, le=10_000, description="Runs of one gap, of its latest ticks.")


@dataclass(frozen=True)
class _OrWord:
    """Tells editors that the policy's word alone is right, too."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(source)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"enum": list(get_args(Policy))}, handler(schema)]}


def _read(value: object) -> object:
    if isinstance(value, Mapping | CatchUpOptions):
        return value
    return {"policy": value}  # so that errors speak of the word


CatchUp = Annotated[CatchUpOptions, BeforeValidator(_read), _OrWord()]
"""A policy, written as one word or as a table with its bounds."""
