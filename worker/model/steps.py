"""A job's condition, and the steps before and after its work: the forms that each may take, told by their first key.

{ sql = "select count(*) > 0 from orders", database = "warehouse" }
{ expression = "now.weekday == 'mon'" }             a condition only
{ python = "module:function", params = { ... } }    a step only
{ request = { account = "erp", path = "/ping" } }   a step only
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Annotated, Literal, Self

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, Field, model_validator

from jobs.contract import DatabaseRef, Json
from jobs.paths import Path
from jobs.python import Call
from jobs.request import RequestOptions
from worker.model.schedules import OneOrMany
from worker.model.values import Options

OF_THE_RUN = ("job", "run", "since", "until")  # names that a run fills in a statement

Scalar = str | int | float | bool
Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], OneOrMany()]


class Sql(Options):
    """Statements of SQL; :name takes a bound value: job, run, since, until, or what params gives."""

    sql: Texts = Field(description="One statement, or several in one transaction.")
    database: DatabaseRef | None = Field(default=None, description="Absent: the worker's own.")
    params: dict[str, Scalar] = Field(default_factory=dict, description="Values of :name in the statement.")

    @model_validator(mode="after")
    def _every_name_is_known(self) -> Self:
        asked = set[str]().union(*(names(text) for text in self.sql))
        for name in sorted(asked - {*OF_THE_RUN, *self.params}):
            raise ValueError(f"nothing is known to fill :{name}; add it to params, or write \\: for a colon")
        for name in sorted(self.params.keys() - (asked - {*OF_THE_RUN})):
            raise ValueError(f"params: nothing asks for :{name}, or the run fills it")
        return self


def names(statement: str) -> set[str]:
    """Returns the names after colons in a statement."""
    return set(sa.text(statement).compile().params)


class SqlCondition(Sql):
    """Holds where the first value of the last statement's first row is true."""


class Expression(Options):
    """Holds where a JMESPath over the facts of the run is true."""

    expression: Path


class SqlStep(Sql):
    """Runs statements in one transaction that is fenced by the attempt."""


class PythonStep(Options):
    """Calls a function with the job's context."""

    python: Call = Field(description="module:function; the module is imported when the step first runs.")
    params: dict[str, Json] = Field(default_factory=dict, description="The function's parameters beside the context.")


class RequestStep(Options):
    """Makes one request, as a job of the type `request` does."""

    request: RequestOptions


class SqlStepBefore(SqlStep):
    """A step that may call the run off."""

    skip_if: Literal["empty", "rows"] | None = Field(
        default=None, description="What the last statement finds, or changes, that calls the run off: nothing, or rows."
    )


class _After(Options):
    on: Literal["succeeded", "always"] = Field(default="succeeded", description="always: after a failure, too.")


class SqlStepAfter(SqlStep, _After):
    """A step after the work."""


class PythonStepAfter(PythonStep, _After):
    """A step after the work."""


class RequestStepAfter(RequestStep, _After):
    """A step after the work."""


def _one_of(what: str, **forms: type[BaseModel]) -> Callable[[object], object]:
    """Returns what chooses the form by the key that was written, so that errors speak of that form alone."""

    def read(value: object) -> object:
        if isinstance(value, tuple(forms.values())):
            return value
        given = [str(key) for key in value] if isinstance(value, Mapping) else []
        told = [key for key in forms if key in given]
        if len(told) == 1:
            return forms[told[0]].model_validate(value)
        near = [found for key in given for found in get_close_matches(key, forms, n=1)] if not told else []
        hint = f"; did you mean {near[0]}?" if near else ""
        found = " and ".join(told) or ("none of them" if isinstance(value, Mapping) else "no table")
        raise ValueError(f"expected {what}: a table with one of {', '.join(forms)}; found {found}{hint}")

    return read


Condition = Annotated[
    SqlCondition | Expression, BeforeValidator(_one_of("a condition", sql=SqlCondition, expression=Expression))
]
"""What must hold for a run to begin its work."""

StepBefore = Annotated[
    SqlStepBefore | PythonStep | RequestStep,
    BeforeValidator(_one_of("a step", sql=SqlStepBefore, python=PythonStep, request=RequestStep)),
]
"""What is done before the job's work, and may call it off."""

StepAfter = Annotated[
    SqlStepAfter | PythonStepAfter | RequestStepAfter,
    BeforeValidator(_one_of("a step", sql=SqlStepAfter, python=PythonStepAfter, request=RequestStepAfter)),
]
"""What is done after the job's work, before the run ends."""
