"""Several nodes at the same instant: one of them does it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from tests.runs.bench import Make, definition
from tests.runs.operating import outcome, post
from worker.model.moments import new_id
from worker.runs.candidates import of_tick
from worker.runs.claims import record
from worker.runs.ending import Ended
from worker.runs.removal import remove
from worker.runs.starting import Start, Started, start, start_many
from worker.store import attempts
from worker.store.writer import Writer

_NODES = 4


def _at_once(tasks: list[Callable[[], Started | None]]) -> list[Started | None]:
    line = threading.Barrier(len(tasks))

    def go(task: Callable[[], Started | None]) -> Started | None:
        line.wait(10.0)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(go, tasks))


def test_nodes_that_start_a_run_at_once_start_one_attempt(make_bench: Make) -> None:
    """Every node polls what is due; whoever comes second finds it running and leaves it alone."""
    bench = make_bench(*(definition(f"job-{number}") for number in range(20)))
    for number in range(20):
        bench.fire(f"job-{number}", 1)

    def start_on(run_id: int, node: int) -> Callable[[], Started | None]:
        def task() -> Started | None:
            with bench.database.write() as connection:
                return start(connection, bench.book(), run_id, node, bench.now)

        return task

    for run_id in bench.submitted:
        nodes = [new_id() for _ in range(_NODES)]
        begun = _at_once([start_on(run_id, node) for node in nodes])
        (at,) = (place for place, one in enumerate(begun) if one is not None)
        with bench.database.read() as connection:
            assert [one.node_id for one in attempts.of_run(connection, run_id)] == [nodes[at]]


def test_a_run_that_is_asked_for_twice_at_once_begins_once(make_bench: Make) -> None:
    """Whoever asked first has it, and it says when that was."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    (run_id,) = bench.submitted
    later = bench.now + timedelta(seconds=1)
    asked = [Start(bench.book(), run_id, bench.node, now) for now in (bench.now, later)]
    first, second = bench.writer.call(lambda connection: start_many(connection, asked))
    assert first is not None
    assert first.run.started_at == bench.last("orders").started_at == bench.now
    assert second is None


def test_a_run_that_starts_as_its_job_is_removed_goes_on(make_bench: Make) -> None:
    """Whoever removes the job saw it waiting a moment before, and waits for the start to be committed."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    (run_id,) = bench.submitted
    ended: list[Ended] = []

    def remove_job() -> None:
        with bench.database.write() as connection:
            ended.extend(remove(connection, bench.book(), {"orders"}, bench.now))

    remover = threading.Thread(target=remove_job)
    with bench.database.write() as connection:
        assert start(connection, bench.book(), run_id, bench.node, bench.now)
        remover.start()
        remover.join(0.2)  # on PostgreSQL it has seen the run by then, as it was
    remover.join()
    assert ended == []
    assert bench.states("orders") == ["running"]


def test_a_tick_whose_id_another_node_gave_away_has_its_row_nevertheless(make_bench: Make) -> None:
    """Ids are made apart from each other, so two processes may make the same one in the same millisecond."""
    bench = make_bench(definition("orders"), definition("devices"))
    bench.fire("orders", 1)
    tick = replace(of_tick(bench.definitions["devices"], bench.now, bench.now), id=bench.last("orders").id)

    (recorded,) = bench.writer.call(lambda connection: record(connection, bench.book(), [tick], bench.now))

    assert bench.last("devices") == recorded
    assert recorded.id != bench.last("orders").id


def test_nodes_that_carry_out_commands_at_once_do_each_once(make_bench: Make) -> None:
    """Whoever comes second finds it taken; every command has its one run and its outcome."""
    bench = make_bench(*(definition(f"job-{number}", "manual") for number in range(5)))
    requests = [post(bench, "trigger", f"job-{number % 5}") for number in range(20)]
    line = threading.Barrier(_NODES)

    def node() -> None:
        writer = Writer(bench.database, lambda _error: None)
        writer.start()
        try:
            inbox = replace(bench.twin().inbox, writer=writer)
            line.wait(10.0)
            inbox.once()
        finally:
            writer.stop()

    with ThreadPoolExecutor(_NODES) as pool:
        for done in [pool.submit(node) for _ in range(_NODES)]:
            done.result()
    assert sorted(run.cause for run in bench.runs()) == sorted(f"manual:{request}" for request in requests)
    assert {outcome(bench, request) for request in requests} == {"done"}
