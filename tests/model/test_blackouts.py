"""Blackouts and holidays are read as written; what is shut of each date is what a calendar on the wall shows."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from worker.model.blackouts import Blackout, BlackoutWords, CalendarEvents, Holiday, read_blackout
from worker.model.portions import holds

BERLIN = ZoneInfo("Europe/Berlin")
BLACKOUT: TypeAdapter[BlackoutWords | CalendarEvents] = TypeAdapter(Blackout)
HOLIDAY: TypeAdapter[BlackoutWords | CalendarEvents] = TypeAdapter(Holiday)
DECEMBER = datetime(2026, 12, 1)  # noqa: DTZ001  what a wall shows
FORMS = [
    "2026-12-24", "2026-12-24..2026-12-26", "12-24..12-26", "12-30 .. 01-02", "2026-12-24 22:00..2026-12-25 06:00",
    "sat 22:00 - mon 04:00", "mon 00:00 - sat 24:00", "22:00-06:00", "sun", "weekend", "last fri 18:00-24:00",
    "fri 22:00-02:00", "02-29",
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "spans"),
    [
        ("2026-12-24", ["24T00 25T00"]),
        ("2026-12-24..2026-12-26", ["24T00 27T00"]),
        ("12-24..12-26", ["24T00 27T00"]),
        ("2026-12-24 22:00..2026-12-25 06:00", ["24T22 25T06"]),
        ("2026-12-24T22:00 .. 2026-12-24T24:00", ["24T22 25T00"]),
        ("Thu 22:00 - Fri 04:00", ["03T22 04T04", "10T22 11T04", "17T22 18T04", "24T22 25T04"]),
        ("wed 20:00 - tue 20:00", ["01T00 01T20", "02T20 08T20", "09T20 15T20", "16T20 22T20", "23T20 28T00"]),
        ("last fri 18:00-24:00", ["25T18 26T00"]),
        ("2nd fri 22:00-02:00", ["11T22 12T02"]),
        ("1st mon", ["07T00 08T00"]),
        ("weekend 12:00-00:00", ["05T12 06T00", "06T12 07T00"]),
    ],
)
def test_what_is_shut(words: str, spans: list[str]) -> None:
    """Of the first 27 days of December 2026, hour by hour."""
    shut = read_blackout(words)
    edges = [[datetime.fromisoformat(f"2026-12-{edge}:00") for edge in span.split()] for span in spans]
    for hour in (DECEMBER + timedelta(hours=n) for n in range(27 * 24)):
        if words.startswith("weekend") and hour.day > 6:
            continue
        wanted = any(start <= hour < end for start, end in edges)
        assert holds(shut.of(hour.date()), hour) == wanted, hour


@given(words=st.sampled_from(FORMS), day=st.dates(date(2020, 1, 1), date(2037, 12, 31)))
def test_portions_of_a_date_are_in_order_and_lie_on_it(words: str, day: date) -> None:
    """Whatever the form, no two portions meet, and none leaves its date."""
    edges = [edge for portion in read_blackout(words).of(day) for edge in portion]
    midnight = datetime.combine(day, datetime.min.time())
    assert edges == sorted(set(edges))
    assert all(midnight <= edge <= midnight + timedelta(days=1) for edge in edges)


@pytest.mark.parametrize("words", FORMS)
def test_what_is_read_reads_again(words: str) -> None:
    """The dump of a blackout is what was written, without more blanks than needed; it may serve as a key."""
    read = BLACKOUT.validate_python(f" {words} ")
    assert BLACKOUT.validate_python(BLACKOUT.dump_python(read, mode="json")) == read
    assert len({read, BLACKOUT.validate_python(words)}) == 1


def test_a_date_may_stand_without_quotes() -> None:
    """TOML has dates of its own."""
    assert BLACKOUT.validate_python(date(2026, 12, 24)) == BlackoutWords("2026-12-24")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("2026-02-30", "day is out of range"),
        ("02-30", "day is out of range"),
        ("2026-12-26..2026-12-24", "the last date lies before the first"),
        ("2026-12-24 22:00..2026-12-24 20:00", "it ends before it begins"),
        ("sat 22:00 - sat 22:00", "it ends where it begins"),
        ("sat 25:00 - sun 04:00", "hour must be in"),
        ("22:00-25:00", "expected hours of the day"),
        ("someday", "expected days such as mon"),
        ("last business", "a blackout knows no business days"),
        ("", "expected days"),
        (5, "expected a blackout such as"),
    ],
)
def test_what_is_no_blackout_gets_one_message(written: object, says: str) -> None:
    """It shows what may be written, and what is wrong with what was."""
    with pytest.raises(ValidationError) as caught:
        BLACKOUT.validate_python(written)
    assert len(caught.value.errors()) == 1
    assert says in caught.value.errors()[0]["msg"]


@given(st.text(alphabet="0123456789-:. satmonlfri", max_size=24))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is a blackout or gets a message."""
    try:
        BLACKOUT.validate_python(text)
    except ValidationError as error:
        assert len(error.errors()) == 1  # noqa: PT017  both outcomes are right; the message is looked at


