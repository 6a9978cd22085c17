"""Values with a notation of their own, and the manners that all sections of the configuration share."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from jobs.contract import Duration, RejectLimit

NAME = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
Name = Annotated[str, Field(pattern=NAME)]
"""The name of an account, a database, a profile or a job."""


class Options(BaseModel):
    """The manners of every section: frozen, no unknown keys, no input values in error texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Returns itself, which nobody changes: pydantic would copy a default for every job."""
        return self


class RetryOptions(Options):
    """How often a failed run is attempted, and how long it waits between."""

    attempts: int = Field(default=3, ge=1, le=100)
    backoff: Duration = 10.0
    max: Duration = 600.0


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
