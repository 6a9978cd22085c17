"""One run from claim to end: counts, errors, retries, fences, followers."""

import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from jobs.contract import Context, GiveUp, RetryLater, Skip
from tests.runs.bench import Bench, Make, definition
from worker.model.errors import AttemptLost
from worker.model.events import RunFinished, RunRetrying
from worker.model.records import AttemptState, Reason, RunState, Trigger
from worker.model.retry import JobRetryOptions
from worker.runs import executor
from worker.runs.outcome import ShuttingDown
from worker.store import attempts, cursors, jobs, rejects
from worker.watch.logs import configure, gathered, log_event


def _raise(error: BaseException) -> Callable[[Context], None]:
    def act(_context: Context) -> None:
        raise error

    return act


def _run_once(bench: Bench) -> None:
    bench.fire("orders", 1)
    bench.execute_all()


def test_a_run_that_returns_has_succeeded_with_its_counts(make_bench: Make) -> None:
    """Counts of every unit add up in the run's row."""

    def act(context: Context) -> None:
        for _ in range(3):
            with context.unit() as unit:
                unit.count(read=10, written=7, unchanged=3, pages=1)

    bench = make_bench(definition("orders"), act=act)
    _run_once(bench)

    run = bench.last("orders")
    assert run.state is RunState.SUCCEEDED
    assert (run.counts.read, run.counts.written, run.counts.unchanged, run.counts.pages) == (30, 21, 9, 3)
    assert run.started_at is not None
    assert run.finished_at is not None
    (told,) = (event for event in bench.heard if isinstance(event, RunFinished))
    assert (told.state, told.read) == ("succeeded", 30)


def test_a_run_has_been_told_of_before_its_job_begins(make_bench: Make, tmp_path: Path) -> None:
    """A job may take the process down: the log says which one, though lines of a batch are gathered."""
    file = tmp_path / "worker.log"
    log = configure("info", "json", file)
    seen = list[bytes]()
    bench = make_bench(definition("orders"), act=lambda _: seen.append(file.read_bytes()))
    bench.dispatch.events.listen(log_event)
    with gathered():
        _run_once(bench)
    log.close()
    assert b"run.started" in seen[0]


def test_a_failure_waits_for_its_next_attempt_and_then_ends(make_bench: Make) -> None:
    """A retry is a new attempt of the same run, not before its backoff."""
    bench = make_bench(definition("orders"), act=_raise(ValueError("no luck")))

    _run_once(bench)
    waiting = bench.last("orders")
    assert waiting.state is RunState.QUEUED
    assert waiting.not_before is not None
    bench.inbox.once()
    assert bench.submitted == []
    bench.now = waiting.not_before + timedelta(seconds=1)
    bench.inbox.once()
    bench.execute_all()

    run = bench.last("orders")
    assert (run.state, run.attempt, run.error) == (RunState.FAILED, 2, "ValueError: no luck")
    assert [event.attempt for event in bench.heard if isinstance(event, RunRetrying)] == [1]


@pytest.mark.parametrize(
    ("error", "state", "attempt"),
    [
        (GiveUp("it is no use"), RunState.FAILED, AttemptState.FAILED),
        (Skip("no new file"), RunState.SKIPPED, AttemptState.SKIPPED),
        (RetryLater("not ready", 60.0), RunState.QUEUED, AttemptState.DEFERRED),
        (SystemExit(3), RunState.QUEUED, AttemptState.FAILED),
    ],
)
def test_a_job_asks_by_raising_a_word(
    make_bench: Make, error: BaseException, state: RunState, attempt: AttemptState
) -> None:
    """The executor owns the consequence of each word."""
    bench = make_bench(definition("orders"), act=_raise(error))

    _run_once(bench)

    run = bench.last("orders")
    with bench.database.read() as connection:
        (tried,) = attempts.of_run(connection, run.id)
    assert (run.state, tried.state) == (state, attempt)


@pytest.mark.parametrize("text", ["a NUL: \0", "half a character: \ud800"])
def test_an_error_that_no_database_takes_as_it_stands_ends_its_run(make_bench: Make, text: str) -> None:
    """Else the run would be running, and hold its job's lock, until the process dies."""
    bench = make_bench(definition("orders"), act=_raise(GiveUp(text)))

    _run_once(bench)

    run = bench.last("orders")
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert run.error.startswith(text[:-1])


