"""Rescue: a dead node's runs are attempted again, a living node's never."""

from datetime import timedelta
from functools import partial

import pytest

from tests.runs.bench import Bench, Make, definition
from worker.model.events import RunRescued
from worker.model.moments import new_id
from worker.model.records import AttemptState, Call, Purpose, Reason, RunState
from worker.runs.starting import start
from worker.store import attempts, calls, nodes, tokens


def _left_running(bench: Bench, silent_for_s: float) -> int:
    """Leaves a run underway on a node whose heart beat so long ago; returns the node."""
    node = new_id()
    bench.register(node, silent_for_s)
    bench.fire("orders", 1)
    run_id = bench.submitted.pop()
    assert bench.writer.call(lambda connection: start(connection, bench.book(), run_id, node, bench.now))
    return node


def test_a_dead_nodes_run_is_attempted_again(make_bench: Make) -> None:
    """Its attempt is lost, its run waits in the queue and then succeeds."""
    bench = make_bench(definition("orders"))
    _left_running(bench, 31.0)

    bench.pulse.once()
    bench.inbox.once()
    bench.execute_all()

    run = bench.last("orders")
    with bench.database.read() as connection:
        tried = [attempt.state for attempt in attempts.of_run(connection, run.id)]
    assert run.state is RunState.SUCCEEDED
    assert tried == [AttemptState.LOST, AttemptState.SUCCEEDED]


def test_a_living_nodes_run_is_left_alone(make_bench: Make) -> None:
    """A node within its lease keeps what it runs."""
    bench = make_bench(definition("orders"))
    _left_running(bench, 20.0)

    bench.pulse.once()

    assert bench.last("orders").state is RunState.RUNNING


def test_on_a_file_of_its_own_a_daemon_knows_at_once_that_others_are_dead(make_bench: Make) -> None:
    """Whoever holds the file's lock need not wait for a lease to end."""
    bench = make_bench(definition("orders"))
    _left_running(bench, 0.0)

    assert bench.pulse.rescue(alone=True) == 1
    assert bench.last("orders").state is RunState.QUEUED
    with bench.database.read() as connection:
        assert [node.id for node in nodes.living(connection, bench.database.lease_now(connection))] == [bench.node]


def test_a_rescued_run_waits_for_no_clock(make_bench: Make) -> None:
    """The rescuer's wall clock may be ahead of that of the node that takes the run, or be set back just then."""
    bench = make_bench(definition("orders"))
    _left_running(bench, 31.0)
    bench.pulse.once()

    bench.now -= timedelta(hours=1)
    bench.inbox.once()

    assert bench.submitted == [bench.last("orders").id]


def test_of_two_nodes_that_rescue_at_once_one_tells(make_bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one, which saw the dead node's attempt too, finds it ended."""
    bench = make_bench(definition("orders"))
    _left_running(bench, 31.0)
    with bench.database.read() as connection:
        seen = attempts.running(connection)
    other = bench.twin()
    other.now += timedelta(seconds=1)
    assert bench.pulse.rescue() == 1

    monkeypatch.setattr(attempts, "running", lambda _connection: seen)

    assert other.pulse.rescue() == 0
    assert [event for event in other.heard if isinstance(event, RunRescued)] == []


def test_a_run_that_kills_its_process_again_and_again_fails(make_bench: Make) -> None:
    """Three deaths are enough: the next start is not taken down too."""
    bench = make_bench(definition("orders"))
    _left_running(bench, 31.0)
    run_id = bench.last("orders").id
    for _ in range(2):
        bench.pulse.once()
        node = new_id()
        bench.register(node, 31.0)
        bench.now += timedelta(seconds=1)
        bench.writer.call(partial(start, book=bench.book(), run_id=run_id, node_id=node, now=bench.now))
    bench.pulse.once()

    run = bench.last("orders")
    assert (run.state, run.reason, run.attempt) == (RunState.FAILED, Reason.NODE_DIED, 3)


def test_a_dead_nodes_open_calls_are_closed_as_unanswered(make_bench: Make) -> None:
    """A call whose answer never came is recorded as such."""
    bench = make_bench(definition("orders"))
    node = _left_running(bench, 31.0)
    call = Call(new_id(), "erp", Purpose.READ, bench.now, "GET", "https://erp.example.com/", node_id=node)
    bench.writer.call(lambda connection: calls.record(connection, [call]))

    bench.pulse.once()

    with bench.database.read() as connection:
        (row,) = calls.listing(connection)
    assert row.error is not None
    assert "died" in row.error


def test_alone_on_its_file_a_daemon_ends_the_leases_of_the_dead(make_bench: Make) -> None:
    """Who knows that no other daemon lives does not wait for a dead one's token lease; elsewhere it has to end."""
    bench = make_bench(definition("orders"))
    later = bench.now + timedelta(days=36500)
    claim = tokens.Claim("erp", 0, None, 7, "dead", bench.now, later)
    with bench.database.write() as connection:
        assert tokens.take_lease(connection, claim)

    bench.pulse.once()
    with bench.database.read() as connection:
        assert tokens.load(connection, "erp").lease_owner == "dead"

    bench.pulse.rescue(alone=True)
    with bench.database.read() as connection:
        row = tokens.load(connection, "erp")
    assert (row.lease_owner, row.lease_until, row.attempt_id) == (None, None, 7)
