"""Steps before and after a job's work: they may call it off, run under its leash, and are fenced by its attempt."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa

from jobs.contract import Context, GiveUp, RetryLater, Skip
from tests.runs.bench import START, Bench, Make, definition
from tests.runs.test_context_calls import account
from worker.config.configuration import JobDefinition
from worker.model.events import JobWarned
from worker.model.records import Attempt, AttemptState, Reason, RunState
from worker.runs.outcome import ShuttingDown
from worker.store import attempts
from worker.store.database import Database
from worker.store.writer import Writer

Act = Callable[[Context], None]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in order, by the functions of the module `own_steps` and by the work."""
    noted: list[str] = []
    module = ModuleType("own_steps")

    def raising(error: BaseException) -> Act:
        def step(_context: Context) -> None:
            noted.append(type(error).__name__)
            raise error

        return step

    def note(_context: Context, text: str) -> None:
        noted.append(text)

    vars(module).update(
        note=note,
        off=raising(Skip("the books are closed")),
        broken=raising(ValueError("no luck")),
        later=raising(RetryLater("not yet", 60.0)),
    )
    monkeypatch.setitem(sys.modules, "own_steps", module)
    return noted


def step(text: str, **options: object) -> dict[str, object]:
    """Returns a step that notes a text."""
    return {"python": "own_steps:note", "params": {"text": text}, **options}


def job(before: object = (), after: object = (), **policy: object) -> JobDefinition:
    """Returns a job with steps."""
    return definition("orders", steps_before=before, steps_after=after, **policy)


def _run(bench: Bench) -> None:
    bench.fire("orders", 1)
    bench.execute_all()


def _attempt(bench: Bench) -> Attempt:
    with bench.database.read() as connection:
        return attempts.of_run(connection, bench.last("orders").id)[-1]


def _count(bench: Bench) -> Any:  # noqa: ANN401  one number
    with bench.database.read() as connection:
        return connection.scalar(sa.text("SELECT count(*) FROM things"))


def _things(bench: Bench, *ids: int) -> None:
    with bench.database.write() as connection:
        connection.execute(sa.text("CREATE TABLE things (id INTEGER)"))
        for one in ids:
            connection.execute(sa.text("INSERT INTO things VALUES (:id)"), {"id": one})


def test_steps_stand_around_the_work(make_bench: Make, done: list[str]) -> None:
    """In the order in which they are written."""
    steps = job([step("first"), step("second")], [step("third"), step("fourth", on="always")])
    bench = make_bench(steps, act=lambda _: done.append("work"))

    _run(bench)

    assert bench.last("orders").state is RunState.SUCCEEDED
    assert done == ["first", "second", "work", "third", "fourth"]


def test_a_step_before_may_call_the_run_off(make_bench: Make, done: list[str]) -> None:
    """The run is skipped with what the step said; what comes behind it is not done, whatever it says."""
    steps = job([{"python": "own_steps:off"}, step("second")], step("after", on="always"))
    bench = make_bench(steps, act=lambda _: done.append("work"))

    _run(bench)

    run = bench.last("orders")
    assert (run.state, run.reason, run.error_kind) == (RunState.SKIPPED, Reason.STEP, "step")
    assert run.error == "step before-1: the books are closed"
    assert done == ["Skip"]


@pytest.mark.parametrize(
    ("sql", "word", "called_off"),
    [
        ("select id from things where id = :wanted", "empty", False),
        ("select id from things where id > :wanted", "empty", True),
        ("select id from things where id = :wanted", "rows", True),
        ("delete from things where id = :wanted", "empty", False),
        ("delete from things where id > :wanted", "empty", True),
        ("delete from things where id = :wanted", "rows", True),
    ],
)
def test_a_statement_may_call_the_run_off(make_bench: Make, sql: str, word: str, called_off: bool) -> None:
    """By what it finds or changes; what it changed is taken back then."""
    first = {"sql": sql, "database": "other", "params": {"wanted": 7}, "skip_if": word}
    bench = make_bench(job(first))
    _things(bench, 7)

    _run(bench)

    run = bench.last("orders")
    assert run.state is (RunState.SKIPPED if called_off else RunState.SUCCEEDED)
    found = "rows" if word == "rows" else "no rows"
    assert run.error == (f"step before-1: it found {found} ({sql}; database other)" if called_off else None)
    assert _count(bench) == (0 if sql.startswith("delete") and not called_off else 1)


