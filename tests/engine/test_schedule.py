"""Schedules become the right instants, in every zone and over every change of clocks from 2020 to 2037."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.engine.drawing import BERLIN, DAY, END, MINUTE, MOMENTS, START, ZONES, changes, crons, due, schedules, utc
from tests.examples import examples
from worker.engine.schedule import Span, occurrences
from worker.model.blackouts import HolidayWords
from worker.model.hours import read_hours
from worker.model.schedules import After, At, Cron, DayOfMonth, Dst, Every, Manual, Monthly, Once, Schedule


@settings(max_examples=examples(150), deadline=None)
@given(
    schedule=schedules(),
    zone=st.sampled_from(ZONES),
    pick=st.integers(0, 40),
    shift=st.timedeltas(min_value=-DAY, max_value=DAY),
)
def test_instants_increase_strictly(schedule: Schedule, zone: str, pick: int, shift: timedelta) -> None:
    """From any moment the next instant is later, no instant lies between, and the walk agrees with itself."""
    days = changes(zone)
    moment = days[pick % len(days)] + shift
    found = due(schedule, zone)
    walk = found.between(moment, moment + 20 * DAY, 30)
    assert all(earlier < later for earlier, later in zip([moment, *walk], walk, strict=False))
    assert all(at.tzinfo is UTC for at in walk)
    for at in walk[:5]:
        assert found.next_after(at - timedelta(microseconds=1)) == at
    if walk:
        assert found.next_after(moment + (walk[0] - moment) / 2) == walk[0]
        until = walk[-1] + timedelta(microseconds=5)
        assert found.span(moment, until) == Span(walk[0], walk[-1], len(walk))
    else:
        assert found.span(moment, moment + 20 * DAY) is None


@settings(max_examples=examples(80), deadline=None)
@given(cron=crons(), zone=st.sampled_from(ZONES), pick=st.integers(0, 40), late=st.integers(-1440, 1440))
def test_crons_agree_with_a_slow_oracle(cron: str, zone: str, pick: int, late: int) -> None:
    """Around changes of clocks a cron fires exactly when an oracle that looks at each minute says so."""
    days = changes(zone)
    since = days[pick % len(days)] + late * MINUTE
    until = since + 2 * DAY
    expected = Oracle(cron.replace("H", "17"), ZoneInfo(zone)).between(since, until)
    assert due(Cron(cron.replace("H", "17")), zone).between(since, until, 100_000) == expected


class Oracle:
    """Cron, read and walked minute by minute, sharing nothing with the code under test."""

    BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
    MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

    def __init__(self, cron: str, zone: ZoneInfo) -> None:
        self.parts = cron.split()
        self.zone = zone
        self.sets = [self.numbers(index, part) for index, part in enumerate(self.parts)]
        self.wild = self.parts[0][0] == "*" or self.parts[1][0] == "*"

    def numbers(self, index: int, part: str) -> set[int]:
        """Returns the values of one field."""
        low, high = self.BOUNDS[index]
        found: set[int] = set()
        for item in part.split(","):
            words, _, step = item.partition("/")
            first, _, last = (f"{low}-{high}" if words == "*" else words).partition("-")
            begin = self.number(index, first)
            finish = self.number(index, last or first)
            around = [*range(low, high + 1)] * 2
            start = around.index(begin)
            run = around[start : start + (finish - begin) % (high - low + 1) + 1]
            found.update(run[:: int(step or 1)])
        return found

    def number(self, index: int, word: str) -> int:
        """Returns a name's or a numeral's value."""
        if index == 4:
            return self.DAYS.index(word) if word.isalpha() else int(word) % 7
        return self.MONTHS.index(word) + 1 if word.isalpha() else int(word)

    def falls(self, day: date) -> bool:
        """Tells whether the cron fires on a date."""
        in_month, in_week = day.day in self.sets[2], day.isoweekday() % 7 in self.sets[4]
        both = self.parts[2][0] == "*" or self.parts[4][0] == "*"
        return day.month in self.sets[3] and ((in_month and in_week) if both else (in_month or in_week))

    def between(self, since: datetime, until: datetime) -> list[datetime]:
        """Returns the instants after `since`, up to `until`, from a walk that begins and ends days apart."""
        start = since.replace(second=0, microsecond=0) - 2 * DAY
        minutes = [start + n * MINUTE for n in range(6 * 1440)]
        shown = [(at, at.astimezone(self.zone).replace(tzinfo=None)) for at in minutes]
        fired = self.real_time(shown) if self.wild else self.by_the_wall(shown)
        return sorted(at for at in fired if since < at <= until)

    def matches(self, wall: datetime) -> bool:
        """Tells whether the cron names that time of that date."""
        return wall.minute in self.sets[0] and wall.hour in self.sets[1] and self.falls(wall.date())

    def real_time(self, shown: list[tuple[datetime, datetime]]) -> set[datetime]:
        """Fires whenever the clock shows a time that matches."""
        return {at for at, wall in shown if self.matches(wall)}

    def by_the_wall(self, shown: list[tuple[datetime, datetime]]) -> set[datetime]:
        """Fires once for each time of each date: at its first passage, or at the end of its gap."""
        first = {wall: at for at, wall in reversed(shown)}
        walls = [shown[0][1] + n * MINUTE for n in range(6 * 1440 - 180)]
        wanted = [wall for wall in walls if self.matches(wall)]
        return {first[wall] if wall in first else self.after_gap(shown, wall) for wall in wanted}

    @staticmethod
    def after_gap(shown: list[tuple[datetime, datetime]], wall: datetime) -> datetime:
        """Returns the first minute after a gap."""
        return next(
            at for (_, before), (at, after) in pairwise(shown) if before < wall < after and after - before > MINUTE
        )


@settings(max_examples=examples(25), deadline=None)
@example(zone="America/Scoresbysund", at=time(22, 0, 1))
@example(zone="America/Scoresbysund", at=time(23, 0, 1))
@given(zone=st.sampled_from(sorted(available_timezones())), at=st.times().map(lambda t: t.replace(microsecond=0)))
def test_a_daily_job_runs_once_a_day(zone: str, at: time) -> None:
    """In any zone, from 2020 to 2037, a daily job fires exactly once for each local date.

    A gap may end at midnight, as Scoresbysund's does: what it left out fires then, on the date that follows.
    """
    shown = [instant.astimezone(ZoneInfo(zone)) for instant in due(At(at=(at,)), zone).between(START, END, 10_000)]
    dates = [local.date() - DAY if local.time() < at else local.date() for local in shown]
    assert dates == [dates[0] + n * DAY for n in range(len(dates))]
    assert dates[0] <= START.date() + DAY
    assert dates[-1] >= END.date() - 2 * DAY


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("at", ["00:00", "00:15", "01:59:59", "02:15", "02:30", "02:59", "03:00", "23:30"])
def test_a_daily_job_runs_once_a_day_where_clocks_are_odd(zone: str, at: str) -> None:
    """Whichever night a zone's clocks change in, no local date from 2020 to 2037 goes without, and none has two."""
    tz, wanted = ZoneInfo(zone), time.fromisoformat(at)
    found = due(At(at=(wanted,)), zone)
    shown = [instant.astimezone(tz) for instant in found.between(START, END, 10_000)]
    dates = [local.date() - DAY if local.time() < wanted else local.date() for local in shown]
    assert dates == [dates[0] + n * DAY for n in range(len(dates))]
    span = found.span(START, END)
    assert span is not None
    assert span.count == len(dates)


