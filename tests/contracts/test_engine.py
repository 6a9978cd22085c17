"""What every engine keeps; a new one joins by adding its maker to ENGINES."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from worker.engine.base import Engine
from worker.engine.pool import LocalPool, Task

Execute = Callable[[int], None]
OnError = Callable[[int, BaseException], None]


def pool_that_begins(size: int, execute: Execute, on_error: OnError) -> Engine:
    """Returns a pool that is told in another thread what to do of a run, as the ledger's writer does."""

    def begin(run_id: int, ready: Callable[[Task | None], None]) -> None:
        threading.Thread(target=ready, args=(partial(execute, run_id),), daemon=True).start()

    return LocalPool(size, execute, on_error, begin)


ENGINES: list[Callable[[int, Execute, OnError], Engine]] = [LocalPool, pool_that_begins]
PATIENCE_S = 30.0  # how long a test waits for what must happen


class Work:
    """Runs that wait until a test lets them go, and keep who came."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.ended: list[int] = []
        self.errors: list[tuple[int, BaseException]] = []
        self.failing: dict[int, BaseException] = {}
        self.changed = threading.Condition()
        self.gate = threading.Event()

    def execute(self, run_id: int) -> None:
        """Begins, waits at the gate, ends or raises."""
        with self.changed:
            self.began.append(run_id)
            self.changed.notify_all()
        self.gate.wait(PATIENCE_S)
        if run_id in self.failing:
            raise self.failing[run_id]
        with self.changed:
            self.ended.append(run_id)
            self.changed.notify_all()

    def on_error(self, run_id: int, error: BaseException) -> None:
        """Keeps an error."""
        with self.changed:
            self.errors.append((run_id, error))
            self.changed.notify_all()

    def wait_for(self, happened: Callable[[], bool]) -> None:
        """Waits until something is so; fails the test if it never is."""
        with self.changed:
            assert self.changed.wait_for(happened, PATIENCE_S)


@pytest.fixture
def work() -> Work:
    """What the engine is given to execute."""
    return Work()


@pytest.fixture(params=ENGINES, ids=lambda maker: maker.__name__)
def engine(request: pytest.FixtureRequest, work: Work) -> Iterator[Engine]:
    """An engine of two threads, started; stopped at the end."""
    made: Engine = request.param(2, work.execute, work.on_error)
    made.start()
    yield made
    work.gate.set()
    assert made.stop(PATIENCE_S)


def test_what_is_submitted_is_executed(engine: Engine, work: Work) -> None:
    """Each submitted run is executed once."""
    work.gate.set()
    for run_id in range(1, 201):
        engine.submit(run_id)
    work.wait_for(lambda: len(work.ended) == 200)
    assert sorted(work.began) == list(range(1, 201))


def test_no_more_at_once_than_its_size(engine: Engine, work: Work) -> None:
    """Runs beyond its size wait; the engine tells how many are busy and waiting."""
    for run_id in (1, 2, 3, 4, 5):
        engine.submit(run_id)
    work.wait_for(lambda: len(work.began) == 2)
    assert (engine.busy, engine.waiting) == (2, 3)
    work.gate.set()
    work.wait_for(lambda: len(work.ended) == 5)
    assert sorted(work.began[:2]) == [1, 2]


@pytest.mark.parametrize("maker", ENGINES, ids=lambda maker: maker.__name__)
def test_of_those_that_wait_the_highest_begins_first_then_the_oldest(
    maker: Callable[[int, Execute, OnError], Engine], work: Work
) -> None:
    """What a person asked for does not stand behind a night's catch-up; with one thread, so that the order is told."""
    engine = maker(1, work.execute, work.on_error)
    engine.start()
    engine.submit(1)
    work.wait_for(lambda: len(work.began) == 1)
    for run_id, priority in ((3, 0), (4, -5), (5, 10), (6, 0), (7, 10)):
        engine.submit(run_id, priority)
    engine.submit(4, 100)
    work.gate.set()
    work.wait_for(lambda: len(work.ended) == 6)
    assert engine.stop(PATIENCE_S)
    assert work.began == [1, 5, 7, 3, 6, 4]


