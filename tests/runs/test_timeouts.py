"""A timeout is enforced: at the next check, then in the call underway, then by taking the right to write."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from jobs.contract import Context
from tests.calls.asking import Asker
from tests.runs.bench import Bench as Jobs
from tests.runs.bench import Make, definition
from tests.wire.farend import Bench, FarEnd, Request
from worker.config.configuration import JobDefinition
from worker.model.records import Attempt, AttemptState, Reason, RunState
from worker.store import attempts
from worker.store.database import Database
from worker.store.writer import Writer

Act = Callable[[Context], None]


@contextmanager
def silent(database: Database, writer: Writer, make: Make, job: JobDefinition, act: Act) -> Iterator[Jobs]:
    """A bench whose account `tangoe` is never answered: its own deadline is ten seconds."""
    wire = Bench(database, writer)

    def play(_connection: socket.socket, _request: Request) -> bool:
        return not far._over.wait(30.0)

    with FarEnd(play) as far:
        bench = make(job, act=act)
        bench.accounts["tangoe"] = Asker(wire).api(far.url)._api
        yield bench
    wire.close()


def _tried(bench: Jobs) -> Attempt:
    with bench.database.read() as connection:
        return attempts.of_run(connection, bench.last("orders").id)[-1]


@pytest.mark.parametrize(("method", "kind"), [("GET", "timeout"), ("POST", "unanswered")])
def test_a_call_ends_with_what_is_left_of_the_timeout(
    database: Database, writer: Writer, make_bench: Make, method: str, kind: str
) -> None:
    """A read ends as timed out; of what may have changed something the doubt is told, and the reason is the timeout."""
    job = definition("orders", timeout=0.3, retry={"attempts": 1})
    began = time.monotonic()

    def act(context: Context) -> None:
        context.api("tangoe").request(method, "x")

    with silent(database, writer, make_bench, job, act) as bench:
        bench.fire("orders", 1)
        bench.execute_all()

    run = bench.last("orders")
    assert (run.state, run.reason, run.error_kind) == (RunState.FAILED, Reason.TIMEOUT, kind)
    assert time.monotonic() - began < 8.0, "the call's own deadline cut it off, not the run's timeout"
    if kind == "unanswered":
        assert "that were left of the run's timeout" in str(run.error)


def test_the_kinds_of_a_timeouts_attempts_are_failures(make_bench: Make) -> None:
    """It is counted and tried again as retry says for it, whether it heeded its timeout or was fenced off."""
    once = definition("orders", timeout=0.0, retry={"attempts": 5, "on": {"timeout": {"attempts": 1}}})
    heeding = make_bench(once, act=lambda context: context.check())

    heeding.fire("orders", 1)
    heeding.execute_all()

    run = heeding.last("orders")
    assert (run.state, run.reason, run.attempt) == (RunState.FAILED, Reason.TIMEOUT, 1)
    assert _tried(heeding).state is AttemptState.FAILED


def test_an_attempt_that_is_fenced_off_is_a_failure_by_timeout(make_bench: Make) -> None:
    """What it does afterwards changes nothing: the run ended with the reason timeout."""
    benches: list[Jobs] = []
    job = definition("orders", timeout=0.0, retry={"attempts": 1})
    bench = make_bench(job, act=lambda _: benches[0].executor.abandon_overdue(0.0))
    benches.append(bench)

    bench.fire("orders", 1)
    bench.execute_all()

    run = bench.last("orders")
    assert (run.state, run.reason, run.error_kind) == (RunState.FAILED, Reason.TIMEOUT, "timeout")
    assert (_tried(bench).state, bench.written_off) == (AttemptState.FAILED, [run.id])
