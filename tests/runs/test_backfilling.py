"""Backfills: every tick of the span once, oldest first, behind everything else; over nodes, ends and refusals."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from jobs.contract import Context
from tests.runs.bench import START, Bench, Make, Probe, definition
from tests.runs.operating import ask, outcome, post
from worker.config.configuration import JobDefinition
from worker.model.events import RunStarted
from worker.model.records import Backfill, Health, Reason, Run, RunState, Trigger
from worker.runs.backfilling import Backfills
from worker.store import accounts, backfills, jobs

HOUR = timedelta(hours=1)


def span(hours: float = 3.0, **more: object) -> dict[str, object]:
    """Returns the arguments of a backfill of the hours before the start."""
    return {"since": (START - hours * HOUR).isoformat(), "until": START.isoformat(), **more}


def hourly(name: str = "orders", **policy: object) -> JobDefinition:
    """Returns a job that is due each hour."""
    return definition(name, "0 * * * *", **policy)


def step(bench: Bench) -> None:
    """Makes one pass of the node's backfills."""
    Backfills(bench.database, bench.writer, bench.book, bench.dispatch, lambda: bench.now).once()


def through(bench: Bench) -> None:
    """Takes every step there is, and executes what it brings."""
    while True:
        step(bench)
        if not bench.submitted:
            return
        bench.execute_all()


def only(bench: Bench) -> Backfill:
    """Returns the one backfill there is."""
    with bench.database.read() as connection:
        (found,) = backfills.listing(connection)
    return found


def filled(bench: Bench, job: str = "orders") -> list[Run]:
    """Returns the runs of backfills, oldest first."""
    return [run for run in bench.runs(job) if run.trigger is Trigger.BACKFILL]


def test_each_tick_of_the_span_becomes_a_run_over_its_window(make_bench: Make) -> None:
    """Oldest first, one after the other; the windows follow upon each other from the beginning to the end."""
    bench = make_bench(hourly())
    request = post(bench, "backfill", "orders", **span(2.5, params={"region": "eu"}))
    bench.inbox.once()
    assert outcome(bench, request) == "done: 3 ticks; `worker backfill` shows how far it has got"
    step(bench)
    step(bench)
    assert len(filled(bench)) == 1
    through(bench)

    ticks = [START - 2 * HOUR, START - HOUR, START]
    found = filled(bench)
    assert [run.tick for run in found] == ticks
    assert [run.window_since for run in found] == [START - 2.5 * HOUR, *ticks[:-1]]
    assert [run.window_until for run in found] == ticks
    assert {(run.state, str(run.params), run.priority) for run in found} == {
        (RunState.SUCCEEDED, "{'region': 'eu'}", -10)
    }
    assert found[0].cause == f"backfill:{request}:2026-03-01T10:00:00Z"
    assert {event.late_s for event in bench.heard if isinstance(event, RunStarted)} == {0.0}
    one = only(bench)
    assert (one.id, one.ticks, one.total, one.outcome, one.by) == (request, 3, 3, "done: 3 succeeded", "somebody")


def test_a_step_of_ones_own_tiles_the_span(make_bench: Make) -> None:
    """For a job that no clock drives too; what is left at the end has a run of its own."""
    bench = make_bench(definition("orders", "manual"))
    assert str(ask(bench, "backfill", "orders", **span())).startswith("refused: no clock drives orders")
    assert str(ask(bench, "backfill", "orders", **span(2.5, every_s=3600))).startswith("done: 3 ticks")
    through(bench)
    assert [run.window_until for run in filled(bench)] == [START - 1.5 * HOUR, START - 0.5 * HOUR, START]


def test_nodes_share_one_backfill_and_no_tick_comes_twice(make_bench: Make) -> None:
    """Whoever is there goes on where another stopped."""
    bench = make_bench(hourly())
    ask(bench, "backfill", "orders", **span(10))
    twin = bench.twin()
    for node in (bench, twin, twin, bench) * 5:
        step(node)
        node.execute_all()
    assert [run.tick for run in filled(bench)] == [START - hours * HOUR for hours in range(9, -1, -1)]
    assert only(bench).outcome == "done: 10 succeeded"


