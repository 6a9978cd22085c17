"""The job type `python`: a function of one's own with typed parameters."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.contract import GiveUp, Json, Skip
from jobs.python import Python, PythonOptions
from jobs.testing import MemoryContext


@pytest.fixture(autouse=True)
def own_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of a user, found as PYTHONPATH would have it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield __import__("own_job")
    sys.modules.pop("own_job", None)


def job(call: str, **params: Json) -> Python:
    """Returns the job that calls a function."""
    return Python(PythonOptions(call=call, params=params))


def test_a_function_gets_the_context_and_its_parameters_as_annotated(own_job: ModuleType) -> None:
    """Those of the run stand over those of the job; defaults fill the rest."""
    with MemoryContext(params={"region": "us"}) as context:
        job("own_job:main", region="eu", day="2026-01-31").run(context)
        assert own_job.calls == [("us", date(2026, 1, 31), 10)]
        assert context.counts.read == 10


def test_a_function_that_takes_anything_gets_everything(own_job: ModuleType) -> None:
    """`**params` are converted one by one."""
    with MemoryContext() as context:
        job("own_job:many", a="1", b=2).run(context)
        assert own_job.calls == [("a", date.min, 1), ("b", date.min, 2)]


@pytest.mark.parametrize("call", ["own_job:bounded", "own_job:bound"])
def test_only_annotations_of_parameters_are_looked_at(call: str) -> None:
    """The context's type may be imported for type checkers alone; a partial function is one, too."""
    with MemoryContext() as context:
        job(call, limit="7").run(context)
        assert context.counts.read == 7


def test_what_a_function_raises_is_passed_on() -> None:
    """The signals of the contract mean what they mean in any job."""
    with MemoryContext() as context, pytest.raises(Skip, match="nothing to do today"):
        job("own_job:nothing").run(context)


@pytest.mark.parametrize(
    ("call", "params", "words"),
    [
        ("no_such_module:main", {}, "cannot be imported"),
        ("own_job:no_such", {}, "has no no_such"),
        ("own_job:NUMBER", {}, "names a int; expected a function"),
        ("platform:node", {}, "cannot be called with the context, which comes first, and no parameters"),
        ("own_job:main", {"region": "eu"}, "missing a required argument: 'day'"),
        ("own_job:main", {"region": "eu", "day": "2026-01-31", "colour": 1}, "unexpected keyword argument 'colour'"),
        ("own_job:main", {"region": "eu", "day": "tomorrow"}, "the parameter day does not fit"),
        ("own_job:bounded", {"limit": 0}, "the parameter limit does not fit .*greater than or equal to 1"),
        ("own_job:strange", {"day": 1}, "the parameters day: name 'Nowhere' is not defined"),
        ("own_job:untold", {"day": 1}, "the parameter day is annotated as .*, which no value"),
        ("own_job:later", {}, "names a coroutine or generator, of which a call runs nothing"),
        ("own_job:bit_by_bit", {}, "names a coroutine or generator"),
    ],
)
def test_what_does_not_fit_gives_up_before_the_call(
    own_job: ModuleType, call: str, params: dict[str, Any], words: str
) -> None:
    """The message names the function and the parameter; another attempt would fail alike."""
    with MemoryContext() as context, pytest.raises(GiveUp, match=words):
        job(call, **params).run(context)
    assert own_job.calls == []


def test_a_call_must_name_module_and_function() -> None:
    """The configuration is refused otherwise."""
    with pytest.raises(ValidationError, match="expected module:function"):
        PythonOptions(call="reports.daily")
