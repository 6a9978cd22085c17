"""A mutex: runs of several jobs that name it run one at a time, and none of them is skipped or left waiting."""

import threading
from datetime import timedelta

import pytest

from jobs.contract import Context, RetryLater
from tests.runs.bench import START, Bench, Make, definition
from worker.model.moments import new_id
from worker.model.records import RunState
from worker.runs.starting import Started, start
from worker.store import locks, openruns


def _start(bench: Bench, run_id: int, node: int | None = None) -> Started | None:
    node_id = node or bench.node
    return bench.writer.call(lambda connection: start(connection, bench.book(), run_id, node_id, bench.now))


def _holder(bench: Bench, mutex: str = "erp") -> int | None:
    with bench.database.read() as connection:
        return locks.holders(connection, [f"mutex:{mutex}"]).get(f"mutex:{mutex}")


def _due(bench: Bench) -> list[int]:
    with bench.database.read() as connection:
        return [run.id for run in openruns.due(connection, bench.now)]


def test_runs_that_share_a_mutex_run_one_at_a_time(make_bench: Make) -> None:
    """The second waits in the queue, is not offered meanwhile, and has the mutex when the first ends."""
    offered: list[list[int]] = []

    def act(context: Context) -> None:
        offered.append(_due(bench))
        bench.executor.execute(next(run.id for run in bench.runs() if run.id != context.run_id))

    bench = make_bench(definition("orders", mutex="erp"), definition("devices", mutex="erp"), act=act)
    bench.fire("orders", 1)
    bench.fire("devices", 1)
    first, second = bench.submitted
    bench.submitted.clear()

    bench.executor.execute(first)

    assert offered == [[]]
    assert bench.submitted == [second]
    assert (bench.states("devices"), _holder(bench)) == (["queued"], second)
    bench.execute_all()
    assert bench.states("devices") == ["succeeded"]
    assert _holder(bench) is None


def test_a_mutex_goes_to_the_highest_priority_then_to_the_oldest(make_bench: Make) -> None:
    """Whoever came later, or was begun sooner by chance, does not overtake."""
    order: list[str] = []
    jobs = [("a", 0), ("b", 0), ("c", 5), ("d", -5)]
    definitions = [definition(name, mutex="erp", priority=priority) for name, priority in jobs]
    bench = make_bench(*definitions, act=lambda context: order.append(context.job))
    for name, _ in jobs:
        bench.fire(name, 1)
    assert _due(bench) == [bench.last(name).id for name in "cabd"]
    bench.submitted[:] = bench.submitted[:1]

    bench.execute_all()

    assert order == ["a", "c", "b", "d"]


def test_a_run_that_waits_for_its_next_attempt_lends_its_mutex(make_bench: Make) -> None:
    """A mutex is held while an attempt runs, not between attempts; nor does such a run get it before its time."""

    def act(context: Context) -> None:
        if context.job == "orders" and context.attempt == 1:
            raise RetryLater("not ready", 60.0)

    bench = make_bench(definition("orders", mutex="erp"), definition("devices", mutex="erp"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()
    assert _holder(bench) is None

    bench.fire("devices", 1)
    bench.execute_all()
    assert bench.states("devices") == ["succeeded"]
    assert _holder(bench) is None

    bench.now += timedelta(seconds=61)
    bench.inbox.once()
    bench.execute_all()
    assert bench.states("orders") == ["succeeded"]


def test_a_mutex_of_a_dead_node_is_free_again(make_bench: Make) -> None:
    """The rescue passes it on with the attempt's end: complaint number one of those who run schedulers."""
    bench = make_bench(definition("orders", mutex="erp"), definition("devices", mutex="erp", priority=1))
    node = new_id()
    bench.register(node, 31.0)
    bench.fire("orders", 1)
    bench.fire("devices", 1)
    orders, devices = bench.submitted
    bench.submitted.clear()
    assert _start(bench, orders, node)
    assert _start(bench, devices) is None

    bench.pulse.once()

    assert bench.submitted == [devices]
    assert _holder(bench) == devices
    bench.execute_all()
    bench.inbox.once()
    bench.execute_all()
    assert (bench.states("orders"), bench.states("devices")) == (["succeeded"], ["succeeded"])
    assert _holder(bench) is None


def test_a_lock_that_nobody_would_give_back_is_given_back(make_bench: Make) -> None:
    """Whatever left it, a lock of a run that has ended, or is gone, ends with the next rescue."""
    bench = make_bench(definition("orders", mutex="erp"))
    bench.fire("orders", 1)
    bench.execute_all()
    ended = bench.last("orders").id
    left = [("job:orders", ended), ("mutex:erp", 7)]
    bench.writer.call(lambda connection: locks.take(connection, left, bench.now))

    bench.pulse.once()

    assert _holder(bench) is None
    bench.fire("orders", 2)
    assert bench.states("orders") == ["succeeded", "queued"]


def test_a_waiting_run_without_its_jobs_lock_is_passed_over(make_bench: Make) -> None:
    """It could not run: the next one can, and the mutex does not stand idle."""
    bench = make_bench(definition("orders", overlap="queue", mutex="erp"), definition("devices", mutex="erp"))
    bench.fire("orders", 1, 2)
    bench.now = START + timedelta(minutes=3)
    bench.fire("devices", 3)
    first, second, third = (run.id for run in bench.runs())
    assert _start(bench, first)
    assert _start(bench, second) is None
    assert _start(bench, third) is None
    assert _holder(bench) == first


@pytest.mark.parametrize("nodes", [4])
def test_nodes_that_start_at_once_never_share_a_mutex(make_bench: Make, nodes: int) -> None:
    """Each round one of the runs has it, whichever; none waits for another's transaction for ever."""
    bench = make_bench(*(definition(f"job-{number}", mutex="erp") for number in range(nodes)))
    for number in range(nodes):
        bench.fire(f"job-{number}", 1)
    line = threading.Barrier(nodes)

    def go(run_id: int) -> None:
        line.wait(10.0)
        with bench.database.write() as connection:
            start(connection, bench.book(), run_id, bench.node, bench.now)

    threads = [threading.Thread(target=go, args=(run_id,)) for run_id in bench.submitted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(run.state for run in bench.runs()) == [RunState.QUEUED] * (nodes - 1) + [RunState.RUNNING]
