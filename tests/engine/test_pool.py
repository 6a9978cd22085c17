"""What the local pool keeps beyond the engines' contract."""

import threading
from collections.abc import Callable

import pytest

from worker.engine.pool import LocalPool, Task
from worker.model.errors import StoreError

PATIENCE_S = 30.0  # how long a test waits for what must happen
LAST = 999


def test_left_are_those_never_begun() -> None:
    """After a stop the pool gives back what waited, in order, and what came after."""
    gate, began = threading.Event(), threading.Event()

    def execute(_run_id: int) -> None:
        began.set()
        gate.wait(PATIENCE_S)

    pool = LocalPool(1, execute, lambda _run_id, _error: None)
    pool.start()
    for run_id in (1, 9, 5, 7):
        pool.submit(run_id)
    assert began.wait(PATIENCE_S)
    assert pool.stop(0.01) is False
    pool.submit(4)
    pool.submit(9)
    assert pool.left() == [9, 5, 7, 4]
    gate.set()
    assert pool.stop(PATIENCE_S)
    assert pool.left() == [9, 5, 7, 4]


def test_threads_have_names_and_never_hold_the_process() -> None:
    """Threads are run-0, run-1 and so on, so that a log line tells them apart; they are daemons."""
    seen: set[tuple[str, bool]] = set()
    together = threading.Barrier(4)  # the three and this test

    def execute(_run_id: int) -> None:
        seen.add((threading.current_thread().name, threading.current_thread().daemon))
        together.wait(PATIENCE_S)

    pool = LocalPool(3, execute, lambda _run_id, _error: None)
    pool.start()
    for run_id in (1, 2, 3):
        pool.submit(run_id)
    together.wait(PATIENCE_S)
    assert pool.stop(PATIENCE_S)
    assert seen == {("run-0", True), ("run-1", True), ("run-2", True)}


def test_a_failing_error_listener_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """When even the listener for errors raises, it is logged with the run, and the thread goes on."""
    done = threading.Event()

    def execute(run_id: int) -> None:
        if run_id == 1:
            raise ValueError("broken")
        done.set()

    def on_error(_run_id: int, _error: BaseException) -> None:
        raise RuntimeError("no")

    pool = LocalPool(1, execute, on_error)
    pool.start()
    pool.submit(1)
    pool.submit(2)
    assert done.wait(PATIENCE_S)
    assert pool.stop(PATIENCE_S)
    assert "on_error failed" in caplog.text
    assert caplog.records[0].__dict__["run"] == 1


def test_many_submitters_never_double_a_run() -> None:
    """Threads that submit the same ids at once have each executed once per time it was free."""
    lock = threading.Lock()
    running: set[int] = set()
    doubled: list[int] = []
    last = threading.Event()

    def execute(run_id: int) -> None:
        if run_id == LAST:
            last.set()
        with lock:
            if run_id in running:
                doubled.append(run_id)
            running.add(run_id)
        with lock:
            running.discard(run_id)

    pool = LocalPool(4, execute, lambda _run_id, _error: None)
    pool.start()

    def submit() -> None:
        for number in range(2000):
            pool.submit(number % 7)

    submitters = [threading.Thread(target=submit) for _ in range(4)]
    for thread in submitters:
        thread.start()
    for thread in submitters:
        thread.join(PATIENCE_S)
    pool.submit(LAST)
    assert last.wait(PATIENCE_S)  # the queue is in order: all others have begun
    assert pool.stop(PATIENCE_S)
    assert doubled == []
    assert pool.left() == []


def test_a_run_that_is_not_to_be_executed_gives_its_place_back() -> None:
    """What `begin` makes nothing of, or fails at, costs no place: all others are executed, and the pool ends."""
    done: list[int] = []
    failed: list[int] = []
    last = threading.Event()

    def begin(run_id: int, ready: Callable[[Task | None], None]) -> None:
        if run_id % 3 == 0:
            raise StoreError("the writer has stopped")
        ready((lambda: done.append(run_id)) if run_id % 3 == 1 else None)

    def last_or_begin(run_id: int, ready: Callable[[Task | None], None]) -> None:
        if run_id == LAST:
            ready(last.set)
        else:
            begin(run_id, ready)

    pool = LocalPool(2, done.append, lambda run_id, _error: failed.append(run_id), last_or_begin)
    pool.start()
    for run_id in (*range(60), LAST):
        pool.submit(run_id)
    assert last.wait(PATIENCE_S)
    assert pool.stop(PATIENCE_S)
    assert (sorted(done), failed) == ([*range(1, 60, 3)], [*range(0, 60, 3)])
    assert (pool.busy, pool.left()) == (0, [])
