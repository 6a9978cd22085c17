"""When a job runs: the forms that `schedule` may take, one model each.

    "*/10 6-20 * * mon-fri"                            Cron
    { every = "15m", offset = "2m" }                   Every: anchored to 1970-01-01T00:00Z
    { at = ["02:30"], days = ["mon", "last fri"] }     At
    { monthly = [1, "last"], at = "02:30", roll = "next business day" }   Monthly
    { once = 2026-12-01T02:00:00Z }                    Once
    { after = ["job"], when = "succeeded", delay = "10m" }   After
    "manual"                                           Manual

Cron, At and Monthly are wall-clock times in the job's zone. A time that a change of clocks leaves out fires
at the first instant after the gap; one that it brings twice fires at its first passage; unless `dst` says
otherwise.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    RootModel,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from jobs.contract import Duration, Reference
from worker.model.cron import read_cron
from worker.model.days import read_days, read_months
from worker.model.lengths import in_words

JobRef = Annotated[str, Reference("jobs")]

_SHORTEST_S = 1.0
_LONGEST_S = 366 * 86400.0
_LONGEST_DELAY_S = 30 * 86400.0
_LONGEST_MONTH = 31


@dataclass(frozen=True)
class OneOrMany:
    """Marks a tuple option for which a single value may be written; `least` is how many values it needs."""

    least: int = 1

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Puts a single value into a list before the tuple is validated."""
        return core_schema.no_info_before_validator_function(self._listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Tells editors that both are right."""
        many = handler(schema)
        return {"anyOf": [many["items"], {**many, "minItems": self.least}]}

    def _listed(self, value: object) -> object:
        values = value if isinstance(value, list | tuple) else (value,)
        if len(values) < self.least:  # a length constraint on the tuple would speak up beside a bad item, too
            raise ValueError(f"expected {self.least} value or more, found none")
        return values


def _time_of_day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?", value):
        return time.fromisoformat(value)
    if isinstance(value, time) and value.tzinfo is None and not value.microsecond:
        return value
    raise ValueError(f'expected a time of day such as "02:30", found {_shown(value)}')


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "examples": ["02:30"]}),
]
"""A wall-clock time in the job's zone."""


def _day_words(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'expected a day such as "mon", found {_shown(value)}')  # noqa: TRY004  pydantic reports ValueError only
    read_days(value)
    return " ".join(value.lower().split())


DayWords = Annotated[
    str,
    BeforeValidator(_day_words),
    Field(examples=["mon", "mon-fri", "weekday", "last fri", "1st mon", "business", "last business"]),
]
"""Days of the week, business days, or one of them in each month."""


def _month_words(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'expected a month such as "mar", found {_shown(value)}')  # noqa: TRY004  as above
    read_months(value)
    return value.strip().lower()


MonthWords = Annotated[str, BeforeValidator(_month_words), Field(examples=["mar", "oct-feb"])]
"""Months of the year."""


def _day_of_month(value: object) -> object:
    if value == "last" or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LONGEST_MONTH):
        return value
    raise ValueError(f'expected a day of the month from 1 to 31, or "last", found {_shown(value)}')


DayOfMonth = Annotated[
    int | Literal["last"],
    BeforeValidator(_day_of_month),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": _LONGEST_MONTH}, {"const": "last"}]}),
]
"""A day of each month; in a month too short for it, that month's last day."""


def _instant(value: object) -> object:
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    raise ValueError(f"expected a date, a time and a zone such as 2026-12-01T02:00:00Z, found {_shown(value)}")


def _parsed(text: str) -> object:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-01T02:00:00Z"]}),
]
"""A point in time; what is written without a zone is none."""