@pytest.mark.parametrize("words", ["22:00-23:00", "sat 22:00 - mon 04:00", "fri 12:00-24:00"])
def test_holidays_are_whole_days(words: str) -> None:
    """Half a day off does not make a day of business another one."""
    with pytest.raises(ValidationError, match="expected whole days"):
        HOLIDAY.validate_python(words)
    assert HOLIDAY.validate_python("12-25") == HOLIDAY.validate_python(" 12-25")


EVENTS = """BEGIN:VEVENT
UID:christmas
DTSTART;VALUE=DATE:20201225
DTEND;VALUE=DATE:20201227
RRULE:FREQ=YEARLY
TRANSP:TRANSPARENT
END:VEVENT
BEGIN:VEVENT
UID:one day
DTSTART;VALUE=DATE:20261208
END:VEVENT
BEGIN:VEVENT
UID:with a zone, over a change of clocks
DTSTART;TZID=Europe/Berlin:20261001T220000
DURATION:PT4H
RRULE:FREQ=WEEKLY;COUNT=20
EXDATE;TZID=Europe/Berlin:20261105T220000
END:VEVENT
BEGIN:VEVENT
UID:floating
DTSTART:20261210T120000
DTEND:20261210T130000
END:VEVENT
BEGIN:VEVENT
UID:cancelled
DTSTART;VALUE=DATE:20261211
STATUS:CANCELLED
END:VEVENT
BEGIN:VEVENT
UID:over new year
DTSTART:20261231T180000Z
DTEND:20270101T060000Z
END:VEVENT
"""


def calendar(folder: Path, events: str = EVENTS) -> Path:
    """Writes a calendar."""
    file = folder / "holidays.ics"
    file.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//tests//EN\n{events}END:VCALENDAR\n", newline="\r\n")
    return file


@pytest.mark.parametrize(
    ("day", "zone", "spans"),
    [
        ("2026-12-25", BERLIN, ["25T00 26T00"]),
        ("2035-12-26", BERLIN, ["26T00 27T00"]),
        ("2026-12-27", BERLIN, []),
        ("2026-12-08", BERLIN, ["08T00 09T00"]),
        ("2026-10-22", BERLIN, ["22T22 23T00"]),
        ("2026-10-29", BERLIN, ["29T22 30T00"]),
        ("2026-10-30", BERLIN, ["30T00 30T02"]),
        ("2026-11-05", BERLIN, []),
        ("2026-10-29", ZoneInfo("UTC"), ["29T21 30T00"]),
        ("2026-12-10", ZoneInfo("Pacific/Auckland"), ["10T12 10T13"]),
        ("2026-12-11", ZoneInfo("UTC"), ["11T00 11T01"]),
        ("2026-12-31", BERLIN, ["31T19 01T00"]),
        ("2027-01-01", BERLIN, ["01T00 01T07"]),
    ],
)
def test_events_of_a_calendar(tmp_path: Path, day: str, zone: ZoneInfo, spans: list[str]) -> None:
    """Whole days, spans with and without a zone, repeated ones and their exceptions; cancelled ones take nothing."""
    events = BLACKOUT.validate_python({"ics": str(calendar(tmp_path))})
    on = date.fromisoformat(day)
    told = [f"{start:%dT%H} {end:%dT%H}" for start, end in events.of(on, zone)]
    assert told == spans


