"""Blackouts: what is due in one does not run, has a row that says so, and is not made up for."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from tests.runs.bench import START, Bench, Make, definition
from worker.engine.schedule import of_job
from worker.model.records import Reason, RunState
from worker.runs.candidates import of_request
from worker.runs.claims import record

UTC = ZoneInfo("UTC")
NOON = ["12:00-12:30"]  # the bench begins at noon, in UTC


def _miss(bench: Bench, minutes: int) -> None:
    """Lets the bench find out at a start that it was down for so many minutes."""
    bench.now = START + timedelta(minutes=minutes)
    due = of_job(bench.definitions["orders"].policy, UTC, "orders")
    assert due is not None
    bench.dispatch.catch_up({"orders": due}, bench.now)


def _told(bench: Bench) -> list[tuple[str, Reason | None, float, int]]:
    """Returns state, reason, minute of the first tick and number of ticks of each row."""
    return [
        (str(run.state), run.reason, (run.tick - START) / timedelta(minutes=1), run.ticks)
        for run in bench.runs("orders")
        if run.tick
    ]


def test_ticks_in_a_blackout_are_one_row(make_bench: Make) -> None:
    """Skipped with that reason, in a row that grows; the first tick after it runs."""
    bench = make_bench(definition("orders", timezone="UTC", blackout=NOON))

    bench.fire("orders", 28)
    bench.fire("orders", 29)
    bench.fire("orders", 30)

    assert _told(bench) == [("skipped", Reason.BLACKOUT, 28, 2), ("queued", None, 30, 1)]


def test_a_blackout_is_one_of_the_jobs_zone(make_bench: Make) -> None:
    """Noon in UTC is one o'clock in Berlin."""
    bench = make_bench(definition("orders", timezone="Europe/Berlin", blackout=["13:00-13:30"]))

    bench.fire("orders", 1)

    assert bench.last("orders").reason is Reason.BLACKOUT


def test_who_asks_by_hand_knows(make_bench: Make) -> None:
    """A request of a person runs in a blackout, too."""
    bench = make_bench(definition("orders", timezone="UTC", blackout=NOON))
    asked = of_request(bench.definitions["orders"], 7, bench.now, {})

    bench.writer.call(lambda connection: record(connection, bench.book(), [asked], bench.now))

    assert bench.states("orders") == ["queued"]


def test_a_run_that_would_follow_another_in_a_blackout_does_not(make_bench: Make) -> None:
    """What counts is when it would begin: with a delay that leads out of the blackout it waits."""
    quiet = definition("quiet", {"after": ["orders"]}, timezone="UTC", blackout=NOON)
    later = definition("later", {"after": ["orders"], "delay": "30m"}, timezone="UTC", blackout=NOON)
    bench = make_bench(definition("orders"), quiet, later)

    bench.fire("orders", 1)
    bench.execute_all()

    assert bench.last("quiet").reason is Reason.BLACKOUT
    assert bench.states("later") == ["queued"]


def test_a_tick_that_comes_late_does_not_begin_in_a_blackout(make_bench: Make) -> None:
    """A machine that slept claims it long after; one that is claimed within a minute was in time."""
    bench = make_bench(definition("orders", timezone="UTC", blackout=["12:10-12:30"]))
    bench.now = START + timedelta(minutes=10, seconds=30)
    bench.fire("orders", 9.9)
    assert bench.states("orders") == ["queued"]

    bench.now = START + timedelta(minutes=20)
    bench.fire("orders", 9.95)
    assert bench.last("orders").reason is Reason.BLACKOUT


def test_after_a_downtime_the_last_tick_outside_of_blackouts_is_made_up_for(make_bench: Make) -> None:
    """And where the start itself lies in a blackout, neither that one runs; what lay in it is told beside."""
    bench = make_bench(definition("orders", timezone="UTC", blackout=["12:06-12:09"]))

    _miss(bench, 8)
    assert _told(bench) == [
        ("missed", Reason.DOWNTIME, 1, 4),
        ("skipped", Reason.BLACKOUT, 5, 4),
    ]


def test_after_a_downtime_that_ends_outside_of_a_blackout(make_bench: Make) -> None:
    """Each tick has its row: left out, made up for, or in the blackout."""
    bench = make_bench(definition("orders", timezone="UTC", catch_up="all", blackout=["12:03-12:06", "12:08-12:10"]))

    _miss(bench, 10)

    told = [(state, first, count) for state, _, first, count in _told(bench)]
    assert told == [
        ("queued", 1, 1), ("queued", 2, 1), ("skipped", 3, 3), ("queued", 6, 1), ("queued", 7, 1), ("skipped", 8, 2),
        ("queued", 10, 1),
    ]  # fmt: skip
    assert {run.state for run in bench.runs("orders") if run.reason} == {RunState.SKIPPED}


def test_a_downtime_that_lay_in_a_blackout_as_a_whole(make_bench: Make) -> None:
    """Nothing was missed: had the worker been there, it had skipped them all."""
    bench = make_bench(definition("orders", timezone="UTC", blackout=NOON))

    _miss(bench, 10)

    assert _told(bench) == [("skipped", Reason.BLACKOUT, 1, 10)]