def test_a_repeat_changes_nothing(engine: Engine, work: Work) -> None:
    """A run that waits or is executed is not taken a second time."""
    for run_id in (1, 2, 3):
        engine.submit(run_id)
    work.wait_for(lambda: len(work.began) == 2)
    for run_id in (1, 2, 3):
        engine.submit(run_id)
    assert engine.waiting == 1
    work.gate.set()
    work.wait_for(lambda: len(work.ended) == 3)
    assert sorted(work.began) == [1, 2, 3]


def test_a_run_that_ended_may_come_again(engine: Engine, work: Work) -> None:
    """Its next attempt is executed like the first."""
    work.gate.set()
    engine.submit(1)
    with work.changed:  # submitted in vain until the engine has seen its end
        while not work.changed.wait_for(lambda: len(work.ended) >= 2, timeout=0.001):
            engine.submit(1)


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_errors_are_told_and_cost_nothing(engine: Engine, work: Work, error: BaseException) -> None:
    """What a run raises is told with its id; the engine goes on at its full size."""
    work.failing = dict.fromkeys(range(1, 11), error)
    work.gate.set()
    for run_id in range(1, 11):
        engine.submit(run_id)
    work.wait_for(lambda: len(work.errors) == 10)
    assert dict(work.errors) == work.failing
    work.gate.clear()
    engine.submit(101)
    engine.submit(102)
    work.wait_for(lambda: {101, 102} <= set(work.began))


def test_a_run_that_does_not_come_back_costs_no_place(engine: Engine, work: Work) -> None:
    """Written off, it may be submitted again, and others find the engine at its full size."""
    engine.submit(1)
    work.wait_for(lambda: work.began == [1])
    engine.write_off(1)
    assert engine.busy == 0
    engine.submit(1)
    engine.submit(2)
    engine.submit(3)
    work.wait_for(lambda: len(work.began) == 3)
    assert sorted(work.began) == [1, 1, 2]
    work.gate.set()
    work.wait_for(lambda: len(work.ended) == 4)
    assert sorted(work.began) == [1, 1, 2, 3]


def test_what_is_not_executed_is_not_written_off(engine: Engine, work: Work) -> None:
    """A run that ended meanwhile, or that waits, is left as it is."""
    for run_id in (1, 2, 3):
        engine.submit(run_id)
    work.wait_for(lambda: len(work.began) == 2)
    engine.write_off(3)
    engine.write_off(4)
    assert (engine.busy, engine.waiting) == (2, 1)


def test_stop_waits_for_what_runs(engine: Engine, work: Work) -> None:
    """A stop lets executed runs end, begins no other, and answers True."""
    for run_id in (1, 2, 3):
        engine.submit(run_id)
    work.wait_for(lambda: len(work.began) == 2)
    answers: list[bool] = []
    stopper = threading.Thread(target=lambda: answers.append(engine.stop(PATIENCE_S)))
    stopper.start()
    assert engine.stop(0.0) is False  # both are at the gate: the stop has begun, nothing has ended
    work.gate.set()
    stopper.join(PATIENCE_S)
    assert answers == [True]
    assert sorted(work.ended) == [1, 2]
    assert engine.busy == 0


def test_stop_is_bounded(engine: Engine, work: Work) -> None:
    """A run that does not end holds up a stop for the time given, and the answer says so."""
    engine.submit(1)
    work.wait_for(lambda: work.began == [1])
    assert engine.stop(0.02) is False
    assert engine.busy == 1


def test_nothing_begins_after_a_stop(engine: Engine, work: Work) -> None:
    """What is submitted to a stopped engine stays where it is stored."""
    work.gate.set()
    assert engine.stop(PATIENCE_S)
    engine.submit(1)
    assert work.began == []


def test_an_engine_stops_that_was_never_started(work: Work) -> None:
    """A stop needs no start before it."""
    for maker in ENGINES:
        assert maker(2, work.execute, work.on_error).stop(0.1)
