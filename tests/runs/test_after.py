"""A job that comes some time after another: its run waits in the ledger, and nothing that it does not need."""

from datetime import timedelta

from tests.runs.bench import Bench, Make, definition
from worker.model.events import RunStarted
from worker.model.records import Reason, Tick

TEN_MINUTES = timedelta(minutes=10)


def _ended_parent(make_bench: Make, **policy: object) -> Bench:
    """Returns a bench on which a run of `orders` has just ended, ten minutes before `reports` is due."""
    follower = definition("reports", {"after": ["orders"], "delay": "10m"}, **policy)
    bench = make_bench(definition("orders"), follower)
    bench.fire("orders", 1)
    bench.execute_all()
    return bench


def test_the_run_waits_until_its_time_has_come(make_bench: Make) -> None:
    """It stands in the ledger from the end of its parent on, and is submitted when the delay is over."""
    bench = _ended_parent(make_bench)
    run = bench.last("reports")
    assert run.not_before == bench.now + TEN_MINUTES
    assert bench.submitted == []

    bench.now += TEN_MINUTES - timedelta(seconds=1)
    bench.inbox.once()
    bench.executor.execute(run.id)  # by whatever mistake
    assert bench.states("reports") == ["queued"]

    bench.now += timedelta(seconds=1)
    bench.inbox.once()
    bench.execute_all()
    assert bench.states("reports") == ["succeeded"]
    (started,) = (one for one in bench.heard if isinstance(one, RunStarted) and one.job == "reports")
    assert started.late_s == 0


def test_another_process_carries_on_with_what_waits(make_bench: Make) -> None:
    """The delay is in the database: a node that starts meanwhile runs it when its time has come."""
    bench = _ended_parent(make_bench)
    other = bench.twin()
    other.now += TEN_MINUTES

    other.inbox.once()
    other.execute_all()

    assert bench.states("reports") == ["succeeded"]


def test_what_waits_for_its_time_holds_nothing_up(make_bench: Make) -> None:
    """A person's request is not kept waiting by a run that is not due yet."""
    bench = _ended_parent(make_bench)
    bench.dispatch.fire([Tick("reports", bench.now)])

    bench.execute_all()

    assert bench.states("reports") == ["queued", "succeeded"]


def test_two_that_wait_both_run(make_bench: Make) -> None:
    """Each end of the parent is followed; overlap is none of what has not begun."""
    bench = _ended_parent(make_bench)
    bench.fire("orders", 2)
    bench.execute_all()
    assert bench.states("reports") == ["queued", "queued"]

    bench.now += TEN_MINUTES
    bench.inbox.once()
    bench.execute_all()
    bench.inbox.once()
    bench.execute_all()

    assert bench.states("reports") == ["succeeded", "succeeded"]


def test_a_parent_that_did_not_end_as_asked_is_told_at_once(make_bench: Make) -> None:
    """There is nothing to wait for."""
    bench = make_bench(
        definition("orders"), definition("reports", {"after": ["orders"], "when": "failed", "delay": "1h"})
    )
    bench.fire("orders", 1)
    bench.execute_all()

    assert bench.last("reports").reason is Reason.UPSTREAM