def test_statements_of_a_step_are_one_transaction(make_bench: Make) -> None:
    """The second one fails, so the first one has not happened; the attempt failed."""
    bench = make_bench(job({"sql": ["delete from things", "delete from nothing"]}))
    _things(bench, 1)

    _run(bench)

    tried = _attempt(bench)
    assert (tried.state, tried.error_kind, _count(bench)) == (AttemptState.FAILED, "step_failed", 1)
    assert str(tried.error).startswith("the step before-1 failed: ")
    assert str(tried.error).endswith("(delete from nothing; the worker's own database)")


def test_statements_of_an_attempt_that_lost_its_right_are_not_stored(make_bench: Make) -> None:
    """A step after the work is fenced like the work's own units."""
    database: list[Database] = []

    def lose(context: Context) -> None:
        with database[0].write() as connection:
            attempts.end(connection, context.run_id, context.attempt, AttemptState.LOST, START)

    bench = make_bench(job(after={"sql": "delete from things"}), act=lose)
    database.append(bench.database)
    _things(bench, 1)

    _run(bench)

    assert _attempt(bench).state is AttemptState.LOST
    assert _count(bench) == 1


def test_a_failing_step_after_the_work_fails_the_attempt(make_bench: Make, done: list[str]) -> None:
    """With an error that names the step."""
    bench = make_bench(job(after=[{"python": "own_steps:broken"}, step("next")]))

    _run(bench)

    tried = _attempt(bench)
    assert (tried.state, tried.error_kind) == (AttemptState.FAILED, "step_failed")
    assert tried.error == "the step after-1 (own_steps:broken) failed: ValueError: no luck"
    assert done == ["ValueError"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("odd"), ["always"]),
        (GiveUp("no use"), ["always"]),
        (Skip("nothing new"), ["always"]),
        (ShuttingDown("we leave"), []),
    ],
)
def test_after_a_failure_only_steps_that_run_always_are_done(
    make_bench: Make, done: list[str], error: Exception, told: list[str]
) -> None:
    """Not where the attempt has to end at once; the work's own error stands."""

    def act(_context: Context) -> None:
        raise error

    bench = make_bench(job(after=[step("after success"), step("always", on="always")]), act=act)

    _run(bench)

    assert done == told
    assert str(error) in str(_attempt(bench).error)


def test_a_step_that_fails_after_a_failure_is_told_of(make_bench: Make, done: list[str]) -> None:
    """The run's error stays the work's own."""

    def act(_context: Context) -> None:
        raise GiveUp("no use")

    bench = make_bench(job(after={"python": "own_steps:broken", "on": "always"}), act=act)

    _run(bench)

    (told,) = (event for event in bench.heard if isinstance(event, JobWarned))
    assert bench.last("orders").error == "no use"
    assert "no luck" in str(told.details)


def test_a_step_may_ask_for_another_attempt(make_bench: Make, done: list[str]) -> None:
    """The signals of the contract mean what they mean in a job."""
    bench = make_bench(job({"python": "own_steps:later"}), act=lambda _: done.append("work"))

    _run(bench)

    assert (_attempt(bench).state, done) == (AttemptState.DEFERRED, ["RetryLater"])


def test_steps_are_under_the_leash_of_the_run(make_bench: Make, done: list[str]) -> None:
    """None begins once the time is up."""
    bench = make_bench(job(step("first"), timeout=0.0))

    _run(bench)

    assert (_attempt(bench).error_kind, done) == ("timeout", [])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_request_as_a_step_is_a_call_of_the_run(database: Database, writer: Writer, make_bench: Make) -> None:
    """One that may not be sent twice is sent in the first attempt only; it counts nothing."""

    def act(context: Context) -> None:
        if context.attempt == 1:
            raise RetryLater("not yet", 0.0)

    ping = {"request": {"account": "tangoe", "path": "/ping", "method": "POST"}}
    look = {"request": {"account": "tangoe", "path": "/look"}}
    with account(database, writer, make_bench) as make:
        bench = make(job([ping, look], look), act=act)
        _run(bench)
        bench.inbox.once()
        bench.execute_all()

    run = bench.last("orders")
    assert (run.state, run.attempt, run.counts.read, run.counts.written) == (RunState.SUCCEEDED, 2, 0, 0)
    writer.call(lambda _: None)
    with database.read() as connection:
        told = [row[0] for row in connection.execute(sa.text("SELECT method FROM calls ORDER BY id"))]
    assert told == ["POST", "GET", "GET", "GET"]