@settings(max_examples=examples(40), deadline=None)
@given(cron=crons(), since=MOMENTS)
def test_without_changes_of_clocks_cronsim_agrees(cron: str, since: datetime) -> None:
    """In UTC the walk is cronsim's own."""
    plain = cron.replace("H", "17").replace("22-2", "22")
    found = due(Cron(plain))
    theirs = CronSim(plain.replace("sat-mon", "6,0,1").replace("oct-apr", "10-12,1-4"), since)
    ours: datetime | None = since
    for _ in range(10):
        assert ours is not None
        ours = found.next_after(ours)
        assert ours == next(theirs)


@pytest.mark.parametrize(
    ("zone", "gap_ends", "at"),
    [
        ("Europe/Berlin", "2026-03-29 01:00", "02:30"),
        ("America/New_York", "2026-03-08 07:00", "02:00"),
        ("Australia/Sydney", "2026-10-03 16:00", "02:59:59"),
        ("Australia/Lord_Howe", "2026-10-03 15:30", "02:15"),
        ("America/Havana", "2026-03-08 05:00", "00:30"),
        ("Antarctica/Troll", "2026-03-29 01:00", "02:30"),
    ],
)
def test_a_time_in_the_gap_fires_at_its_end(zone: str, gap_ends: str, at: str) -> None:
    """A time that spring leaves out fires at the first instant after the gap, to the second, that day alone."""
    found = due(At(at=(time.fromisoformat(at),)), zone)
    end = utc(gap_ends)
    assert found.next_after(end - timedelta(hours=3)) == end
    following = found.next_after(end)
    assert following is not None
    assert following.astimezone(ZoneInfo(zone)).time() == time.fromisoformat(at)