def test_a_tick_that_meets_a_backfill_waits_for_it_and_comes_next(make_bench: Make) -> None:
    """It is not skipped, though the job skips overlaps; a second one is, as it would without a backfill."""
    seen: list[str] = []

    def act(context: Context) -> None:
        seen.append(str(bench.last("orders").trigger) if context.window.given else "tick")
        if len(seen) == 1:
            bench.fire("orders", 60)
            bench.fire("orders", 120)
            step(bench)

    bench = make_bench(hourly(), act=act)
    ask(bench, "backfill", "orders", **span(at_once=3))
    through(bench)
    assert [run.tick for run in bench.runs("orders") if run.trigger is Trigger.TICK] == [START + HOUR, START + 2 * HOUR]
    assert [str(run.state) for run in bench.runs("orders") if run.trigger is Trigger.TICK] == ["succeeded", "skipped"]
    assert bench.last("orders").reason in (None, Reason.OVERLAP)
    assert seen[1] == "tick"
    assert len(filled(bench)) == 3
    assert only(bench).outcome == "done: 3 succeeded"


def test_a_backfill_begins_nothing_while_another_run_is_open(make_bench: Make) -> None:
    """What the schedule or a person asked for goes first."""
    bench = make_bench(hourly())
    bench.fire("orders", 60)
    ask(bench, "backfill", "orders", **span())
    step(bench)
    assert filled(bench) == []
    through(bench)
    bench.execute_all()
    through(bench)
    assert len(filled(bench)) == 3


def test_so_many_at_once_and_a_pause_between(make_bench: Make) -> None:
    """At most two are open; the next begins ten seconds after the start of the last."""
    bench = make_bench(hourly(), hourly("others"))
    ask(bench, "backfill", "others", **span(at_once=2))
    step(bench)
    assert len(filled(bench, "others")) == 2

    ask(bench, "backfill", "orders", **span(pause_s=10))
    step(bench)
    bench.execute_all()
    step(bench)
    assert len(filled(bench)) == 1
    bench.now += timedelta(seconds=10)
    step(bench)
    assert len(filled(bench)) == 2


@contextmanager
def _held(bench: Bench, by: str) -> Iterator[None]:
    """Holds the job back for a while."""

    def change(*, held: bool) -> None:
        at = START if held else None
        with bench.database.write() as connection:
            if by == "quarantine":
                jobs._pausing(connection, ["orders"], {"quarantined_at": at})
            else:
                accounts.set_health(connection, "erp", Health.BLOCKED if held else Health.FRESH, None, START)

    if by in ("quarantine", "health"):
        change(held=True)
        yield
        change(held=False)
        return
    verb, target = ("pause account", "erp") if by == "account" else ("pause", "orders")
    ask(bench, verb, target)
    yield
    ask(bench, verb.replace("pause", "resume"), target)


@pytest.mark.parametrize("by", ["pause", "quarantine", "account", "health"])
def test_what_holds_the_job_back_holds_its_backfill_back(make_bench: Make, by: str) -> None:
    """No tick is skipped for it: it goes on where it was."""
    bench = make_bench(replace(hourly(), accounts=frozenset({"erp"})))
    ask(bench, "backfill", "orders", **span())
    with _held(bench, by):
        through(bench)
        assert filled(bench) == []
    through(bench)
    assert [str(run.state) for run in filled(bench)] == ["succeeded"] * 3


def test_it_says_nothing_of_how_far_the_schedule_has_got(make_bench: Make) -> None:
    """Neither of its ticks nor of its window, though its ticks be later than the last that ran."""
    bench = make_bench(hourly())
    bench.fire("orders", 60)
    bench.execute_all()
    bench.now = START + 10 * HOUR
    ask(bench, "backfill", "orders", since=(START + 5 * HOUR).isoformat(), until=(START + 8 * HOUR).isoformat())
    through(bench)
    with bench.database.read() as connection:
        (row,) = jobs.listing(connection)
    assert row.last_tick == START + HOUR
    bench.fire("orders", 660)
    bench.execute_all()
    assert bench.last("orders").window_since == START + HOUR


