"""Runs that operators ask for once more."""

from datetime import timedelta

import pytest

from jobs.contract import Context, GiveUp, Json
from tests.runs.bench import START, Bench, Make, Probe, definition
from tests.runs.operating import ask, post
from worker.model.records import Reason, RunState, Trigger


def test_a_replay_has_the_parameters_and_the_window_of_its_run(make_bench: Make) -> None:
    """It is a new run; its window is given, and says nothing of how far the job has got."""
    seen: list[Json] = []
    bench = make_bench(definition("orders"), act=lambda context: seen.append((dict(context.params), context.window)))
    bench.fire("orders", 1)
    ask(bench, "trigger", "orders", region="eu")
    bench.execute_all()
    bench.fire("orders", 5)
    bench.execute_all()
    run = bench.runs("orders")[1]
    bench.now += timedelta(hours=1)

    request = post(bench, "replay", str(run.id))
    bench.inbox.once()
    bench.execute_all()
    again = bench.last("orders")
    assert (again.trigger, again.cause) == (Trigger.REPLAY, f"replay:{run.id}:{request}")
    assert (again.state, again.window_since, again.window_until) == (
        RunState.SUCCEEDED,
        run.window_since,
        run.window_until,
    )
    assert seen[3][0] == seen[1][0] == {"region": "eu"}
    assert [window.given for _, window in seen] == [False, False, False, True]

    bench.fire("orders", 90)
    bench.execute_all()
    assert bench.last("orders").window_since == START + timedelta(minutes=5)


def test_a_first_run_is_replayed_from_the_beginning(make_bench: Make) -> None:
    """Its window has none, whatever was covered since."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    bench.execute_all()
    first = bench.last("orders")
    bench.fire("orders", 5)
    bench.execute_all()
    ask(bench, "replay", str(first.id))
    bench.execute_all()
    again = bench.last("orders")
    assert (again.state, again.window_since, again.window_until) == (RunState.SUCCEEDED, None, first.window_until)


def test_the_rejects_of_a_job_whose_name_is_a_number_are_tried_again(make_bench: Make) -> None:
    """It is not taken for the id of a run."""
    bench = make_bench(definition("123"))
    ask(bench, "replay", "123", rejects=True)
    bench.execute_all()
    assert (bench.last("123").state, bench.last("123").params) == (RunState.SUCCEEDED, {"rejects": True})


@pytest.mark.parametrize("way", ["read", "move"])
def test_a_job_that_knows_no_given_window_moves_no_cursor(make_bench: Make, way: str) -> None:
    """It ends in words instead: whether it asks for its cursor or moves it unasked."""

    def act(context: Context) -> None:
        if way == "read":
            context.cursor()
        with context.unit() as unit:
            unit.advance(context.run_id)

    bench = make_bench(definition("orders"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()
    run = bench.last("orders")
    ask(bench, "replay", str(run.id))
    bench.execute_all()
    again = bench.last("orders")
    assert (again.state, again.error_kind) == (RunState.FAILED, GiveUp.kind)
    assert "reads and moves no cursor" in str(again.error)


def _last(bench: Bench) -> str:
    return str(bench.last("orders").id)


def test_what_never_began_cannot_be_replayed(make_bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor what has not ended, what there is not, and what a window does not bound; each in its words."""
    bench = make_bench(definition("orders"))
    assert ask(bench, "replay", "17") == "refused: there is no run 17; `worker history` lists the runs"
    bench.fire("orders", 1)
    assert str(ask(bench, "replay", _last(bench))).endswith("is queued; what has not ended cannot be replayed")
    bench.execute_all()
    run = _last(bench)
    ask(bench, "pause", "orders")
    bench.fire("orders", 2)
    assert bench.last("orders").reason is Reason.PAUSED
    assert "never began, so that it has no window; `worker trigger orders`" in str(ask(bench, "replay", _last(bench)))
    monkeypatch.setattr(Probe, "window_problem", lambda _job, _params: "it counts")
    assert ask(bench, "replay", run) == (
        "refused: orders cannot be held to that run's window: it counts; `worker trigger orders` runs it"
    )
