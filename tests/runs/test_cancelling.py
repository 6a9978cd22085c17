"""An operator cancels: what waits ends at once, what runs at its next check, and neither is tried again."""

import threading
from collections.abc import Callable

import pytest

from jobs.contract import Context, RetryLater
from tests.runs.bench import Bench, Make, definition
from worker.model.errors import AttemptLost
from worker.model.events import RunFinished
from worker.model.moments import new_id
from worker.model.records import AttemptState, Reason, RunState
from worker.runs.cancelling import Asked, Cancellations, ask
from worker.runs.starting import start
from worker.store import attempts, locks


def _ask(bench: Bench, run_id: int) -> Asked:
    asked = bench.writer.call(lambda connection: ask(connection, bench.book(), run_id, "jane", bench.now))
    bench.dispatch.pass_on(asked.ended)
    return asked


def _held(bench: Bench) -> set[str]:
    with bench.database.read() as connection:
        return set(locks.holders(connection, ["job:orders", "job:devices", "mutex:erp"]))


def test_a_queued_run_ends_with_the_wish(make_bench: Make) -> None:
    """Its locks pass on in the same transaction, and whoever asks again, or executes it, changes nothing."""
    bench = make_bench(definition("orders", overlap="queue"))
    bench.fire("orders", 1, 2)
    first, second = bench.runs()
    bench.submitted.clear()

    asked = _ask(bench, first.id)
    assert _ask(bench, first.id).run == asked.run
    bench.executor.execute(first.id)

    assert asked.run is not None
    assert (asked.run.state, asked.run.reason) == (RunState.CANCELLED, Reason.OPERATOR)
    assert (asked.run.cancel_asked_by, asked.run.cancel_asked_at) == ("jane", bench.now)
    assert bench.submitted == [second.id]
    bench.execute_all()
    assert bench.states("orders") == ["cancelled", "succeeded"]


def test_a_running_attempt_ends_at_its_next_check(make_bench: Make) -> None:
    """The poll of the node that performs it finds the wish; the row tells who wished it."""

    def act(context: Context) -> None:
        assert _ask(bench, context.run_id).ended.mine is False
        Cancellations(bench.database, bench.executor).once()
        context.check()

    bench = make_bench(definition("orders"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()

    run = bench.last("orders")
    assert (run.state, run.reason, run.error) == (RunState.CANCELLED, Reason.OPERATOR, "cancelled by jane")
    (told,) = (event for event in bench.heard if isinstance(event, RunFinished))
    assert told.state == "cancelled"
    assert _held(bench) == set()


def test_an_attempt_that_does_not_heed_is_fenced_off(make_bench: Make) -> None:
    """After its grace it may write no more, its run has ended, and the engine does without its thread."""
    lost: list[BaseException] = []

    def act(context: Context) -> None:
        _ask(bench, context.run_id)
        Cancellations(bench.database, bench.executor, grace_s=-1.0).once()
        try:
            with context.unit() as unit:
                unit.advance("late")
        except AttemptLost as error:
            lost.append(error)

    bench = make_bench(definition("orders", mutex="erp"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()

    assert lost
    assert bench.states("orders") == ["cancelled"]
    assert bench.written_off == [bench.last("orders").id]
    assert _held(bench) == set()


@pytest.mark.parametrize("error", [ValueError("no luck"), RetryLater("not ready", 60.0)])
def test_a_cancelled_run_is_never_tried_again(make_bench: Make, error: Exception) -> None:
    """An attempt that ends otherwise in the moment between wish and check is the last one nevertheless."""

    def act(context: Context) -> None:
        _ask(bench, context.run_id)
        raise error

    bench = make_bench(definition("orders"), definition("reports", {"after": ["orders"], "when": "finished"}), act=act)
    bench.fire("orders", 1)
    bench.executor.execute(bench.submitted.pop())

    assert bench.states("orders") == ["cancelled"]
    assert bench.states("reports") == ["queued"]
    (told,) = (event for event in bench.heard if isinstance(event, RunFinished))
    assert (told.state, told.reason) == ("cancelled", "operator")


def test_a_cancelled_run_whose_node_died_is_not_rescued(make_bench: Make) -> None:
    """Its attempt is lost, its run cancelled, its locks free."""
    bench = make_bench(definition("orders", mutex="erp"))
    node = new_id()
    bench.register(node, 31.0)
    bench.fire("orders", 1)
    run_id = bench.submitted.pop()
    bench.writer.call(lambda connection: start(connection, bench.book(), run_id, node, bench.now))
    _ask(bench, run_id)

    bench.pulse.once()

    with bench.database.read() as connection:
        (tried,) = attempts.of_run(connection, run_id)
    assert (bench.states("orders"), tried.state) == (["cancelled"], AttemptState.LOST)
    assert _held(bench) == set()


def _asker(bench: Bench, run_id: int, line: threading.Barrier) -> Callable[[], None]:
    def go() -> None:
        line.wait(10.0)
        with bench.database.write() as connection:
            ask(connection, bench.book(), run_id, "jane", bench.now)

    return go


def test_of_a_start_and_a_wish_at_once_each_sees_the_other(make_bench: Make) -> None:
    """Either the run never starts, or its attempt finds the wish."""
    bench = make_bench(*(definition(f"job-{number}") for number in range(20)))
    for number in range(20):
        bench.fire(f"job-{number}", 1)
    for run_id in bench.submitted:
        line = threading.Barrier(2)
        thread = threading.Thread(target=_asker(bench, run_id, line))
        thread.start()
        line.wait(10.0)
        with bench.database.write() as connection:
            start(connection, bench.book(), run_id, bench.node, bench.now)
        thread.join()

    for run in bench.runs():
        assert run.cancel_asked_at == bench.now
        assert run.state in (RunState.CANCELLED, RunState.RUNNING)
        assert (run.attempt == 1) == (run.state is RunState.RUNNING)


def test_a_wish_for_a_run_that_is_not_there_says_so(make_bench: Make) -> None:
    """Nothing is written."""
    assert _ask(make_bench(definition("orders")), 7).run is None
