"""Times and dates: how sources write them, what is kept, how they are put out."""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.columns import ColumnOptions
from jobs.contract import Json
from jobs.mapping import mapping

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kolkata"])
MOMENTS = st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis wants them naive
OFFSETS = st.builds(timezone, st.builds(timedelta, minutes=st.integers(-14 * 60, 14 * 60)))


def _made(value: Json, kind: str, **options: Any) -> Json:  # noqa: ANN401  as TOML would hold them
    mapped = mapping({"c": ColumnOptions.model_validate({"type": kind, **options})}).rows([{"c": value}])
    assert not mapped.rejects, mapped.rejects
    return mapped.rows[0]["c"]


@pytest.mark.parametrize(
    ("value", "options", "kept"),
    [
        ("2026-01-31T08:00:00Z", {}, "2026-01-31T08:00:00.000000Z"),
        ("2026-01-31T08:00:00.123456Z", {}, "2026-01-31T08:00:00.123456Z"),
        ("2026-01-31T08:00:00.123456789+02:00", {}, "2026-01-31T06:00:00.123456Z"),
        ("2026-01-31 08:00:00,5+0200", {}, "2026-01-31T06:00:00.500000Z"),
        ("2026-01-31T08:00", {"zone": "Europe/Berlin"}, "2026-01-31T07:00:00.000000Z"),
        ("2026-01-31T08:00:00Z", {"zone": "Europe/Berlin"}, "2026-01-31T08:00:00.000000Z"),
        ("2026-01-31", {"zone": "Europe/Berlin"}, "2026-01-30T23:00:00.000000Z"),
        ("2026-01-31 08:00:00", {"format": "servicenow"}, "2026-01-31T08:00:00.000000Z"),
        ("2026-01-31 08:00:00", {"format": "servicenow", "zone": "Asia/Kolkata"}, "2026-01-31T02:30:00.000000Z"),
        (1769846400, {"format": "epoch"}, "2026-01-31T08:00:00.000000Z"),
        ("1769846400.1", {"format": "epoch"}, "2026-01-31T08:00:00.100000Z"),
        (1769846400.123456, {"format": "epoch"}, "2026-01-31T08:00:00.123456Z"),
        (-0.0000001, {"format": "epoch"}, "1969-12-31T23:59:59.999999Z"),
        (1769846400123, {"format": "epoch_ms"}, "2026-01-31T08:00:00.123000Z"),
        ("31.01.2026 08:00", {"format": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"}, "2026-01-31T07:00:00.000000Z"),
        ("31.01.2026 08:00 -0500", {"format": "%d.%m.%Y %H:%M %z"}, "2026-01-31T13:00:00.000000Z"),
        (
            "31.01.2026 08:00 GMT",
            {"format": "%d.%m.%Y %H:%M %Z", "zone": "Europe/Berlin"},
            "2026-01-31T08:00:00.000000Z",
        ),
        (20260131, {"format": "%Y%m%d"}, "2026-01-31T00:00:00.000000Z"),
    ],
)
def test_times_are_kept_in_utc(value: Json, options: dict[str, Any], kept: str) -> None:
    """One form, whatever the source writes; a time that tells its zone does not care for the column's."""
    assert _made(value, "timestamp", **options) == kept


def test_names_of_zones_mean_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python reads those of the machine's own zone, and drops what it read."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Europe/Berlin")
        time.tzset()
        options = {"type": "timestamp", "format": "%d.%m.%Y %H:%M %Z"}
        mapped = mapping({"c": ColumnOptions.model_validate(options)}).rows([{"c": "31.01.2026 08:00 CET"}])
    time.tzset()
    assert (mapped.rows, len(mapped.rejects)) == ([], 1)


@pytest.mark.parametrize(
    ("local", "kept"),
    [
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00.000000Z"),  # comes twice: the first passage, in summer time
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00.000000Z"),  # never comes: moved on to 03:30 in summer time
    ],
)
def test_changes_of_clocks_have_a_rule(local: str, kept: str) -> None:
    """Ambiguous times are the first ones, times in the gap are moved on by it."""
    assert _made(local, "timestamp", zone="Europe/Berlin") == kept


@pytest.mark.parametrize(
    ("value", "options", "kept"),
    [
        ("2026-01-31", {}, "2026-01-31"),
        ("2026-01-31T23:30:00Z", {}, "2026-01-31"),
        ("2026-01-31T23:30:00Z", {"zone": "Europe/Berlin"}, "2026-02-01"),
        ("2026-01-31T23:30:00", {"zone": "Europe/Berlin"}, "2026-01-31"),
        ("2026-01-31 23:30:00", {"format": "servicenow"}, "2026-01-31"),
        (1769902200, {"format": "epoch", "zone": "Europe/Berlin"}, "2026-02-01"),
        ("01/31/26", {"format": "%m/%d/%y"}, "2026-01-31"),
    ],
)
def test_dates_are_days_in_the_columns_zone(value: Json, options: dict[str, Any], kept: str) -> None:
    """The day of a time, or the date as it is written."""
    assert _made(value, "date", **options) == kept


@pytest.mark.parametrize(
    ("value", "options", "expected"),
    [
        ("20260131T080000Z", {}, "a time in ISO 8601 such as 2026-01-31T08:00:00Z"),
        ("2026-02-30T08:00:00Z", {}, "a time in ISO 8601 such as 2026-01-31T08:00:00Z"),
        ("2026-W05-6T08:00:00Z", {}, "a time in ISO 8601 such as 2026-01-31T08:00:00Z"),
        ("1712011200", {}, "a time in ISO 8601 such as 2026-01-31T08:00:00Z"),
        (1769846400, {}, "a time in ISO 8601 such as 2026-01-31T08:00:00Z"),
        ("0001-01-01T00:00:00+14:00", {}, "a time in ISO 8601 such as 2026-01-31T08:00:00Z"),
        ("2026-01-31T08:00:00Z", {"format": "servicenow"}, "a time such as 2026-01-31 08:00:00"),
        (True, {"format": "epoch"}, "a time in seconds since 1970"),
        (1e300, {"format": "epoch"}, "a time in seconds since 1970"),
        ("1e999999999", {"format": "epoch_ms"}, "a time in milliseconds since 1970"),
        ("2026-01-31", {"format": "%d.%m.%Y"}, "a time of the form %d.%m.%Y"),
    ],
)
def test_what_is_no_time_in_the_format_is_a_reject(value: Json, options: dict[str, Any], expected: str) -> None:
    """Nothing is guessed."""
    made = mapping({"c": ColumnOptions.model_validate({"type": "timestamp", **options})})
    ((_, reason),) = made.rows([{"c": value}]).rejects
    assert reason.startswith(f"the column c: expected {expected}, found ")


@pytest.mark.parametrize(
    ("kind", "output", "written"),
    [
        ("timestamp", "iso", "2026-01-31T23:30:00.500000Z"),
        ("timestamp", "servicenow", "2026-01-31 23:30:00"),
        ("timestamp", "epoch", 1769902200),
        ("timestamp", "epoch_ms", 1769902200500),
        ("timestamp", "%d.%m.%Y %H:%M", "31.01.2026 23:30"),
        ("date", "iso", "2026-01-31"),
        ("date", "servicenow", "2026-01-31"),
        ("date", "epoch", 1769817600),
        ("date", "%d.%m.%Y", "31.01.2026"),
    ],
)
def test_times_go_out_as_the_far_end_wants_them(kind: str, output: str, written: Json) -> None:
    """In UTC; null stays null, and a default goes out in the same form."""
    value = "2026-01-31T23:30:00.5Z"
    assert _made(value, kind, output=output) == written
    assert _made(None, kind, output=output) is None
    assert _made(None, kind, output=output, default=value) == written


@pytest.mark.parametrize("kind", ["timestamp", "date"])
@pytest.mark.parametrize(
    ("output", "text"),
    [("%Y-%m-%d", "0800-07-01"), ("%F", "0800-07-01"), ("%G%%Y", "0800%Y")],
)
def test_a_year_goes_out_with_four_digits(kind: str, output: str, text: str) -> None:
    """As it is read, whatever the C library makes of years before 1000."""
    assert _made("0800-07-01", kind, output=output) == text


@given(MOMENTS, OFFSETS, st.sampled_from("T "))
def test_any_offset_tells_the_same_moment(moment: datetime, offset: timezone, between: str) -> None:
    """27 characters that sort as time does, and read back as the moment."""
    kept = _made(moment.astimezone(offset).isoformat(sep=between), "timestamp")
    assert len(kept) == 27
    assert datetime.fromisoformat(kept) == moment


@given(MOMENTS, st.sampled_from([("epoch", "epoch"), ("epoch_ms", "epoch_ms"), ("servicenow", "servicenow")]))
def test_what_goes_out_comes_in_again(moment: datetime, forms: tuple[str, str]) -> None:
    """The formats of reading are those of writing, to the second or millisecond."""
    out, back = forms
    written = _made(moment.isoformat(), "timestamp", output=out)
    kept = datetime.fromisoformat(_made(written, "timestamp", format=back))
    assert timedelta(0) <= moment - kept < timedelta(milliseconds=1 if out == "epoch_ms" else 1000)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)), ZONES)  # noqa: DTZ001  a wall clock's
def test_wall_clocks_are_read_as_zoneinfo_reads_them(local: datetime, zone: str) -> None:
    """Every hour of every zone, the doubtful ones too."""
    kept = _made(local.isoformat(), "timestamp", zone=zone)
    assert datetime.fromisoformat(kept) == local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


@given(st.dates(), ZONES)
def test_dates_stay_the_day_they_are(day: date, zone: str) -> None:
    """A date has no zone."""
    assert _made(day.isoformat(), "date", zone=zone) == day.isoformat()
