"""Conditions: a run whose condition does not hold is skipped, and says what was found."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.runs.bench import START, Bench, Make, definition
from worker.model.records import AttemptState, Reason, RunState
from worker.store import attempts

OPEN = {"sql": "select count(*) from orders where state = :state", "database": "other", "params": {"state": "open"}}


def _run(bench: Bench, minute: int = 1) -> None:
    bench.fire("orders", minute)
    bench.execute_all()


def _orders(bench: Bench, *states: str) -> None:
    with bench.database.write() as connection:
        connection.execute(sa.text("CREATE TABLE orders (state TEXT)"))
        for state in states:
            connection.execute(sa.text("INSERT INTO orders VALUES (:state)"), {"state": state})


def test_a_run_whose_query_finds_something_does_its_work(make_bench: Make) -> None:
    """The first value of the first row is true."""
    bench = make_bench(definition("orders", condition=OPEN))
    _orders(bench, "open", "closed")

    _run(bench)

    assert bench.last("orders").state is RunState.SUCCEEDED


def test_a_run_whose_query_finds_nothing_is_skipped_and_says_so(make_bench: Make) -> None:
    """The job is not begun, and the row tells what was found and where."""
    bench = make_bench(definition("orders", condition=OPEN), act=lambda _: pytest.fail("it was begun"))
    _orders(bench, "closed")

    _run(bench)

    run = bench.last("orders")
    assert (run.state, run.reason, run.error_kind) == (RunState.SKIPPED, Reason.CONDITION, "condition")
    assert run.error == f"the condition found 0 ({OPEN['sql']}; database other)"
    with bench.database.read() as connection:
        assert [one.state for one in attempts.of_run(connection, run.id)] == [AttemptState.SKIPPED]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select state from orders where state = 'none'", "no row"),
        ("select max(state) from orders where state = 'none'", "NULL"),
        ("select ''", "''"),
        ("select 1 where 1 = 0", "no row"),
        ("select case when :job = 'orders' and :until is not null then 0 else 1 end", "0"),
    ],
)
def test_what_is_false(make_bench: Make, sql: str, found: str) -> None:
    """No row, NULL, 0, false and the empty text."""
    bench = make_bench(definition("orders", condition={"sql": sql}))
    _orders(bench)

    _run(bench)

    assert f"the condition found {found} (" in str(bench.last("orders").error)


@pytest.mark.parametrize("sql", ["select 1 from nowhere", "delete from orders returning 1"])
def test_a_condition_that_cannot_be_told_fails_the_attempt(make_bench: Make, sql: str) -> None:
    """It is tried again like any failure; and it can change nothing."""
    bench = make_bench(definition("orders", condition={"sql": sql}))
    _orders(bench, "open")

    _run(bench)

    run = bench.last("orders")
    with bench.database.read() as connection:
        (tried,) = attempts.of_run(connection, run.id)
        assert connection.scalar(sa.text("SELECT count(*) FROM orders")) == 1
    assert (run.state, tried.state, tried.error_kind) == (RunState.QUEUED, AttemptState.FAILED, "condition_failed")
    assert str(tried.error).startswith("the condition cannot be told: ")
    assert f"({sql}; the worker's own database)" in str(tried.error)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("trigger == 'tick' && job == 'orders' && attempt == `1`", True),
        ("scheduled.weekday == 'sun' && scheduled.hour == `13`", True),
        ("now.date == '2026-03-01' && now.time == '13:02:00'", True),
        ("last_success.read > `10`", False),
        ("last_success.written == `7` && last_success.age_s == `60`", True),
        ("last_run.state == 'succeeded' && last_run.reason == `null`", True),
        ("window.seconds == `60`", True),
        ("params.force", False),
        ("window.since", True),
    ],
)
def test_an_expression_asks_for_facts_of_the_run(make_bench: Make, expression: str, holds: bool) -> None:
    """Of this run, the run before it and the last success; times of day in the job's zone."""

    def act(context: object) -> None:
        with context.unit() as unit:  # type: ignore[attr-defined]
            unit.count(read=10, written=7)

    bench = make_bench(definition("orders"), act=act)
    _run(bench)
    asking = definition("orders", timezone="Europe/Berlin", condition={"expression": expression})
    bench.definitions["orders"] = asking

    _run(bench, 2)

    run = bench.last("orders")
    assert (run.state, run.reason) == ((RunState.SUCCEEDED, None) if holds else (RunState.SKIPPED, Reason.CONDITION))
    assert run.tick == START + timedelta(minutes=2)


def test_an_expression_finds_no_run_before_the_first(make_bench: Make) -> None:
    """What is not there is null, which does not hold."""
    bench = make_bench(definition("orders", condition={"expression": "last_success"}))

    _run(bench)

    told = "the condition found null (last_success)"
    assert bench.last("orders").error == told


def test_an_expression_that_fails_says_where(make_bench: Make) -> None:
    """A function that is given what it cannot take."""
    bench = make_bench(definition("orders", condition={"expression": "length(attempt)"}, retry={"attempts": 1}))

    _run(bench)

    run = bench.last("orders")
    assert (run.state, run.error_kind) == (RunState.FAILED, "condition_failed")
    assert "'length(attempt)' cannot be applied" in str(run.error)
