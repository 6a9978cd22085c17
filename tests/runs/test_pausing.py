"""Jobs and accounts held back by an operator, and let go again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.runs.bench import START, Bench, Make, definition
from tests.runs.operating import ask, outcome, post
from worker.model.records import Reason, RunState, Trigger
from worker.store import accounts, jobs
from worker.store.accounts import AccountState
from worker.store.jobs import JobRow


def _row(bench: Bench, name: str) -> JobRow:
    with bench.database.read() as connection:
        return next(row for row in jobs.listing(connection) if row.name == name)


def _account(bench: Bench, name: str) -> AccountState | None:
    with bench.database.read() as connection:
        return accounts.get(connection, name)


def test_the_ticks_of_a_paused_job_are_one_row_with_the_reason(make_bench: Make) -> None:
    """However many: the range tells them; after the resume they run again, and none of those is made up for."""
    bench = make_bench(definition("orders"))
    assert ask(bench, "pause", "orders", why="the ERP is moved") == "done"
    bench.fire("orders", 1)
    bench.fire("orders", 2)
    bench.fire("orders", 3)
    assert ask(bench, "resume", "orders") == "done"
    bench.fire("orders", 4)
    bench.execute_all()

    skipped, run = bench.runs("orders")
    assert (skipped.state, skipped.reason, skipped.ticks) == (RunState.SKIPPED, Reason.PAUSED, 3)
    assert (run.state, run.tick) == (RunState.SUCCEEDED, START + timedelta(minutes=4))


def test_who_paused_a_job_when_and_why_stays_with_it(make_bench: Make) -> None:
    """Over a reload too, and over a second pause; the resume takes it away."""
    bench = make_bench(definition("orders"))
    ask(bench, "pause", "orders", why="the ERP is moved")
    assert ask(bench, "pause", "orders", why="me too") == "done: nothing to do, orders had been paused before"
    bench.twin()  # configures the jobs anew

    row = _row(bench, "orders")
    assert (row.paused_by, row.paused_at, row.paused_why) == ("somebody", START, "the ERP is moved")
    ask(bench, "resume", "orders")
    assert _row(bench, "orders") == replace(row, paused_by=None, paused_at=None, paused_why=None, resumed_at=START)


def test_a_resume_ends_a_quarantine(make_bench: Make) -> None:
    """The worker put it there, a person takes it out."""
    bench = make_bench(definition("orders"))
    bench.writer.call(lambda connection: jobs._pausing(connection, ["orders"], {"quarantined_at": START}))
    assert ask(bench, "resume", "orders") == "done"
    assert _row(bench, "orders").quarantined_at is None
    assert ask(bench, "resume", "orders") == "done: nothing to do, orders had been resumed before"


def test_a_pattern_names_many_jobs(make_bench: Make) -> None:
    """The outcome tells which; others are left alone. A resume with run_now runs those that it resumed."""
    bench = make_bench(*(definition(name) for name in ("orders", "tangoe-a", "tangoe-b", "tangoe-c")))
    ask(bench, "pause", "tangoe-b")
    assert ask(bench, "pause", "tangoe-*") == "done: paused tangoe-a, tangoe-c; 1 had been before"
    assert _row(bench, "orders").paused_at is None
    ask(bench, "resume", "tangoe-a")

    request = post(bench, "resume", "*", run_now=True)
    bench.inbox.once()
    assert outcome(bench, request) == "done: resumed tangoe-b, tangoe-c; 2 had been before"
    assert [(run.job, run.trigger, run.cause) for run in bench.runs()] == [
        (job, Trigger.MANUAL, f"manual:{request}") for job in ("tangoe-b", "tangoe-c")
    ]


def test_a_paused_job_still_runs_when_a_person_asks(make_bench: Make) -> None:
    """The pause holds the schedule back, not the operator."""
    bench = make_bench(definition("orders"))
    ask(bench, "pause", "orders")
    ask(bench, "trigger", "orders")
    bench.execute_all()
    assert bench.states("orders") == ["succeeded"]


def test_an_account_is_paused_and_resumed(make_bench: Make) -> None:
    """Also one that never asked for a token; its health is its own affair."""
    bench = make_bench(replace(definition("orders"), accounts=frozenset({"erp"})))
    assert ask(bench, "pause account", "erp", why="password day") == "done"
    assert ask(bench, "pause account", "erp") == "done: nothing to do, erp had been paused before"
    state = _account(bench, "erp")
    assert state is not None
    assert (state.paused_by, state.paused_at, state.paused_why) == ("somebody", START, "password day")
    assert ask(bench, "resume account", "erp") == "done"
    assert ask(bench, "resume account", "erp") == "done: nothing to do, erp was not paused"


@pytest.mark.parametrize(
    ("verb", "target", "arguments", "told"),
    [
        ("pause", "odrers", {}, "no job odrers is configured"),
        ("pause", "no-*", {}, "no job no-* is configured"),
        ("pause", "orders", {"why": 5}, "why: Input should be a valid string"),
        ("pause", "orders", {"wy": "x"}, "wy: Extra inputs are not permitted"),
        ("resume", "orders", {"run_now": "perhaps"}, "run_now: Input should be a valid boolean"),
        ("pause account", "erp", {}, "no job runs under an account erp"),
    ],
)
def test_what_makes_no_sense_is_refused(
    make_bench: Make, verb: str, target: str, arguments: dict[str, object], told: str
) -> None:
    """Anybody can write to the table."""
    bench = make_bench(definition("orders"))
    assert str(ask(bench, verb, target, **arguments)).startswith(f"refused: {told}")
    assert _row(bench, "orders").paused_at is None
