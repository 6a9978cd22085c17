"""docs/schedules.md against the code: every form loads and is due when the page says, every table tells what is so."""

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from tests.docs.pages import Tables, blocks, tables, whole
from worker.config.load import load
from worker.engine.lint import Kind
from worker.engine.schedule import of_job
from worker.engine.shut import in_blackout
from worker.model.blackouts import read_blackout
from worker.model.options import JobOptions
from worker.model.schedules import After, At, Cron, Every, Manual, Monthly, Once

PAGE = "docs/schedules.md"
BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 27, 12, tzinfo=BERLIN).astimezone(UTC)
TABLES = tables(PAGE)
DUE = [row for table in TABLES.values() for row in table if "ticks" in row]
DST: Tables = TABLES["Nights on which clocks change: dst"]
SERVICENOW: Tables = TABLES["For whoever comes from ServiceNow: run type there"]
_CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20261225\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def _policy(written: str, **options: object) -> JobOptions:
    document: dict[str, Any] = tomllib.loads(f"schedule = {written.strip('`')}")
    given = {"type": "x", "timezone": "Europe/Berlin", "holidays": ["12-24..12-26"], **document, **options}
    return JobOptions.model_validate(given)


def _ticks(policy: JobOptions, since: datetime, until: datetime, count: int = 3) -> list[datetime]:
    due = of_job(policy, ZoneInfo("UTC"), "orders")
    assert due is not None
    return due.between(since, until, count)


@pytest.mark.parametrize("row", DUE, ids=lambda row: row["schedule"])
def test_a_form_is_due_when_the_page_says(row: dict[str, str]) -> None:
    """The first three ticks after noon of the day that the page names."""
    ticks = _ticks(_policy(row["schedule"]), NOON, NOON + timedelta(days=1000))
    shown = [f"{at.astimezone(BERLIN):%a %Y-%m-%d %H:%M}".replace("2026-", "") for at in ticks]
    assert ", ".join(shown) == row["ticks"]


def test_every_form_has_its_row() -> None:
    """All that `schedule` may be, with each of its options."""
    written = [row["schedule"] for table in TABLES.values() for row in table if "schedule" in row]
    forms = [_policy(text).schedule for text in written]
    assert {type(form) for form in forms} == {Cron, Every, At, Monthly, Once, After, Manual}
    for model in (Every, At, Monthly, Once, After):
        shown = {key for form in forms if isinstance(form, model) for key in form.model_fields_set}
        assert shown == set(model.model_fields)


def _utc(day: str) -> datetime:
    return datetime.fromisoformat(f"2026-{day}T00:00+00:00")


@pytest.mark.parametrize("row", DST, ids=lambda row: row["`dst`"])
@pytest.mark.parametrize("form", ['{ at = "02:30" }', '"30 2 * * *"'])
def test_the_table_of_nights(row: dict[str, str], form: str) -> None:
    """Each setting's instants on both nights, for both ways to write a daily job."""
    policy = _policy(form, dst=row["`dst`"].strip("`"))
    for heading, since in (("28 to 30 March", "03-28"), ("24 to 26 October", "10-24")):
        ticks = _ticks(policy, _utc(since), _utc(since) + timedelta(days=3), 9)
        assert ", ".join(f"{at:%d %H:%M}" for at in ticks) == row[heading]


@pytest.mark.parametrize("row", TABLES["Blackouts: blackout"], ids=lambda row: row["blackout"])
def test_a_blackout_skips_what_the_page_says(row: dict[str, str]) -> None:
    """And leaves the instant beside it alone."""
    policy = _policy('"manual"', blackout=row["blackout"].strip('`"'))
    assert in_blackout(policy, datetime.fromisoformat(row["skips a tick at"]).replace(tzinfo=BERLIN))
    assert not in_blackout(policy, datetime.fromisoformat(row["and not at"]).replace(tzinfo=BERLIN))


def test_every_kind_of_blackout_has_its_row() -> None:
    """One at least of each."""
    shown = {type(read_blackout(row["blackout"].strip('`"'))).__name__ for row in TABLES["Blackouts: blackout"]}
    assert shown == {"Dates", "Yearly", "OneSpan", "Weekly", "OnDays"}


@pytest.mark.parametrize("row", SERVICENOW, ids=lambda row: row["here"])
def test_every_run_type_of_servicenow_has_a_form(row: dict[str, str]) -> None:
    """It is read as a schedule."""
    written = row["here"].strip("`")
    assert isinstance(_policy(written).schedule, Manual) == (written == '"manual"')


def test_every_kind_of_warning_has_its_row() -> None:
    """And none that there is not."""
    assert {row["kind"].strip("`") for row in TABLES["Warnings: kind"]} == set(get_args(Kind))


@pytest.mark.parametrize("example", blocks(PAGE, "toml"))
def test_every_example_loads(tmp_path: Path, example: str) -> None:
    """With the calendars that it names beside it."""
    file = tmp_path / "config.toml"
    for name in re.findall(r'ics = "([^"]+)"', example):
        (tmp_path / name).write_text(_CALENDAR, newline="")
    defaults = "".join(re.findall(r"^\[defaults\]\n(?:.+\n)*", example, re.MULTILINE))
    file.write_text(defaults + whole(example.replace(defaults, "")))
    assert load(file, {}).jobs
