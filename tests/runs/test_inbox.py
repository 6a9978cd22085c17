"""Commands of other processes, carried out once and answered."""

import pytest

from jobs.contract import Context
from tests.runs.bench import Bench, Make, definition
from worker.model.moments import new_id
from worker.model.records import Command, RunState, Trigger
from worker.store import commands


def _post(bench: Bench, verb: str, target: str, **arguments: object) -> int:
    command = Command(new_id(), bench.now, "somebody", verb, target, arguments)
    bench.writer.call(lambda connection: commands.post(connection, command))
    return command.id


def _outcome(bench: Bench, request: int) -> str | None:
    with bench.database.read() as connection:
        command = commands.get(connection, request)
    return command.outcome if command else None


def test_a_triggered_job_runs_with_its_parameters(make_bench: Make) -> None:
    """The request becomes a manual run that its cause finds again."""
    seen: list[object] = []
    bench = make_bench(definition("orders", "manual"), act=lambda context: seen.append(dict(context.params)))

    request = _post(bench, "trigger", "orders", region="eu")
    bench.inbox.once()
    bench.execute_all()

    run = bench.last("orders")
    assert (run.trigger, run.cause, run.state) == (Trigger.MANUAL, f"manual:{request}", RunState.SUCCEEDED)
    assert seen == [{"region": "eu"}]
    assert _outcome(bench, request) == "done"


def test_two_nodes_carry_a_command_out_once(make_bench: Make) -> None:
    """The second one finds it ended."""
    bench = make_bench(definition("orders", "manual"))
    _post(bench, "trigger", "orders")

    bench.inbox.once()
    bench.twin().inbox.once()

    assert len(bench.runs("orders")) == 1


def test_a_request_for_an_unknown_job_is_refused_in_words(make_bench: Make) -> None:
    """The outcome names the job; nothing else happens."""
    bench = make_bench(definition("orders"))

    request = _post(bench, "trigger", "odrers")
    bench.inbox.once()

    assert _outcome(bench, request) == "refused: no job odrers is configured"
    assert bench.runs() == []


@pytest.mark.parametrize("arguments", [[1], "eu", None, 5])
def test_a_request_that_makes_no_sense_is_refused_and_holds_up_nothing(make_bench: Make, arguments: object) -> None:
    """Else every pass would fail at it, and no command behind it and no retry would have its turn any more."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    bench.submitted.clear()
    command = Command(new_id(), bench.now, "somebody", "trigger", "orders", arguments)
    bench.writer.call(lambda connection: commands.post(connection, command))

    bench.inbox.once()

    assert bench.submitted == [bench.last("orders").id]
    assert str(_outcome(bench, command.id)).startswith("refused: expected parameters by name, found")


def test_a_manual_run_waits_for_the_run_underway_instead_of_being_skipped(make_bench: Make) -> None:
    """A person asked for it, so it runs, though later."""
    requested: list[int] = []

    def act(_context: Context) -> None:
        if not requested:
            requested.append(_post(bench, "trigger", "orders"))
            bench.inbox.once()

    bench = make_bench(definition("orders"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()

    assert bench.states("orders") == ["succeeded", "succeeded"]
