"""Every form of a schedule is read as written, and what is no schedule gets one clear message."""

from collections import Counter
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from worker.model.cron import read_cron
from worker.model.days import falls_on, is_weekday, read_days
from worker.model.schedules import After, At, Cron, Every, Manual, Monthly, Once, Schedule

SCHEDULE: TypeAdapter[Any] = TypeAdapter(Schedule)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("*/10 6-20 * * mon-fri", Cron("*/10 6-20 * * mon-fri")),
        ("@daily", Cron("@daily")),
        ("manual", Manual()),
        ({"every": "15m", "offset": "2m"}, Every(every=900.0, offset=120.0)),
        ({"at": "02:30"}, At(at=(time(2, 30),))),
        ({"at": ["02:30", "14:30:15"]}, At(at=(time(2, 30), time(14, 30, 15)))),
        ({"at": [time(2, 30)], "days": "MON"}, At(at=(time(2, 30),), days=("mon",))),
        ({"at": "02:30", "days": ["mon", "last  fri"]}, At(at=(time(2, 30),), days=("mon", "last fri"))),
        ({"at": "02:30", "months": "MAR"}, At(at=(time(2, 30),), months=("mar",))),
        ({"monthly": 31, "at": "02:30"}, Monthly(monthly=(31,), at=(time(2, 30),))),
        ({"monthly": [1, "last"], "at": "02:30"}, Monthly(monthly=(1, "last"), at=(time(2, 30),))),
        ({"once": "2026-12-01T02:00:00Z"}, Once(once=datetime(2026, 12, 1, 2, tzinfo=UTC))),
        ({"once": datetime(2026, 12, 1, 2, tzinfo=UTC)}, Once(once=datetime(2026, 12, 1, 2, tzinfo=UTC))),
        ({"after": "a"}, After(after=("a",))),
        ({"after": ["a", "b"], "when": "finished"}, After(after=("a", "b"), when="finished")),
        ({"after": "a", "delay": "10m"}, After(after=("a",), delay=600.0)),
    ],
)
def test_each_form_is_read(written: object, read: object) -> None:
    """What a person writes becomes the form's model, and the model's dump reads as the same."""
    assert SCHEDULE.validate_python(written) == read
    assert SCHEDULE.validate_python(SCHEDULE.dump_python(read, mode="json")) == read


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        ("0 0 31 2 *", (), "never fires"),
        ("0 0 30,31 2 *", (), "never fires"),
        ("0 0 31 4,6,9,11 *", (), "never fires"),
        ("61 * * * *", (), "minute: expected 0 to 59, found '61'"),
        ("0 24 * * *", (), "hour: expected 0 to 23, found '24'"),
        ("0 0 * foo *", (), "month: expected 1 to 12 or jan to dec, found 'foo'"),
        ("0 0 * * 8", (), "day of week: expected 0 to 7 or sun to sat, found '8'"),
        ("0 0 * * mon#2x", (), "found 'mon#2x'"),
        ("0 0 * * mon#6", (), "found 'mon#6'"),
        ("0 0 lastweekday * *", (), "found 'lastweekday'"),
        ("5/15 * * * *", (), "write 5-59/N"),
        ("*/0 * * * *", (), "expected a step of 1 to 59"),
        ("*/90 * * * *", (), "expected a step of 1 to 59"),
        ("H(30-10) * * * *", (), "a range that grows"),
        ("1,,2 * * * *", (), "found ''"),
        ("٣ * * * *", (), "minute"),
        ("* * * *", (), "five fields"),
        ("0 * * * * *", (), 'every = "10s"'),
        ("@reboot", (), "expected one of @yearly"),
        ("", (), "five fields"),
        ({"evry": "15m"}, (), "did you mean every?"),
        ({"cron": "* * * * *"}, (), "found a table with cron"),
        ({"days": ["mon"]}, (), "found a table with days"),
        ({}, (), "found a table with nothing"),
        ({"every": "15m", "at": "02:30"}, (), "found every and at together"),
        (5, (), "expected a cron string"),
        (None, (), "expected a cron string"),
        ({"every": "0.5s"}, ("every",), "expected 1s to 366d"),
        ({"every": "999999999d"}, ("every",), "expected 1s to 366d"),
        ({"every": 15}, ("every",), "expected a duration"),
        ({"every": "15m", "offset": "15m"}, (), "offset: expected less than every"),
        ({"every": "15m", "offst": "2m"}, ("offst",), "not permitted"),
        ({"at": []}, ("at",), "expected 1 value or more"),
        ({"at": "2:30"}, ("at", 0), "expected a time of day"),
        ({"at": ["02:30", "24:00"]}, ("at", 1), "found '24:00'"),
        ({"at": time(2, 30, 0, 5)}, ("at", 0), "expected a time of day"),
        ({"at": time(2, 30, tzinfo=UTC)}, ("at", 0), "expected a time of day"),
        ({"at": "02:30", "days": ["mon#2x"]}, ("days", 0), "expected days such as mon"),
        ({"at": "02:30", "days": [1]}, ("days", 0), "expected a day"),
        ({"at": "02:30", "months": ["june"]}, ("months", 0), "expected months such as mar"),
        ({"at": "02:30", "months": [1]}, ("months", 0), "expected a month"),
        ({"monthly": 1, "at": "02:30", "roll": "next"}, ("roll",), "'next business day' or 'previous business day'"),
        ({"monthly": 0, "at": "02:30"}, ("monthly", 0), "found 0"),
        ({"monthly": 32, "at": "02:30"}, ("monthly", 0), "found 32"),
        ({"monthly": True, "at": "02:30"}, ("monthly", 0), "found True"),
        ({"monthly": 1}, ("at",), "Field required"),
        ({"once": "2026-12-01T02:00:00"}, ("once",), "and a zone"),
        ({"once": datetime(2026, 12, 1, 2)}, ("once",), "and a zone"),  # noqa: DTZ001  what is refused
        ({"once": date(2026, 12, 1)}, ("once",), "found 2026-12-01"),
        ({"once": 1796090400}, ("once",), "and a zone"),
        ({"after": []}, ("after",), "expected 1 value or more"),
        ({"after": [5]}, ("after", 0), "valid string"),
        ({"after": "a", "delay": "31d"}, ("delay",), "expected at most 30d"),
        ({"after": "a", "when": "done"}, ("when",), "'succeeded', 'failed' or 'finished'"),
    ],
)
def test_what_is_no_schedule_gets_one_message(written: object, place: tuple[object, ...], says: str) -> None:
    """The message is one, stands at the key a person typed, and says what was expected."""
    with pytest.raises(ValidationError) as caught:
        SCHEDULE.validate_python(written)
    errors = caught.value.errors()
    assert len(errors) == 1
    assert errors[0]["loc"] == place
    assert says in errors[0]["msg"]