@pytest.mark.parametrize(
    ("zone", "first", "length"),
    [
        ("Europe/Berlin", "2026-10-25 00:30", 60),
        ("America/New_York", "2026-11-01 05:30", 60),
        ("Australia/Sydney", "2026-04-04 15:30", 60),
        ("Australia/Lord_Howe", "2026-04-04 14:45", 30),
    ],
)
def test_a_time_in_the_fold_fires_at_its_first_passage(zone: str, first: str, length: int) -> None:
    """A time that autumn brings twice fires once, also for who asks between the passages."""
    passage = utc(first)
    wall = passage.astimezone(ZoneInfo(zone)).time()
    assert (passage + length * MINUTE).astimezone(ZoneInfo(zone)).time() == wall
    found = due(At(at=(wall,)), zone)
    assert found.next_after(passage - MINUTE) == passage
    assert found.next_after(passage) == passage + DAY + length * MINUTE
    assert found.next_after(passage + MINUTE) == passage + DAY + length * MINUTE


def test_a_starred_cron_runs_in_real_time() -> None:
    """A half-hourly cron neither stops nor doubles its pace while clocks change."""
    found = due(Cron("*/30 * * * *"), "Europe/Berlin")
    for start in (utc("2026-10-24 22:00"), utc("2026-03-28 22:00")):
        expected = [start + n * 30 * MINUTE for n in range(1, 13)]
        assert found.between(start, start + timedelta(hours=6), 100) == expected


def test_a_fold_over_midnight_keeps_the_order_of_instants() -> None:
    """Where clocks went from 00:01 back to 23:01 of the day before, a minutely cron misses and swaps nothing."""
    start = utc("2010-11-07 01:00")
    expected = [start + n * MINUTE for n in range(1, 181)]
    assert due(Cron("* * * * *"), "America/St_Johns").between(start, start + 180 * MINUTE, 1000) == expected


@given(every=st.integers(1, 86400), offset=st.integers(0, 86399), since=MOMENTS)
def test_every_is_anchored_to_the_epoch(every: int, offset: int, since: datetime) -> None:
    """All nodes and all restarts agree on the instants: their distance from the epoch is a multiple."""
    at = due(Every(every=float(every), offset=float(offset % every))).next_after(since)
    assert at is not None
    assert (int(at.timestamp()) - offset % every) % every == 0
    assert since < at <= since + timedelta(seconds=every)


def test_a_span_counts_years_of_seconds_at_once() -> None:
    """A long gap of a fast schedule is told without walking it."""
    found = due(Every(every=1.0))
    until = START + 3650 * DAY
    assert found.span(START, until) == Span(START + timedelta(seconds=1), until, 3650 * 86400)


def test_between_keeps_its_limit() -> None:
    """No more instants are built than asked for, and the earliest come first."""
    found = due(Every(every=60.0))
    assert found.between(START, END, 3) == [START + n * MINUTE for n in (1, 2, 3)]
    assert found.between(START, START, 3) == []


def test_once_is_due_once() -> None:
    """A single instant is due strictly before it has come, and never after."""
    at = utc("2026-12-01 02:00")
    found = due(Once(once=at.astimezone(BERLIN)))
    assert found.next_after(at - MINUTE) == at
    assert found.next_after(at) is None
    assert found.span(at, END) is None


