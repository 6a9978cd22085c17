"""The page about runs against the code: every option of the policies, its default, every fact, examples that load."""

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from jobs.contract import Context, Json
from tests.docs.pages import blocks, tables, whole
from tests.docs.test_docs_options import _is_told, _key
from tests.runs.bench import Bench, Make, definition
from worker.config.load import load
from worker.config.shape import keys_of
from worker.model.catchup import CatchUpOptions
from worker.model.options import JobOptions, PolicyOptions, RetentionOptions
from worker.model.reasons import MEANINGS
from worker.model.records import Reason, RunState
from worker.model.retry import JobRetryOptions, RetryRule
from worker.model.steps import Expression, PythonStep, RequestStep, SqlCondition, SqlStepBefore
from worker.runs.conditions import facts
from worker.runs.context import RunContext
from worker.store.database import Database

PAGE = "docs/runs.md"
PLACES: dict[type[BaseModel], str] = {
    RetentionOptions: "Retention: option of [retention]",
    CatchUpOptions: "After a downtime: option of catch_up",
    JobRetryOptions: "Attempts: option of retry",
    RetryRule: "Attempts: option of a kind in on",
    SqlCondition: "Conditions: option of a condition in SQL",
    Expression: "Conditions: option of a condition as expression",
    SqlStepBefore: "Steps: option of a step in SQL",
    PythonStep: "Steps: option of a step in Python",
    RequestStep: "Steps: option of a step that is a request",
}
EXAMPLES = blocks(PAGE, "toml")


@pytest.mark.parametrize("model", PLACES, ids=lambda model: model.__name__)
def test_every_option_of_a_policy_stands_in_its_table(model: type[BaseModel]) -> None:
    """With its default, and no option that there is not."""
    rows = {_key(row): row for row in tables(PAGE)[PLACES[model]]}

    assert set(rows) == set(keys_of(model))
    assert [key for key, info in keys_of(model).items() if not _is_told(info, rows[key]["default"])] == []


def test_every_policy_stands_in_the_table() -> None:
    """All that may stand in `[defaults]`, and what a job says beside its schedule."""
    rows = {_key(row): row for row in tables(PAGE)["Policies: option"]}
    known = {**keys_of(PolicyOptions), **{key: keys_of(JobOptions)[key] for key in rows}}

    assert set(rows) == set(known) - {"blackout", "holidays"}  # when a job runs, docs/schedules.md tells
    known = {key: known[key] for key in rows}
    shown = {key: info for key, info in known.items() if key not in ("max_rejects", "retry", "catch_up")}
    assert [key for key, info in shown.items() if not _is_told(info, rows[key]["default"])] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_a_policy_loads(tmp_path: Path, example: str) -> None:
    """Made whole with what it leaves out."""
    file = tmp_path / "config.toml"
    file.write_text(whole(example))

    assert load(file, {}).jobs


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_every_fact_of_an_expression_stands_in_the_table(database: Database, make_bench: Make) -> None:
    """At the top, and inside of each table of facts."""
    found: list[dict[str, Json]] = []

    def act(context: Context) -> None:
        assert isinstance(context, RunContext)
        found.append(facts(bench_of[0].last("orders"), context, bench_of[0].executor._resources(), ZoneInfo("UTC")))

    bench_of: list[Bench] = [make_bench(definition("orders"), act=act)]
    for minute in (1, 2):
        bench_of[0].fire("orders", minute)
        bench_of[0].execute_all()

    rows = tables(PAGE)["Conditions: fact"]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row["fact"])}
    inside = {name for row in rows for name in re.findall(r"`(\w+)`", row["what it is"])}
    assert told == set(found[1])
    assert {key for value in found[1].values() if isinstance(value, dict) for key in value} <= inside


def test_every_reason_stands_in_the_table() -> None:
    """With its meaning and its remedy, as `worker explain` tells them."""
    told = {_key(row): (row["what it means"], row["what to do"]) for row in tables(PAGE)["Reasons: reason"]}

    assert told == {str(reason): (meaning.text, meaning.remedy or "") for reason, meaning in MEANINGS.items()}
    assert set(told) == set(Reason)


def test_the_diagram_has_every_state() -> None:
    """Those that a run can have, and no other."""
    (diagram,) = blocks(PAGE, "mermaid")

    ends = re.findall(r"^    (\S+) --> (\w+|\[\*\])", diagram, re.MULTILINE)
    assert {state for pair in ends for state in pair} - {"[*]"} == set(RunState)
    assert {before for before, after in ends if after == "[*]"} == {state for state in RunState if state.ended}
