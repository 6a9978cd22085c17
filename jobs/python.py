"""The job type `python`: a function of one's own, handed the Context and typed parameters.

    def main(context: Context, region: str, days: int = 7) -> None: ...

Its parameters come from the job's `params`, and over them from `worker trigger --param`; each is converted to what
its annotation says, or the run fails before the function is called.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from types import FunctionType, SimpleNamespace
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, Field, PydanticUserError, TypeAdapter, ValidationError, WithJsonSchema

from jobs.contract import Context, GiveUp, Job, Json
from jobs.options import Options

_LATE = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
_CALL = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def _checked(call: str) -> str:
    if not _CALL.fullmatch(call):
        raise ValueError(f"expected module:function such as reports.daily:main, found {call!r}")
    return call


Call = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "examples": ["reports.daily:main"]})]


class PythonOptions(Options):
    """Which function to call, and with what."""

    call: Call = Field(description="module:function; the module is imported when the job first runs.")
    params: dict[str, Json] = Field(default_factory=dict, description="The function's parameters beside the context.")


class Python(Job[PythonOptions]):
    """Calls a function of the user's own; what it raises ends the run, jobs.contract's signals as they say."""

    options_model = PythonOptions

    def run(self, context: Context) -> None:
        """Calls the function; raises GiveUp where it cannot be found or its parameters do not fit."""
        self.call(context, context.params)

    def call(self, context: Context, params: Mapping[str, Json]) -> None:
        """Calls the function with its own parameters and, over them, these."""
        function = _found(self.options.call)
        function(context, **_arguments(function, self.options.call, {**self.options.params, **params}))


def _found(call: str) -> Callable[..., object]:
    module, _, name = call.partition(":")
    try:
        function = getattr(import_module(module), name)
    except ImportError as error:
        raise GiveUp(
            f"the module {module} of call = {call!r} cannot be imported: {error}. "
            "Install it beside the worker, or name its folder in PYTHONPATH."
        ) from error
    except AttributeError:
        raise GiveUp(f"the module {module} has no {name}, which call = {call!r} names") from None
    if not callable(function):
        raise GiveUp(f"call = {call!r} names a {type(function).__name__}; expected a function")
    if any(is_late(function) for is_late in _LATE):
        raise GiveUp(
            f"call = {call!r} names a coroutine or generator, of which a call runs nothing; expected a function"
        )
    return function  # type: ignore[no-any-return]  # callable, as was asked above


def _arguments(function: Callable[..., object], call: str, given: Mapping[str, Json]) -> dict[str, Any]:
    """Returns the function's arguments beside the context, each as its annotation wants it; raises GiveUp."""
    find = _kept_kinds if isinstance(function, FunctionType) else _kinds  # of other callables some have no hash
    try:
        wanted = find(function, tuple(given))
    except (TypeError, NameError) as error:
        named = f"the parameters {', '.join(given)}" if given else "no parameters"
        raise GiveUp(f"{call} cannot be called with the context, which comes first, and {named}: {error}") from None
    return {name: _converted(call, name, wanted[name], value) for name, value in given.items()}


def _kinds(function: Callable[..., object], names: tuple[str, ...]) -> dict[str, Any]:
    """Returns what the parameters of these names are annotated as; raises TypeError where they do not fit.

    No other annotation is looked at: the context's type may be imported for type checkers alone.
    """
    signature = inspect.signature(function)
    signature.bind(None, **dict.fromkeys(names))
    known = signature.parameters
    rest = next((one for one in known.values() if one.kind is one.VAR_KEYWORD), None)
    found = {name: one.annotation for name in names if (one := known.get(name, rest))}
    written = SimpleNamespace(
        __annotations__={name: kind for name, kind in found.items() if kind is not inspect.Parameter.empty}
    )
    hints = get_type_hints(written, _names(function), include_extras=True)
    return {name: hints.get(name, Any) for name in names}


def _names(function: Callable[..., object]) -> dict[str, Any]:
    """Returns what annotations that are texts may name."""
    inner = inspect.unwrap(function)
    return getattr(inner, "__globals__", None) or vars(import_module(inner.__module__))


_kept_kinds = lru_cache(maxsize=1024)(_kinds)  # to look at a function takes longer than most calls


def _converted(call: str, name: str, wanted: Any, value: Json) -> Any:  # noqa: ANN401  whatever the annotation says
    try:
        return TypeAdapter(wanted).validate_python(value)
    except PydanticUserError:
        raise GiveUp(
            f"{call}: the parameter {name} is annotated as {wanted}, which no value of a configuration can become"
        ) from None
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise GiveUp(f"{call}: the parameter {name} does not fit {wanted}: {told}") from None
