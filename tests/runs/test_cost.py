"""What a lone run asks of the database: each statement takes more time than what it reads or writes."""

from collections.abc import Callable

import sqlalchemy as sa

from tests.runs.bench import Bench, Make, definition
from worker.model.records import AttemptState, Run
from worker.runs.ending import End, end_many
from worker.runs.outcome import Outcome
from worker.runs.starting import Start, Started, start_many

TICK, START, END = 6, 4, 4  # on SQLite, where a statement is no round trip


def _statements(bench: Bench, act: Callable[[], object]) -> int:
    """Returns how many statements a deed takes."""
    seen: list[str] = []
    note = lambda *call: seen.append(call[2])  # noqa: E731  SQLAlchemy wants the same function back
    sa.event.listen(bench.database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        sa.event.remove(bench.database.engine, "before_cursor_execute", note)
    by_index = sum("set_config" in statement for statement in seen)  # once a transaction of the writer, on PostgreSQL
    assert by_index == (bench.database.dialect == "postgresql")
    return len(seen) - by_index


def _start(bench: Bench) -> None:
    run_id = bench.submitted[-1]
    asked = [Start(bench.book(), run_id, bench.node, bench.now, bench.dispatch.fresh.take(run_id))]
    (started,) = bench.writer.call(lambda connection: start_many(connection, asked))
    assert started is not None


def _end(bench: Bench, run: Run) -> None:
    done = [End(bench.book(), run, Outcome(AttemptState.SUCCEEDED), bench.now)]
    (ended,) = bench.writer.call(lambda connection: end_many(connection, done))
    assert ended.mine


def test_a_run_takes_a_handful_of_statements(make_bench: Make) -> None:
    """Its tick, its start and its end; nothing is asked twice."""
    bench = make_bench(definition("orders"))
    assert _statements(bench, lambda: bench.fire("orders", 1)) <= TICK
    assert _statements(bench, lambda: _start(bench)) <= START
    run = bench.last("orders")
    assert _statements(bench, lambda: _end(bench, run)) <= END


def test_runs_that_are_over_cost_one_look(make_bench: Make) -> None:
    """The inbox may have seen them waiting a moment ago; however many, they are read together."""
    names = ["orders", "devices", "sites"]
    bench = make_bench(*map(definition, names))
    for name in names:
        bench.fire(name, 1)
        _start(bench)
        _end(bench, bench.last(name))
    asked = [Start(bench.book(), bench.last(name).id, bench.node, bench.now) for name in names]
    found: list[Started | None] = []

    def again() -> None:
        found.extend(bench.writer.call(lambda connection: start_many(connection, asked)))

    assert _statements(bench, again) <= 2  # the other asks which accounts are paused
    assert found == [None, None, None]


def test_a_follower_costs_no_more_than_its_own_claim(make_bench: Make) -> None:
    """The end of its parent is the plain one, and what comes after is claimed as ticks are; no schedule moves on."""
    bench = make_bench(definition("orders"), definition("reports", {"after": ["orders"]}))
    bench.fire("orders", 1)
    _start(bench)
    run = bench.last("orders")
    assert _statements(bench, lambda: _end(bench, run)) <= END + TICK - 1
    assert bench.states("reports") == ["queued"]