@pytest.mark.parametrize("schedule", [Manual(), After(after=("other",))])
def test_what_no_clock_drives_has_no_occurrences(schedule: Schedule) -> None:
    """Jobs that wait for a person or another job are never on the clock."""
    assert occurrences(schedule, BERLIN, "job") is None


def test_a_long_day_of_month_means_the_last() -> None:
    """Day 31 fires on the last day of a shorter month, once, also beside `last`."""
    found = due(Monthly(monthly=(31, "last"), at=(time(2, 30),)))
    days = [(at.month, at.day) for at in found.between(utc("2026-01-01"), utc("2026-06-30 12:00"), 100)]
    assert days == [(1, 31), (2, 28), (3, 31), (4, 30), (5, 31), (6, 30)]


def test_a_rare_cron_is_found() -> None:
    """29 February falls on a Sunday every 28 years, over the year 2100 after 40."""
    found = due(Cron("0 0 29 2 */7"))  # begins with a star: day and weekday
    assert found.next_after(utc("2024-01-01")) == utc("2032-02-29")
    assert found.next_after(utc("2032-02-29")) == utc("2060-02-29")
    assert found.next_after(utc("2088-03-01")) == utc("2128-02-29")


def test_jobs_that_share_a_schedule_share_the_work() -> None:
    """One walker serves every job of an expression and a zone; H still parts the jobs."""
    assert due(Cron("0 2 * * *"), name="a") is due(Cron("0 2 * * *"), name="b")
    assert due(Cron("H 2 * * *"), name="a") is not due(Cron("H 2 * * *"), name="b")


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Every(every=900.0), "every 15 minutes"),
        (Every(every=60.0), "every minute"),
        (Every(every=900.0, offset=120.0), "every 15 minutes, 2 minutes past"),
        (Every(every=1.5), "every 1.5 seconds"),
        (Every(every=86400.0), "every day"),
        (Once(once=utc("2026-12-01 02:00")), "once at 2026-12-01 02:00:00 UTC"),
        (At(at=(time(2, 30), time(14, 0, 5))), "at 02:30, 14:00:05 Europe/Berlin every day"),
        (At(at=(time(2, 30),), days=("mon", "last fri")), "at 02:30 Europe/Berlin on mon, last fri"),
        (Monthly(monthly=(1, "last"), at=(time(2, 30),)), "at 02:30 Europe/Berlin on day 1, last of each month"),
        (Cron("30 2 * * mon-fri"), "at 02:30 on Monday through Friday, Europe/Berlin"),
    ],
)
def test_schedules_describe_themselves(schedule: Schedule, words: str) -> None:
    """A listing shows a schedule in words."""
    assert due(schedule, "Europe/Berlin").describe() == words


@pytest.mark.parametrize(
    ("dst", "gap", "fold"),
    [
        ("once", ["2026-03-29T01:00"], ["2026-10-25T00:30"]),
        ("skip", [], ["2026-10-25T00:30"]),
        ("both", ["2026-03-29T01:00"], ["2026-10-25T00:30", "2026-10-25T01:30"]),
    ],
)
def test_a_job_says_what_a_change_of_clocks_does_to_it(dst: Dst, gap: list[str], fold: list[str]) -> None:
    """In Berlin 02:30 is left out in March and comes twice in October."""
    found = occurrences(At(at=(time(2, 30),)), BERLIN, "job", dst)
    assert found is not None
    assert found.between(utc("2026-03-28T12:00"), utc("2026-03-29T12:00"), 9) == [utc(at) for at in gap]
    assert found.between(utc("2026-10-24T12:00"), utc("2026-10-25T12:00"), 9) == [utc(at) for at in fold]


@pytest.mark.parametrize("words", ["6-20", "06:00", "06:00-06:00", "24:00-06:00", "06:00-25:00", 6])
def test_what_are_no_hours_is_refused(words: object) -> None:
    """The error shows what may be written."""
    with pytest.raises(ValueError, match="expected hours"):
        read_hours(words)


NOVEMBER = ("2026-11-01", "2026-11-30T23:59")


