"""Downtime: the ticks that are made up for, and one row for those that are not."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runs.bench import START, Bench, Make, definition
from worker.engine.occurrences import Occurrences
from worker.engine.schedule import of_job
from worker.model.options import JobOptions
from worker.model.records import Reason, RunState
from worker.runs.catchup import latest, of_downtime

UTC_ZONE = ZoneInfo("UTC")


def _due(policy: JobOptions) -> Occurrences:
    due = of_job(policy, UTC_ZONE, "orders")
    assert due is not None
    return due


def _miss(bench: Bench, minutes: int, policy: JobOptions) -> None:
    bench.now = START + timedelta(minutes=minutes)
    bench.dispatch.catch_up({"orders": _due(policy)}, bench.now)


def test_after_downtime_the_last_tick_runs_and_the_others_are_told_in_one_row(make_bench: Make) -> None:
    """catch_up = "last": one run, one row for the gap."""
    job = definition("orders", catch_up="last")
    bench = make_bench(job)

    _miss(bench, 10, job.policy)

    gap, run = bench.runs("orders")
    assert (gap.state, gap.reason, gap.ticks) == (RunState.MISSED, Reason.DOWNTIME, 9)
    assert (gap.tick, gap.tick_until) == (START + timedelta(minutes=1), START + timedelta(minutes=9))
    assert (run.state, run.tick) == (RunState.QUEUED, START + timedelta(minutes=10))


def test_after_downtime_all_ticks_run_where_asked(make_bench: Make) -> None:
    """catch_up = "all": each tick a run, none skipped for overlap."""
    job = definition("orders", catch_up="all")
    bench = make_bench(job)

    _miss(bench, 4, job.policy)
    bench.execute_all()

    assert bench.states("orders") == ["succeeded"] * 4


@pytest.mark.parametrize("window", ["9999999d", math.inf])
def test_a_window_without_end_reaches_over_the_whole_downtime(make_bench: Make, window: object) -> None:
    """It reached beyond the calendar's beginning, and no daemon started any more."""
    job = definition("orders", catch_up={"policy": "all", "window": window})
    bench = make_bench(job)

    _miss(bench, 4, job.policy)

    assert bench.states("orders") == ["queued"] * 4


def test_after_downtime_no_tick_runs_where_asked(make_bench: Make) -> None:
    """catch_up = "none": one row tells of all ticks that were missed."""
    job = definition("orders", catch_up="none")
    bench = make_bench(job)

    _miss(bench, 4, job.policy)

    (gap,) = bench.runs("orders")
    assert (gap.state, gap.ticks) == (RunState.MISSED, 4)


def test_downtime_is_accounted_for_once(make_bench: Make) -> None:
    """A second start, or a second node, finds nothing left to make up for."""
    job = definition("orders")
    bench = make_bench(job)
    _miss(bench, 5, job.policy)

    _miss(bench.twin(), 5, job.policy)

    assert sum(run.ticks for run in bench.runs("orders")) == 5


def test_one_run_of_the_last_tick_covers_the_whole_gap(make_bench: Make) -> None:
    """Its window begins where the last success ended, whatever lies between: nothing is left uncovered."""
    windows: list[tuple[datetime | None, datetime]] = []
    job = definition("orders", catch_up="last")
    bench = make_bench(job, act=lambda context: windows.append((context.window.since, context.window.until)))
    bench.fire("orders", 1)
    bench.execute_all()

    _miss(bench, 300, job.policy)
    bench.execute_all()

    minute = timedelta(minutes=1)
    assert windows == [(None, START + minute), (START + minute, START + 300 * minute)]


def test_ticks_older_than_the_window_are_told_in_the_one_row(make_bench: Make) -> None:
    """What is too old to be of use is not run; the row says how many there were, and when."""
    job = definition("orders", catch_up={"policy": "all", "window": "3m"})
    bench = make_bench(job)

    _miss(bench, 10, job.policy)

    gap, *made_up = bench.runs("orders")
    assert (gap.state, gap.reason, gap.ticks) == (RunState.MISSED, Reason.DOWNTIME, 7)
    assert (gap.tick, gap.tick_until) == (START + timedelta(minutes=1), START + timedelta(minutes=7))
    assert [run.tick for run in made_up] == [START + timedelta(minutes=minute) for minute in (8, 9, 10)]


def test_of_more_than_the_maximum_the_latest_run(make_bench: Make) -> None:
    """A bound on the flood after a long downtime."""
    job = definition("orders", catch_up={"policy": "all", "max": 2})
    bench = make_bench(job)

    _miss(bench, 10, job.policy)

    assert [run.ticks for run in bench.runs("orders")] == [8, 1, 1]
    assert bench.last("orders").tick == START + timedelta(minutes=10)


@pytest.mark.parametrize("policy", ["last", "none"])
def test_a_last_tick_outside_the_window_is_left_out(make_bench: Make, policy: str) -> None:
    """A daily job whose tick is long past does not run at an odd hour."""
    job = definition("orders", {"at": "06:00"}, catch_up={"policy": policy, "window": "2h"})
    bench = make_bench(job)

    _miss(bench, 24 * 60, job.policy)

    (gap,) = bench.runs("orders")
    assert (gap.state, gap.ticks, gap.tick_until) == (RunState.MISSED, 1, None)


@pytest.mark.parametrize(
    "policy",
    [
        {"schedule": {"every": "1s"}},
        {"schedule": {"every": "1s"}, "hours": "06:00-20:00"},
        {"schedule": "* * * * *", "timezone": "Europe/Berlin"},
    ],
)
def test_a_year_of_downtime_is_counted_not_walked(policy: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """31 million ticks are one row and the runs of the latest hundred; few of them are ever asked for."""
    job = definition("orders", **policy, catch_up={"policy": "all", "max": 100})
    due, asked = _due(job.policy), 0
    kind = type(due)
    step = kind.next_after

    def counted(self: Occurrences, moment: datetime) -> datetime | None:
        nonlocal asked
        asked += 1
        return step(self, moment)

    monkeypatch.setattr(kind, "next_after", counted)
    until = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
    gap, *made_up = of_downtime(job, START, until, due)

    whole = due.span(START, until)
    assert whole is not None
    assert gap.ticks == whole.count - 100 > 500_000
    assert [run.tick for run in made_up[1:]] == due.between(made_up[0].tick or until, until, 200)
    assert asked < 100_000


@given(st.integers(1, 50), st.integers(0, 5000), st.sampled_from(["* * * * *", "*/7 3-5 * * *", "0 0 1 * *"]))
def test_the_latest_are_the_end_of_all(limit: int, minutes: int, cron: str) -> None:
    """Found by halving, they are those that a walk would find."""
    due = _due(definition("orders", cron).policy)
    until = START + timedelta(minutes=minutes)

    assert latest(due, START, until, limit) == due.between(START, until, 10_000)[-limit:]


@pytest.mark.parametrize("policy", ["last", "all", "none"])
def test_a_start_that_missed_nothing_records_nothing(make_bench: Make, policy: str) -> None:
    """A daemon that comes back before the next tick has nothing to make up for."""
    job = definition("orders", catch_up=policy)
    bench = make_bench(job)

    _miss(bench, 0, job.policy)

    assert bench.runs() == []