NEARLY_CRON = st.lists(st.sampled_from(list("0159*/-,#HLhl@ monjan")), max_size=20).map("".join)


@given(st.one_of(st.text(max_size=20), NEARLY_CRON))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is a schedule or gets a message; none gets another exception."""
    try:
        SCHEDULE.validate_python(text)
    except ValidationError as error:
        assert len(error.errors()) == 1  # noqa: PT017  both outcomes are right; the message is looked at


def test_schedules_are_frozen_and_hashable() -> None:
    """A schedule cannot be changed, so that it may serve as a key."""
    at = At(at=(time(2, 30),), days=("mon",))
    assert hash(at) == hash(At(at=(time(2, 30),), days=("mon",)))
    with pytest.raises(ValidationError):
        at.days = ()  # type: ignore[misc]  # what the test is about


def test_editors_get_a_schema_of_every_form() -> None:
    """The JSON schema names each form and takes a single value where a list is meant."""
    schema = SCHEDULE.json_schema()
    forms = schema["$defs"]
    assert set(forms) == {"Cron", "Every", "At", "Monthly", "Once", "After", "Manual"}
    kinds = [kind.get("type") for kind in forms["At"]["properties"]["at"]["anyOf"]]
    assert kinds == ["string", "array"]
    assert forms["At"]["properties"]["at"]["anyOf"][1]["minItems"] == 1


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("0 22-4/2 * * *", "0 22,0,2,4 * * *"),
        ("0 0 * * sat-mon", "0 0 * * 6,0,1"),
        ("0 0 * * fri-sun", "0 0 * * 5,6,0"),
        ("0 0 * * 5-7", "0 0 * * 5-7"),
        ("0 0 * * 7-2", "0 0 * * 0,1,2"),
        ("0 0 * * 7", "0 0 * * 7"),
        ("0 0 * NOV-feb *", "0 0 * 11,12,1,2 *"),
        ("0 0 * * MON,wed", "0 0 * * 1,3"),
        ("0 0 28-3 * *", "0 0 28,29,30,31,1,2,3 * *"),
        ("0 0 lw * fri#2", "0 0 LW * 5#2"),
        ("0 0 l * friL", "0 0 L * 5L"),
        ("@weekly", "0 0 * * 0"),
        ("@Hourly", "0 * * * *"),
    ],
)
def test_what_cronsim_does_not_know_is_written_out(text: str, fields: str) -> None:
    """Names, nicknames and ranges that wrap become plain fields, which read as the same rule."""
    assert read_cron(text).fields == fields
    assert read_cron(fields).fields == fields


@given(name=st.text(max_size=30))
def test_spread_is_stable_and_within_bounds(name: str) -> None:
    """H stands for the same value at each reading, within its field or its own range."""
    minute, hour, day, month, weekday = read_cron("H H H H H", name).fields.split()
    assert 0 <= int(minute) <= 59
    assert 0 <= int(hour) <= 23
    assert 1 <= int(day) <= 28
    assert 1 <= int(month) <= 12
    assert 0 <= int(weekday) <= 6
    assert read_cron("H H H H H", name).fields == f"{minute} {hour} {day} {month} {weekday}"
    quarter = [int(value) for value in read_cron("H/15 * * * *", name).fields.split()[0].split(",")]
    assert quarter == [quarter[0] + 15 * n for n in range(4)]
    assert quarter[0] < 15
    assert 10 <= int(read_cron("H(10-19) * * * *", name).fields.split()[0]) <= 19
    assert all(10 <= at.minute <= 12 for at in read_cron("H(10-12)/7 * * * *", name).times)


def test_spread_spreads() -> None:
    """Sixty jobs do not share a minute, and hour and minute of a job are drawn apart."""
    minutes = {read_cron("H * * * *", f"job-{n}").fields.split()[0] for n in range(60)}
    assert len(minutes) > 30
    pairs = [read_cron("H H(0-23) * * *", f"job-{n}").fields.split()[:2] for n in range(60)]
    assert len({int(minute) - int(hour) for minute, hour in pairs}) > 20


@pytest.mark.parametrize("names", ["tenant{:05}.orders"])
def test_spread_is_even_over_ten_thousand_names(names: str) -> None:
    """Each minute, hour and day gets its share, within what chance does, however alike the names are."""
    drawn = [read_cron("H H H * *", names.format(n)).fields.split()[:3] for n in range(10_000)]
    for field, values in enumerate((60, 24, 28)):
        counts = Counter(parts[field] for parts in drawn)
        expected = 10_000 / values
        chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
        freedom = values - 1
        assert len(counts) == values
        assert abs(chi_squared - freedom) < 5 * (2 * freedom) ** 0.5
    together = Counter((minute, hour) for minute, hour, _ in drawn)
    assert max(together.values()) < 30  # of 1,440 minutes of the day, with 7 jobs each on the average


def test_day_or_weekday_rule() -> None:
    """Cron's rule: day or weekday fires where both are given, both must hold where one begins with a star."""
    either = read_cron("0 0 13 * fri")
    assert either.on(date(2026, 11, 13))  # Friday the 13th
    assert either.on(date(2026, 12, 13))  # Sunday the 13th
    assert either.on(date(2026, 11, 20))  # Friday the 20th
    assert not either.on(date(2026, 11, 19))
    both = read_cron("0 0 */2 * fri")
    assert both.on(date(2026, 11, 13))
    assert not both.on(date(2026, 11, 20))


