"""Blackouts asked by instant: whether, until when, and which ticks lie outside of them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.drawing import DAY, ZONES, changes, utc
from tests.examples import examples
from worker.engine.schedule import Span, of_job
from worker.engine.shut import blackout_end, in_blackout, outside
from worker.model.options import JobOptions

WORDS = ["sat 22:00 - mon 04:00", "22:00-06:00", "02:15-02:45", "sun", "last fri", "12-24..01-02", "00:00-00:30"]
SCHEDULES: list[object] = [
    {"every": "37m"}, "*/15 * * * *", "30 2 * * *", {"at": ["00:00", "23:59:59"]}, {"monthly": "last", "at": "12:00"},
]  # fmt: skip


def job(*blackout: str, schedule: object = "@hourly", zone: str = "Europe/Berlin") -> JobOptions:
    """Returns a job with blackouts."""
    return JobOptions.model_validate({"type": "x", "schedule": schedule, "timezone": zone, "blackout": list(blackout)})


@pytest.mark.parametrize(
    ("blackout", "at", "end"),
    [
        (["22:00-23:30"], "2026-11-27T21:00", "2026-11-27T22:30"),
        (["22:00-06:00"], "2026-11-27T21:00", "2026-11-28T05:00"),
        (["sat 22:00 - mon 04:00"], "2026-11-29T12:00", "2026-11-30T03:00"),
        (["12-24..12-26", "2026-12-27", "mon 00:00-04:00"], "2026-12-24T12:00", "2026-12-28T03:00"),
        (["12-31"], "2026-12-31T12:00", "2026-12-31T23:00"),
        (["12-31"], "2026-12-30T12:00", None),
        (["2020-01-01..2999-12-31"], "2026-12-30T12:00", None),
        ([], "2026-12-30T12:00", None),
    ],
)
def test_the_end_of_a_blackout(blackout: list[str], at: str, end: str | None) -> None:
    """Where one meets another, the end of the last; none where it lasts over a year, or there is none."""
    assert blackout_end(job(*blackout), utc(at)) == (utc(end) if end else None)


@settings(max_examples=examples(25), deadline=None)
@given(
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    schedule=st.sampled_from(SCHEDULES),
    zone=st.sampled_from(ZONES),
    pick=st.integers(0, 40),
    shift=st.timedeltas(min_value=-DAY, max_value=DAY),
)
def test_what_is_not_skipped_lies_outside(
    words: list[str], schedule: object, zone: str, pick: int, shift: timedelta
) -> None:
    """Around changes of clocks, a tick is either in a blackout or among those outside of them; counts agree."""
    days = changes(zone)
    since = days[pick % len(days)] + shift
    policy = job(*words, schedule=schedule, zone=zone)
    due = of_job(policy, ZoneInfo("UTC"), "orders")
    assert due is not None
    walk = due.between(since, since + 9 * DAY, 300)
    until = walk[-1] if walk else since + 9 * DAY
    wanted = [at for at in walk if not in_blackout(policy, at)]

    found = outside(due, policy)

    assert found.between(since, until, 300) == wanted
    assert found.span(since, until) == (Span(wanted[0], wanted[-1], len(wanted)) if wanted else None)


def test_years_of_seconds_are_counted_at_once() -> None:
    """A blackout each week costs some portions of each day, not each of its seconds."""
    policy = job("sat 22:00 - mon 04:00", schedule={"every": "1s"}, zone="UTC")
    due = of_job(policy, ZoneInfo("UTC"), "orders")
    assert due is not None
    monday = datetime.fromisoformat("2026-11-30T04:00+00:00")
    found = outside(due, policy).span(monday - timedelta(seconds=1), monday + timedelta(weeks=520, seconds=-1))
    assert found is not None
    assert found.count == 520 * 138 * 3600