def test_a_wait_without_end_for_the_next_attempt_is_recorded(make_bench: Make) -> None:
    """It led beyond the calendar's end, so that the run never ended and held its job's lock."""
    retry = JobRetryOptions.model_validate({"backoff": "9999999d", "max": "9999999d"})
    bench = make_bench(definition("orders", retry=retry), act=_raise(ValueError("no luck")))

    _run_once(bench)

    run = bench.last("orders")
    assert run.state is RunState.QUEUED
    assert run.not_before is not None
    assert run.not_before > bench.now + timedelta(days=10_000)


@pytest.mark.parametrize("after_s", [math.inf, math.nan, 1e12, "soon"])
def test_a_word_with_a_wait_that_is_none_fails_the_attempt(make_bench: Make, after_s: Any) -> None:  # noqa: ANN401  a job's author may write anything
    """Else the run could not be ended, and held its job's lock."""

    def act(_context: Context) -> None:
        raise RetryLater("not ready", after_s)

    bench = make_bench(definition("orders"), act=act)

    _run_once(bench)

    run = bench.last("orders")
    with bench.database.read() as connection:
        (tried,) = attempts.of_run(connection, run.id)
    kind = "TypeError" if after_s == "soon" else "ValueError"
    assert (run.state, tried.state, tried.error_kind) == (RunState.QUEUED, AttemptState.FAILED, kind)


