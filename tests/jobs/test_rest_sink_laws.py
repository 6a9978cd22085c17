"""Whatever goes wrong on the way, in the end the far end is as the source, or a person is told of what is not."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Json, Record, WorkerError
from tests.jobs.crm import BAD, LOOKUP, UPDATE, Crm, Died, Mortal, deliver, row

KEYS = ["a", "b", "c", "d"]
DELETE = {"path": "/orders/{remote_id}"}
FAULTS = st.sampled_from(["fine", "fine", "fine", "lost", "unsent", "killed", "500", "503", "429", "html"])
DEATHS = st.sampled_from(["fine", "fine", "fine", "fine", "before", "after"])


@dataclass(frozen=True)
class Round:
    """One run: the rows as the source has them then, and what goes wrong."""

    rows: dict[str, str]
    faults: Sequence[str]
    deaths: Sequence[str]
    parallel: int = 1

    def page(self) -> tuple[list[Record], list[Record]]:
        """Returns the rows, and the keys of what is gone."""
        gone: list[Record] = [{"key": key} for key in KEYS if key not in self.rows]
        return [row(key, name) for key, name in self.rows.items()], gone


def rounds(names: Sequence[str]) -> st.SearchStrategy[list[Round]]:
    """Returns runs between which the source changes."""
    rows = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(names))
    one = st.builds(Round, rows, st.lists(FAULTS, max_size=8), st.lists(DEATHS, max_size=10), st.integers(1, 3))
    return st.lists(one, min_size=1, max_size=5)


def played(context: Mortal, crm: Crm, runs: Sequence[Round], options: dict[str, Json]) -> None:
    """Plays the runs, then the last one again without any trouble."""
    for run in runs:
        crm.faults, context.deaths = iter(run.faults), iter(run.deaths)
        with suppress(Died, WorkerError):
            once(context, run, options)
        context.reborn()
        assert_nothing_is_there_twice(crm)
    crm.faults, context.deaths, context.rejects = iter(()), iter(()), []
    once(context, runs[-1], options)


def once(context: Mortal, run: Round, options: dict[str, Json]) -> None:
    """Plays one run."""
    rows, gone = run.page()
    deliver(context, rows, page={"gone": gone}, parallel=run.parallel, **options)


def assert_nothing_is_there_twice(crm: Crm) -> None:
    """A row made twice is what none of these ways may do."""
    assert {key: names for key, names in crm.names().items() if len(names) > 1} == {}


def wanted(run: Round) -> dict[str, list[Any]]:
    """Returns what the far end must show for a source without bad rows."""
    return {key: [name] for key, name in run.rows.items()}


@given(rounds(["x", "y"]), st.booleans(), st.sampled_from(["data.id", "data.none"]))
def test_with_a_look_the_far_end_becomes_the_source(runs: list[Round], by_key: bool, id_at: str) -> None:
    """Created, updated and deleted by the API's ids, told or looked for, with and without idempotency keys."""
    crm = Crm()
    options: dict[str, Json] = {"in_doubt": "lookup", "lookup": LOOKUP, "update": UPDATE, "delete": DELETE}
    header = {"idempotency_header": "Idempotency-Key"} if by_key else {}
    with Mortal(answers=crm) as context:
        played(context, crm, runs, options | header | {"id": id_at})
        assert crm.names() == wanted(runs[-1])
        assert context.rejects == []


@given(rounds(["x", "y"]))
def test_with_put_the_far_end_becomes_the_source(runs: list[Round]) -> None:
    """Nobody has to be asked, since sending again changes nothing."""
    crm = Crm()
    options: dict[str, Json] = {"method": "PUT", "path": "/orders/{key}", "delete": {"path": "/orders/{key}"}}
    with Mortal(answers=crm) as context:
        played(context, crm, runs, options)
        assert crm.names() == wanted(runs[-1])
        assert context.rejects == []


@given(rounds(["x", "y", BAD]), st.booleans())
def test_held_rows_are_told(runs: list[Round], by_key: bool) -> None:
    """Each row is there as the source has it, or refused, or in doubt with a reject that says so."""
    crm = Crm()
    options: dict[str, Json] = {"update": UPDATE} | ({"idempotency_header": "Idempotency-Key"} if by_key else {})
    with Mortal(answers=crm) as context:
        played(context, crm, runs, options)
        told = {record["key"]: reason for record, reason in context.rejects}
        for key, name in runs[-1].rows.items():
            state = context.sent[f'"{key}"'].state
            if state == "delivered":
                assert (crm.names()[key], key in told) == ([name], False)
            else:
                assert state == ("in_doubt" if "in doubt" in told[key] else "refused"), told
                assert name == BAD or state == "in_doubt"


@given(rounds(["x", "y"]), st.booleans())
def test_rows_without_an_id_are_told_when_they_change(runs: list[Round], by_key: bool) -> None:
    """Each row is there as the source has it, or a reject says why not; none is there twice."""
    crm = Crm()
    header: dict[str, Json] = {"idempotency_header": "Idempotency-Key"} if by_key else {}
    with Mortal(answers=crm) as context:
        played(context, crm, runs, {"id": "data.none", "update": UPDATE} | header)
        assert_nothing_is_there_twice(crm)
        right = {key for key, name in runs[-1].rows.items() if crm.names().get(key) == [name]}
        assert set(runs[-1].rows) - right <= {record["key"] for record, _ in context.rejects}


@given(rounds(["x", "y", BAD]), st.integers(2, 4), st.sampled_from(["", "key"]))
def test_batches_lose_and_double_nothing(runs: list[Round], size: int, item_key: str) -> None:
    """Looked up row by row where the answer to a batch never came."""
    crm = Crm()
    options: dict[str, Json] = {
        "path": "/batch",
        "batch": size,
        "items": "results",
        "item_key": item_key,
        "failed": "state != 'ok'",
        "id": "id",
        "in_doubt": "lookup",
        "lookup": LOOKUP,
        "update": UPDATE,
        "delete": DELETE,
    }
    with Mortal(answers=crm) as context:
        played(context, crm, runs, options)
        good = {key: names for key, names in wanted(runs[-1]).items() if names != [BAD]}
        assert {key: names for key, names in crm.names().items() if key in good} == good
        assert {record["key"] for record, _ in context.rejects} == set(runs[-1].rows) - set(good)