Months = Annotated[tuple[MonthWords, ...], OneOrMany(least=0)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Cron(RootModel[str]):
    """A cron string, in the job's zone."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": ["*/10 6-20 * * mon-fri", "H 2 * * *"]})

    @field_validator("root")
    @classmethod
    def _fires(cls, text: str) -> str:
        read_cron(text)
        return " ".join(text.split())


class Every(_Form):
    """Instants whose distance from 1970-01-01T00:00Z plus `offset` is a multiple of `every`, in seconds."""

    every: Duration
    offset: Duration = 0.0

    @field_validator("every")
    @classmethod
    def _in_bounds(cls, every: float) -> float:
        if not _SHORTEST_S <= every <= _LONGEST_S:
            raise ValueError("expected 1s to 366d")
        return every

    @model_validator(mode="after")
    def _offset_is_shorter(self) -> Self:
        if self.offset >= self.every:
            raise ValueError("offset: expected less than every")
        return self


class At(_Form):
    """Times of day, on some days or on every day."""

    at: Annotated[tuple[TimeOfDay, ...], OneOrMany()]
    days: Annotated[tuple[DayWords, ...], OneOrMany(least=0)] = Field(default=(), description="Absent: every day.")
    months: Months = Field(default=(), description="Absent: every month.")


class Monthly(_Form):
    """Times of day, on some days of each month; `roll`: where such a day is no business day, the next or previous."""

    monthly: Annotated[tuple[DayOfMonth, ...], OneOrMany()]
    at: Annotated[tuple[TimeOfDay, ...], OneOrMany()]
    months: Months = Field(default=(), description="Absent: every month.")
    roll: Literal["next business day", "previous business day"] | None = None


class Once(_Form):
    """One instant."""

    once: Instant


class After(_Form):
    """When a run of one of these jobs has ended so, `delay` seconds later."""

    after: Annotated[tuple[JobRef, ...], OneOrMany()]
    when: Literal["succeeded", "failed", "finished"] = "succeeded"
    delay: Duration = 0.0

    @field_validator("delay")
    @classmethod
    def _is_no_schedule(cls, delay: float) -> float:
        if delay > _LONGEST_DELAY_S:
            raise ValueError("expected at most 30d")
        return delay

    def describe(self) -> str:
        """Returns the schedule in a few words."""
        later = f"{in_words(timedelta(seconds=self.delay))} " if self.delay else ""
        ended = f" {self.when}" if self.when != "succeeded" else ""
        return f"{later}after {', '.join(self.after)}{ended}"


class Manual(RootModel[Literal["manual"]]):
    """Only when a person or a program asks."""

    model_config = ConfigDict(frozen=True)
    root: Literal["manual"] = "manual"


_TABLES: dict[str, type[_Form]] = {"every": Every, "at": At, "monthly": Monthly, "once": Once, "after": After}
_EXPECTED = f'expected a cron string, "manual", or a table with one of {", ".join(_TABLES)}'


def _shown(value: object) -> str:
    return value.isoformat() if isinstance(value, date | time) else repr(value)


def _read(value: object) -> object:
    """Chooses the form by what was written, so that errors speak of that form alone."""
    if isinstance(value, str):
        return Manual() if value == "manual" else Cron(value)
    if isinstance(value, Mapping):
        return _table(value).model_validate(value)
    if isinstance(value, _Form | Cron | Manual):
        return value
    raise ValueError(f"{_EXPECTED}; found {_shown(value)}")


def _table(value: Mapping[str, object]) -> type[_Form]:
    forms = [key for key in _TABLES if key in value]
    if set(forms) == {"at", "monthly"}:
        return Monthly
    if len(forms) == 1:
        return _TABLES[forms[0]]
    if forms:
        raise ValueError(f"{_EXPECTED}; found {' and '.join(forms)} together")
    near = [found for key in value for found in difflib.get_close_matches(str(key), _TABLES, n=1)]
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{_EXPECTED}; found a table with {', '.join(map(str, value)) or 'nothing'}{hint}")


Dst = Literal["once", "skip", "both"]
"""What becomes of a time of day that a change of clocks leaves out or brings twice."""

Schedule = Annotated[Cron | Every | At | Monthly | Once | After | Manual, BeforeValidator(_read)]
"""What `schedule` may be."""
