"""What is open of each day leaves out the instants outside of it, and nothing else; counting agrees with walking."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.engine.drawing import DAY, START, ZONES, changes, due, schedules, utc
from tests.examples import examples
from worker.engine.schedule import Span, occurrences
from worker.engine.within import Within
from worker.model.hours import read_hours
from worker.model.schedules import At, Cron, Dst, Every, Once, Schedule

HOURS = ["06:00-20:00", "22:00-06:00", "02:15-02:45", "00:00-12:00", "12:00-24:00", "23:59-00:01", "00:00-01:30"]
NOON = "12:00-13:00"


def within(schedule: Schedule, hours: str, zone: str = "UTC") -> Within:
    """Returns a schedule's instants in some hours of the day."""
    return Within(due(schedule, zone), read_hours(hours).of, ZoneInfo(zone))


@settings(max_examples=examples(25), deadline=None)
@example(Every(every=600.0), "Europe/Berlin", "02:15-02:45", 13, timedelta(0))  # in the fold, its second passage
@given(
    schedule=schedules(),
    zone=st.sampled_from(ZONES),
    hours=st.sampled_from(HOURS),
    pick=st.integers(0, 40),
    shift=st.timedeltas(min_value=-DAY, max_value=DAY),
)
def test_hours_leave_out_what_lies_outside_of_them_and_nothing_else(
    schedule: Schedule, zone: str, hours: str, pick: int, shift: timedelta
) -> None:
    """Around changes of clocks, the instants are those that the zone's clock shows within the hours."""
    inner, tz, days = due(schedule, zone), ZoneInfo(zone), changes(zone)
    moment = days[pick % len(days)] + shift
    walk = inner.between(moment, moment + 20 * DAY, 400)
    until = walk[-1] if walk else moment
    wanted = [at for at in walk if at.astimezone(tz).time() in read_hours(hours)]

    found = within(schedule, hours, zone)

    assert found.between(moment, until, 400) == wanted
    assert found.span(moment, until) == (Span(wanted[0], wanted[-1], len(wanted)) if wanted else None)


@settings(max_examples=examples(100), deadline=None)
@example(Cron("*/30 * * * *"), "Europe/Berlin", 12, 5.5, 20, "once")  # in real time: an hour more, or less
@example(At(at=(time(2, 30),)), "Europe/Berlin", 12, 5.5, 20, "skip")
@example(At(at=(time(2, 30),)), "Europe/Berlin", 13, 5.5, 20, "both")
@example(At(at=(time(0), time(23, 30))), "America/Scoresbysund", 9, 5.5, 20, "once")  # two dates fire at one instant
@given(
    schedule=schedules(),
    zone=st.sampled_from(ZONES),
    pick=st.integers(0, 40),
    before=st.floats(0, 10),
    length=st.floats(0, 200),
    dst=st.sampled_from(["once", "skip", "both"]),
)
def test_counting_agrees_with_walking(
    schedule: Schedule, zone: str, pick: int, before: float, length: float, dst: Dst
) -> None:
    """A span over changes of clocks is told as if each of its instants had been looked at."""
    found = occurrences(schedule, ZoneInfo(zone), "job", dst)
    assert found is not None
    nights = changes(zone)
    since, days = nights[pick % len(nights)] - before * DAY, length
    walk = found.between(since, since + days * DAY, 6000)
    until = min(since + days * DAY, walk[-1]) if len(walk) == 6000 else since + days * DAY

    assert found.span(since, until) == (Span(walk[0], walk[-1], len(walk)) if walk else None)


def test_a_schedule_that_is_never_open_ends() -> None:
    """There is no next instant, however often the schedule is due elsewhere."""
    assert within(At(at=(time(12),)), "06:00-07:00").next_after(START) is None
    assert within(Once(once=START + DAY), "01:00-02:00").next_after(START) is None


def test_what_is_far_away_is_found_where_it_is_open() -> None:
    """The bound on the search is one on what is not open."""
    at = utc("2055-01-01T12:30")
    assert within(Once(once=at), NOON).next_after(START) == at


@pytest.mark.parametrize(("hours", "parts"), [("06:00-24:00", 1), ("22:00-06:00", 2), ("12:00-00:00", 1)])
def test_hours_of_a_date(hours: str, parts: int) -> None:
    """Hours over midnight are two portions of each date; what ends at midnight is one."""
    assert len(read_hours(hours).of(START.date())) == parts


def test_a_date_that_a_zone_left_out_fires_at_the_end_of_its_gap() -> None:
    """Apia went from 29 December 2011 to the 31st: the job of the 30th is due as the 31st begins, once."""
    found = due(At(at=(time(12),)), "Pacific/Apia")
    since, until = utc("2011-12-29T12:00"), utc("2012-01-01T12:00")
    wanted = [utc("2011-12-29T22:00"), utc("2011-12-30T10:00"), utc("2011-12-30T22:00"), utc("2011-12-31T22:00")]
    assert found.between(since, until, 9) == wanted
    assert found.span(since, until) == Span(wanted[0], wanted[-1], 4)