def test_failures_stand_in_the_outcome_and_stop_nothing(make_bench: Make) -> None:
    """Each tick has its own retries."""

    def act(context: Context) -> None:
        if context.window.until == START - HOUR:
            raise ValueError("no")

    bench = make_bench(hourly(retry={"attempts": 1, "backoff": "1s", "max": "1s"}), act=act)
    ask(bench, "backfill", "orders", **span())
    through(bench)
    assert only(bench).outcome == "ended: 1 failed, 2 succeeded"


def test_a_backfill_is_cancelled_with_its_open_runs(make_bench: Make) -> None:
    """Nothing more begins; a second cancellation is refused."""
    bench = make_bench(hourly())
    request = post(bench, "backfill", "orders", **span(at_once=2))
    bench.inbox.once()
    step(bench)
    bench.submitted.clear()
    assert ask(bench, "backfill cancel", str(request)) == "done: 2 of 3 ticks had their runs"
    through(bench)
    assert [str(run.state) for run in filled(bench)] == ["cancelled", "cancelled"]
    told = ask(bench, "backfill cancel", str(request))
    assert told == f"refused: the backfill {request} of orders has ended already: cancelled by somebody"
    assert str(ask(bench, "backfill cancel", "17")).startswith("refused: there is no backfill 17")


def test_a_job_that_is_gone_ends_its_backfill(make_bench: Make) -> None:
    """Where no node knows it any more."""
    bench = make_bench(hourly())
    ask(bench, "backfill", "orders", **span())
    bench.definitions.clear()
    step(bench)
    assert only(bench).outcome is None
    bench.writer.call(lambda connection: jobs.configure(connection, [], []))
    step(bench)
    assert only(bench).outcome == "ended: the job is no longer configured"


def _at(hours: float) -> str:
    moment: datetime = START + hours * HOUR
    return moment.isoformat()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "since: Field required"),
        ({"since": "2026-01-01T00:00:00", "until": _at(0)}, "since: Input should have timezone info"),
        ({"since": _at(0), "until": _at(-1)}, "expected since before until, and until in the past"),
        ({"since": _at(-1), "until": _at(1)}, "expected since before until, and until in the past"),
        (
            {"since": "0001-01-01T00:00:00+14:00", "until": _at(0)},
            "expected since in the year 1900 or later, found 0001-01-01",
        ),
        ({"since": _at(-0.5), "until": _at(-0.2)}, "expected 1 to 100,000 ticks between"),
        ({"since": _at(-100), "until": _at(0), "every_s": 1}, "expected 1 to 100,000 ticks between"),
        ({"since": _at(-1), "until": _at(0), "at_once": 0}, "at_once: Input should be greater than or equal to 1"),
        ({"since": _at(-1), "until": _at(0), "pause_s": -1}, "pause_s: Input should be greater than or equal to 0"),
        ({"since": _at(-1), "until": _at(0), "params": [1]}, "params: Input should be a valid dictionary"),
    ],
)
def test_what_makes_no_sense_is_refused(make_bench: Make, arguments: dict[str, object], told: str) -> None:
    """Anybody can write to the table."""
    bench = make_bench(hourly())
    assert str(ask(bench, "backfill", "orders", **arguments)).startswith(f"refused: {told}")
    with bench.database.read() as connection:
        assert backfills.listing(connection) == []


def test_a_second_backfill_and_a_job_that_cannot_are_refused(make_bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time for each job; which jobs cannot, their types say."""
    bench = make_bench(hourly())
    request = post(bench, "backfill", "orders", **span())
    bench.inbox.once()
    told = ask(bench, "backfill", "orders", **span())
    assert told == f"refused: the backfill {request} of orders is underway; `worker backfill` lists it"
    monkeypatch.setattr(Probe, "backfill_problem", lambda _job, _params: "it counts")
    assert ask(bench, "backfill", "orders", **span()) == "refused: a backfill of orders makes no sense: it counts"
