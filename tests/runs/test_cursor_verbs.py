"""Cursors that operators move: versioned, with the old value on record, and safe beside a run at work."""

import pytest

from jobs.contract import Context, Cursor
from tests.runs.bench import START, Bench, Make, definition
from tests.runs.operating import ask
from worker.model.records import RunState
from worker.store import cursors
from worker.store.cursors import CursorRow


def _moves(value: object, name: str = "") -> object:
    def act(context: Context) -> None:
        context.cursor(name)
        with context.unit() as unit:
            unit.advance(value, name)

    return act


def _cursor(bench: Bench, name: str = "") -> Cursor:
    with bench.database.read() as connection:
        return cursors.get(connection, "orders", name)


def test_a_cursor_is_set_and_set_back_by_what_the_outcome_says(make_bench: Make) -> None:
    """Each move is a version; the next run finds the person's value."""
    seen: list[object] = []

    def act(context: Context) -> None:
        seen.append(context.cursor().value)
        with context.unit() as unit:
            unit.advance({"at": 1})

    bench = make_bench(definition("orders"), act=act)
    assert ask(bench, "cursor set", "orders", value=5) == "done: version 1; there was no value before"
    bench.fire("orders", 1)
    bench.execute_all()
    told = ask(bench, "cursor set", "orders", value="2026-01-31T08:00:00Z")
    assert told == "done: version 3; back by: worker cursor set orders '{\"at\":1}'"
    assert ask(bench, "cursor reset", "orders") == (
        "done: version 4; back by: worker cursor set orders '\"2026-01-31T08:00:00Z\"'"
    )
    bench.fire("orders", 2)
    bench.execute_all()
    assert seen == [5, None]
    assert _cursor(bench) == Cursor({"at": 1}, 5)


def test_a_cursor_tells_who_moved_it(make_bench: Make) -> None:
    """A run, or a person: then no run is named."""
    bench = make_bench(definition("orders"), act=_moves("a"))
    bench.fire("orders", 1)
    bench.execute_all()
    run = bench.last("orders")
    with bench.database.read() as connection:
        assert cursors.standings(connection, "orders") == [CursorRow("orders", "", 1, "a", run.id, bench.now)]
    ask(bench, "cursor set", "orders", value="b")
    with bench.database.read() as connection:
        assert [(one.value, one.run_id) for one in cursors.standings(connection, "orders")] == [("b", None)]


def test_a_run_underway_is_not_disturbed_unless_forced(make_bench: Make) -> None:
    """Forced, the run stores no more: its next unit meets the newer version."""
    told: list[str | None] = []

    def act(context: Context) -> None:
        context.cursor()
        told.append(ask(bench, "cursor set", "orders", value=7))
        told.append(ask(bench, "cursor set", "orders", value=7, force=True))
        with context.unit() as unit:
            unit.advance(8)

    bench = make_bench(definition("orders", retry={"attempts": 1, "backoff": "1s", "max": "1s"}), act=act)
    bench.fire("orders", 1)
    bench.execute_all()
    run = bench.last("orders")
    assert str(told[0]).startswith(f"refused: run {run.id} of orders is underway and would lose")
    assert told[1] == "done: version 1; there was no value before"
    assert run.state is RunState.FAILED
    assert _cursor(bench) == Cursor(7, 1)


@pytest.mark.parametrize(
    ("verb", "target", "arguments", "told"),
    [
        ("cursor set", "odrers", {"value": 1}, "no job odrers is configured"),
        ("cursor set", "orders", {}, "value: Field required"),
        ("cursor set", "orders", {"value": None}, "value: expected one; `cursor reset` takes it away"),
        ("cursor set", "orders", {"value": "x" * 10_000}, "value: expected at most 10,000 characters"),
        ("cursor set", "orders", {"value": 1, "name": "ful"}, "orders has no cursor ful; it has: none yet"),
        ("cursor reset", "orders", {"value": 1}, "value: Extra inputs are not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(
    make_bench: Make, verb: str, target: str, arguments: dict[str, object], told: str
) -> None:
    """Nothing moves."""
    bench = make_bench(definition("orders"))
    assert ask(bench, verb, target, **arguments) == f"refused: {told}"
    assert _cursor(bench) == Cursor()
    assert bench.now == START