def days_of(schedule: Schedule, *holidays: str, zone: str = "UTC") -> list[int]:
    """Returns the days of November 2026 on which a schedule is due, with these holidays."""
    found = occurrences(schedule, ZoneInfo(zone), "job", holidays=tuple(map(HolidayWords, holidays)))
    assert found is not None
    return [at.astimezone(ZoneInfo(zone)).day for at in found.between(utc(NOVEMBER[0]), utc(NOVEMBER[1]), 100)]


@pytest.mark.parametrize(
    ("days", "holidays", "november"),
    [
        ("1st business", [], [2]),
        ("1st business", ["2026-11-02..2026-11-04"], [5]),
        ("3rd business day", ["11-03"], [5]),
        ("last business", ["2026-11-30"], [27]),
        ("20th business", ["11-03"], [30]),
        ("business", ["2026-11-03..2026-11-27"], [2, 30]),
        ("last fri", ["2026-11-27"], [27]),
    ],
)
def test_business_days(days: str, holidays: list[str], november: list[int]) -> None:
    """They are counted without weekends and holidays; other words for days know no holidays."""
    assert days_of(At(at=(time(6),), days=(days,)), *holidays) == november


@pytest.mark.parametrize(
    ("day", "roll", "holidays", "november"),
    [
        (15, None, [], [15]),
        (15, "next business day", [], [16]),
        (15, "next business day", ["11-16..11-17"], [18]),
        (15, "previous business day", [], [13]),
        (15, "previous business day", ["11-12..11-13"], [11]),
        (16, "next business day", [], [16]),
        ("last", "next business day", ["11-30"], [2]),  # 31 October was a Saturday; 30 November goes to December
        ("last", "previous business day", ["11-30"], [27]),
        (1, "previous business day", [], []),  # Sunday the 1st goes to October, and 1 December is a Tuesday
    ],
)
def test_a_day_of_the_month_may_roll(
    day: DayOfMonth, roll: Literal["next business day"] | None, holidays: list[str], november: list[int]
) -> None:
    """To the next or previous business day, also over the end of the month."""
    assert days_of(Monthly(monthly=(day,), at=(time(6),), roll=roll), *holidays) == november


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        (At(at=(time(6),), days=("last business",), months=("mar", "jun", "sep", "dec")), ["03-31", "06-30", "09-30"]),
        (At(at=(time(6),), days=("1st mon",), months=("dec-feb",)), ["01-05", "02-02", "12-07"]),
        (Monthly(monthly=(24,), at=(time(6),), months=("dec",)), ["12-24", "2027-12-24"]),
        (Monthly(monthly=("last",), at=(time(6),), months=("jan",), roll="next business day"), ["02-02", "2027-02-01"]),
    ],
)
def test_some_months_of_the_year(schedule: Schedule, days: list[str]) -> None:
    """A day that rolls is one of the month it rolls from: 31 January 2026 was a Saturday."""
    found = occurrences(schedule, ZoneInfo("UTC"), "job", holidays=())
    assert found is not None
    ticks = found.between(utc("2026-01-01"), utc("2028-01-01"), len(days))
    assert [f"{at:%Y-%m-%d}".removeprefix("2026-") for at in ticks] == days


@settings(max_examples=examples(15), deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    day=st.integers(1, 31),
    roll=st.sampled_from(["next business day", "previous business day"]),
)
def test_rolling_keeps_one_tick_a_month(zone: str, day: int, roll: Literal["next business day"]) -> None:
    """Whatever the day, twelve months bring twelve ticks, each on a business day, none further than a weekend away."""
    found = occurrences(Monthly(monthly=(day,), at=(time(12),), roll=roll), ZoneInfo(zone), "job")
    assert found is not None
    wanted = due(Monthly(monthly=(day,), at=(time(12),)), zone).between(START, END, 150)
    for at in wanted:
        (rolled,) = found.between(at - 2.5 * DAY, at + 2.5 * DAY, 9)
        assert rolled.astimezone(ZoneInfo(zone)).weekday() < 5
        assert rolled == at or at.astimezone(ZoneInfo(zone)).weekday() >= 5
        assert rolled == at or (rolled > at) == (roll == "next business day")