@pytest.mark.parametrize(
    ("begin", "end", "zone", "spans"),
    [
        ("20271031T003000Z", "20271031T011000Z", BERLIN, ["0200 0210", "0230 0300"]),
        ("20271030T120000Z", "20271031T003000Z", BERLIN, ["0000 0230"]),
        ("20270328T003000Z", "20270328T013000Z", BERLIN, ["0130 0200", "0300 0330"]),
        ("20271031T010000Z", "20271031T013000Z", BERLIN, ["0200 0230"]),
        ("20270403T143000Z", "20270403T151000Z", ZoneInfo("Australia/Lord_Howe"), ["0130 0200"]),
    ],
)
def test_an_event_while_clocks_change(tmp_path: Path, begin: str, end: str, zone: ZoneInfo, spans: list[str]) -> None:
    """It takes each instant of its span, and of an hour that is shown twice what the clock shows in it."""
    events = f"BEGIN:VEVENT\nUID:maintenance\nDTSTART:{begin}\nDTEND:{end}\nEND:VEVENT\n"
    days = BLACKOUT.validate_python({"ics": str(calendar(tmp_path, events))})
    last = datetime.strptime(end, "%Y%m%dT%H%M%S%z")
    portions = days.of(last.astimezone(zone).date(), zone)
    assert [f"{start:%H%M} {stop:%H%M}" for start, stop in portions] == spans
    first = datetime.strptime(begin, "%Y%m%dT%H%M%S%z")
    for minute in range(0, int((last - first).total_seconds()), 60):
        local = (first + timedelta(seconds=minute)).astimezone(zone).replace(tzinfo=None)
        assert holds(days.of(local.date(), zone), local)


OUTLOOK = """BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:patches
RRULE:FREQ=MONTHLY;BYDAY=2TU
DTSTART;TZID=W. Europe Standard Time:20260113T220000
DTEND;TZID=W. Europe Standard Time:20260114T020000
END:VEVENT
BEGIN:VEVENT
UID:patches
RECURRENCE-ID;TZID=W. Europe Standard Time:20261208T220000
DTSTART;TZID=W. Europe Standard Time:20261209T220000
DTEND;TZID=W. Europe Standard Time:20261210T020000
END:VEVENT
"""


def test_a_calendar_of_outlook(tmp_path: Path) -> None:
    """It names zones its own way, and moves single instances of what repeats."""
    events = BLACKOUT.validate_python({"ics": str(calendar(tmp_path, OUTLOOK))})
    assert isinstance(events, CalendarEvents)
    days = [date(2026, 7, 14), date(2026, 7, 15), *(date(2026, 12, day) for day in (8, 9, 10))]
    hours = [[(start.hour, end.hour) for start, end in events.of(day, BERLIN)] for day in days]
    assert hours == [[(22, 0)], [(0, 2)], [], [(22, 0)], [(0, 2)]]


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ("", "has none"),
        ("BEGIN:VEVENT\nUID:1\nDTSTART:20261210T120000\n", "none that can be read"),
        ("BEGIN:VEVENT\nUID:1\nDTSTART:20261210T120000Z\nRRULE:FREQ=SECONDLY\nEND:VEVENT\n", "more seldom"),
        ("BEGIN:VEVENT\nUID:1\nDTSTART:20261210T120000Z\nRRULE:FREQ=SOMETIMES\nEND:VEVENT\n", ""),
    ],
)
def test_a_broken_calendar_is_refused(tmp_path: Path, events: str, says: str) -> None:
    """The message names the file, and shows nothing of what is in it."""
    file = calendar(tmp_path, events)
    with pytest.raises(ValidationError) as caught:
        BLACKOUT.validate_python({"ics": str(file)})
    (error,) = caught.value.errors()
    assert error["loc"] == ("ics",)
    assert says in error["msg"]
    assert str(file) in error["msg"]


def test_a_calendar_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(ValidationError, match="No such file"):
        BLACKOUT.validate_python({"ics": str(tmp_path / "gone.ics")})