def test_an_end_that_could_not_be_recorded_is_made_good(make_bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt stays known, and is ended as overdue later."""
    bench = make_bench(definition("orders", timeout=0.0))
    with monkeypatch.context() as broken:
        broken.setattr(executor, "end_many", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _run_once(bench)

    bench.executor.abandon_overdue(0.0)

    assert bench.last("orders").state is RunState.QUEUED
    assert bench.executor.underway() == []


def test_a_job_past_its_timeout_is_stopped_at_its_next_check(make_bench: Make) -> None:
    """The timeout is cooperative: check() raises, and the run says why it failed."""
    bench = make_bench(definition("orders", timeout=0.0), act=lambda context: context.check())

    _run_once(bench)

    with bench.database.read() as connection:
        (tried,) = attempts.of_run(connection, bench.last("orders").id)
    assert tried.error_kind == "timeout"


def test_an_attempt_that_ignores_its_timeout_loses_its_right_to_write(make_bench: Make) -> None:
    """It is ended from outside; what it writes afterwards is not stored, and its row stays as it is."""
    outcome: list[BaseException] = []

    def act(context: Context) -> None:
        bench.executor.abandon_overdue(0.0)
        try:
            with context.unit() as unit:
                unit.advance("late")
        except AttemptLost as error:
            outcome.append(error)
            raise

    bench = make_bench(definition("orders", timeout=0.0), act=act)
    _run_once(bench)

    assert outcome
    with bench.database.read() as connection:
        (tried,) = attempts.of_run(connection, bench.last("orders").id)
        assert cursors.get(connection, "orders").version == 0
    assert tried.error_kind == "timeout"
    assert bench.written_off == [bench.last("orders").id]


def test_a_unit_stores_rows_rejects_and_cursor_together(make_bench: Make) -> None:
    """What a unit gathered is there when it commits."""

    def act(context: Context) -> None:
        with context.unit() as unit:
            unit.connection.execute(sa.text("CREATE TABLE things (id INTEGER)"))
            unit.connection.execute(sa.text("INSERT INTO things VALUES (1)"))
            unit.reject({"id": None}, "it has no id")
            unit.advance("2026-01-01")
        assert context.cursor().value == "2026-01-01"

    bench = make_bench(definition("orders"), act=act)
    _run_once(bench)

    run = bench.last("orders")
    assert (run.state, run.counts.rejected) == (RunState.SUCCEEDED, 1)
    with bench.database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM things")) == 1
        assert [reject.reason for reject in rejects.listing(connection, run_id=run.id)] == ["it has no id"]


DEEP = pytest.param(orjson.loads(b"[" * 1000 + b"]" * 1000), id="deep")


@pytest.mark.parametrize(
    "record", [{1: "a key"}, {"beyond": 2**70}, {"half": "\ud800"}, {"set": {1}}, {"no": math.nan}, "a NUL: \0", DEEP]
)
def test_a_job_may_reject_what_json_cannot_hold(make_bench: Make, record: object) -> None:
    """The reject is kept as readable as can be; the unit does not fail for it."""

    def act(context: Context) -> None:
        with context.unit() as unit:
            unit.reject(record, "it is odd")

    bench = make_bench(definition("orders"), act=act)
    _run_once(bench)

    assert (bench.last("orders").state, bench.last("orders").counts.rejected) == (RunState.SUCCEEDED, 1)
    with bench.database.read() as connection:
        # What does not read back as it was cannot be tried again.
        assert [reject.whole for reject in rejects.listing(connection)] == [record == "a NUL: \0"]


def test_a_unit_that_raises_stores_nothing(make_bench: Make) -> None:
    """Rows, rejects, counts and cursor go together or not at all."""

    def act(context: Context) -> None:
        with context.unit() as unit:
            unit.connection.execute(sa.text("CREATE TABLE things (id INTEGER)"))
            unit.count(read=1)
            unit.advance("2026-01-01")
            raise GiveUp("half way")

    bench = make_bench(definition("orders"), act=act)
    _run_once(bench)

    assert bench.last("orders").counts.read == 0
    with bench.database.read() as connection:
        assert not sa.inspect(connection).has_table("things")
        assert cursors.get(connection, "orders").version == 0


def test_a_unit_on_another_database_moves_the_cursor_after_the_rows(make_bench: Make) -> None:
    """Rows elsewhere commit first, the ledger right after."""

    def act(context: Context) -> None:
        with context.unit("other") as unit:
            unit.count(read=2, written=2)
            unit.advance(7)

    bench = make_bench(definition("orders"), act=act)
    _run_once(bench)

    with bench.database.read() as connection:
        assert cursors.get(connection, "orders").value == 7
    assert bench.last("orders").counts.written == 2


def test_an_attempt_that_lost_its_right_stores_nothing_elsewhere_either(make_bench: Make) -> None:
    """Its rows would stand beside those of the next attempt, which cleared away what it had stored before."""

    def act(context: Context) -> None:
        bench.executor.abandon_overdue(0.0)
        with context.unit("other") as unit:
            unit.connection.execute(sa.text("CREATE TABLE late (id INTEGER)"))

    bench = make_bench(definition("orders", timeout=0.0), act=act)
    _run_once(bench)

    with bench.database.read() as connection:
        assert not sa.inspect(connection).has_table("late")


@pytest.mark.parametrize(
    ("when", "fails", "expected"),
    [
        ("succeeded", False, RunState.QUEUED),
        ("succeeded", True, RunState.SKIPPED),
        ("failed", True, RunState.QUEUED),
        ("failed", False, RunState.SKIPPED),
        ("finished", True, RunState.QUEUED),
    ],
)
def test_a_job_after_another_runs_when_that_ended_as_asked(
    make_bench: Make, when: str, fails: bool, expected: RunState
) -> None:
    """Otherwise it has a row that names the reason."""
    follower = definition("reports", {"after": ["orders"], "when": when})
    bench = make_bench(definition("orders"), follower, act=_raise(GiveUp("no")) if fails else lambda _: None)

    bench.fire("orders", 1)
    bench.executor.execute(bench.submitted.pop())

    run = bench.last("reports")
    assert (run.trigger, run.state, run.cause) == (Trigger.AFTER, expected, f"after:{bench.last('orders').id}")
    assert run.reason is (Reason.UPSTREAM if expected is RunState.SKIPPED else None)


def test_a_run_of_a_job_no_longer_configured_is_skipped(make_bench: Make) -> None:
    """A queued run whose job was taken out of the configuration ends with that reason."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    bench.definitions.clear()
    bench.writer.call(lambda connection: jobs.configure(connection, [], []))

    bench.execute_all()

    assert bench.last("orders").reason is Reason.REMOVED


def test_a_run_of_a_job_that_only_another_node_knows_waits_for_it(make_bench: Make) -> None:
    """As while nodes take up a new configuration one after the other; meanwhile it keeps nobody from its mutex."""
    bench = make_bench(definition("orders", mutex="erp"), definition("devices", mutex="erp"))
    bench.fire("orders", 1)
    behind = bench.twin()
    behind.definitions = {"devices": bench.definitions["devices"]}
    behind.inbox.once()
    behind.execute_all()
    assert [run.state for run in bench.runs("orders")] == [RunState.QUEUED]

    behind.fire("devices", 1)
    behind.execute_all()
    bench.execute_all()
    assert bench.states("orders") == bench.states("devices") == ["succeeded"]


def test_a_run_cut_off_by_a_stop_is_attempted_again(make_bench: Make) -> None:
    """Whatever is underway when the drain time is over goes back into the queue, and no retry is used up."""

    def act(_context: Context) -> None:
        bench.executor.abandon_all(ShuttingDown("leaving"))

    bench = make_bench(definition("orders"), act=act)
    _run_once(bench)

    run = bench.last("orders")
    assert (run.state, run.reason) == (RunState.QUEUED, Reason.SHUTDOWN)
    bench.inbox.once()
    assert bench.submitted == [run.id]