@pytest.mark.parametrize("sunday", ["0", "7", "sun", "SUN"])
def test_sunday_has_two_numbers(sunday: str) -> None:
    """0 and 7 are Sunday, and nothing else is."""
    rule = read_cron(f"0 0 * * {sunday}")
    assert [rule.on(date(2026, 11, day)) for day in range(22, 29)] == [True] + [False] * 6


@pytest.mark.parametrize(
    ("words", "november"),
    [
        ("mon", [2, 9, 16, 23, 30]),
        ("last fri", [27]),
        ("1st mon", [2]),
        ("5th mon", [30]),
        ("5th tue", []),
        ("Sat-Mon", [1, 2, 7, 8, 9, 14, 15, 16, 21, 22, 23, 28, 29, 30]),
        ("business", [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27, 30]),
        ("1st business", [2]),
        ("2nd Business day", [3]),
        ("21st business", [30]),
        ("22nd business", []),
        ("last business", [30]),
        ("weekend", [1, 7, 8, 14, 15, 21, 22, 28, 29]),
    ],
)
def test_words_for_days(words: str, november: list[int]) -> None:
    """Each word means the dates of November 2026 that a calendar shows."""
    rules = read_days(words)
    assert [day for day in range(1, 31) if falls_on(date(2026, 11, day), rules, is_weekday)] == november


@given(st.dates())
def test_weekdays_and_weekend_part_the_week(day: date) -> None:
    """Each date is a weekday or at the weekend, never both."""
    if day < date(9999, 12, 1):
        assert falls_on(day, read_days("weekday"), is_weekday) != falls_on(day, read_days("weekend"), is_weekday)
