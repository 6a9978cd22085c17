"""What is odd about valid schedules is found, and what is as it should be is left in peace."""

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.drawing import DAY, ZONES, utc
from tests.examples import examples
from worker.engine.changes import changes
from worker.engine.lint import Finding, lint
from worker.engine.schedule import occurrences
from worker.model.options import JobOptions
from worker.model.schedules import At, Dst

NOW = utc("2026-11-27")
UTC = ZoneInfo("UTC")


def job(schedule: object, **policy: object) -> JobOptions:
    """Returns a job in Berlin."""
    return JobOptions.model_validate({"type": "x", "timezone": "Europe/Berlin", "schedule": schedule, **policy})


def found(jobs: dict[str, JobOptions], concurrency: int = 4) -> list[Finding]:
    """Returns what is odd about some jobs."""
    return lint(jobs, UTC, concurrency, NOW)


@pytest.mark.parametrize(
    ("schedule", "policy", "kind", "key", "says"),
    [
        ({"at": "02:30"}, {"dst": "skip"}, "left out", "dst", "from 02:00 to 03:00 (2027-03-28 01:00 UTC)"),
        ({"at": "02:30"}, {"dst": "both"}, "twice", "dst", "brings 02:30 twice: the job runs at 00:30 and 01:30 UTC"),
        ({"at": "02:30"}, {"hours": "02:00-03:00"}, "left out", "hours", "would run it at 03:00, outside of 02:00-03"),
        ({"monthly": "last", "at": "02:30:15"}, {"dst": "both"}, "twice", "dst", "02:30:15"),
        ({"at": "12:00"}, {"hours": "02:00-03:00"}, "hours", "hours", "the next would be at 12:00"),
        ("0 12 29 2 *", {"hours": "02:00-03:00"}, "hours", "hours", "no tick lies within 02:00-03:00"),
        ({"at": "12:00", "days": "sun"}, {"blackout": "weekend"}, "blackout", "blackout", "every tick lies in a"),
        ({"every": "1h"}, {"blackout": "2000-01-01..2999-12-31"}, "blackout", "blackout", "every tick lies in a"),
        ({"at": "12:00", "days": "business"}, {"holidays": "01-01..12-31"}, "never", "schedule", "is never due"),
        ({"once": "2026-11-26T00:00:00Z"}, {}, "past", "schedule.once", "2026-11-26 00:00:00 UTC has passed"),
    ],
)
def test_what_is_odd_has_one_finding(schedule: object, policy: dict[str, Any], kind: str, key: str, says: str) -> None:
    """It names the key to change, and says what happens and when."""
    (finding,) = found({"orders": job(schedule, **policy)})
    assert (finding.job, finding.kind, finding.key) == ("orders", kind, key)
    assert says in finding.message


def test_a_starred_cron_in_one_hour_is_told_for_both_nights() -> None:
    """It runs in real time: nothing fires in the hour that is left out, and twice as much in the other."""
    spring, autumn = found({"orders": job("*/20 2 * * *")})
    assert (spring.kind, autumn.kind) == ("left out", "twice")
    assert "02:00, 02:20, 02:40" in spring.message
    assert "written out (0-59/10 for */10)" in autumn.message


@pytest.mark.parametrize(
    ("schedule", "policy"),
    [
        ({"at": "02:30"}, {}),
        ({"at": "02:30", "days": "mon"}, {"dst": "skip"}),
        ("0,30 2 * * *", {}),
        ("*/20 * * * *", {}),
        ("*/20 2-4 * * *", {"hours": "03:00-20:00"}),
        ({"every": "1s"}, {"blackout": ["sat 22:00 - mon 04:00"]}),
        ({"at": "02:30"}, {"dst": "both", "blackout": "sun"}),
        ({"at": "02:30"}, {"dst": "skip", "timezone": "UTC"}),
        ({"at": "12:00", "days": "last business"}, {}),
        ({"once": "2055-11-28T00:00:00Z"}, {"hours": "00:00-12:00"}),
        ({"once": "2026-11-26T00:00:00Z"}, {"enabled": False}),
        ("manual", {}),
    ],
)
def test_what_is_as_it_should_be_has_none(schedule: object, policy: dict[str, Any]) -> None:
    """No finding for a schedule that does what it says, every night of the year."""
    assert found({"orders": job(schedule, **policy)}) == []


@settings(max_examples=examples(60), deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    at=st.sampled_from(["00:00", "00:15", "00:30", "01:30", "02:00", "02:15", "02:45", "03:30", "23:30"]),
    dst=st.sampled_from(["once", "skip", "both"]),
)
def test_nights_are_those_on_which_a_daily_job_runs_not_once(zone: str, at: str, dst: Dst) -> None:
    """A walk through the year finds the same dates."""
    tz, wanted = ZoneInfo(zone), time.fromisoformat(at)
    due = occurrences(At(at=(wanted,)), tz, "orders", dst)
    assert due is not None
    instants = due.between(NOW - 2 * DAY, NOW + 368 * DAY, 1000)
    shown = [instant.astimezone(tz).replace(tzinfo=None) for instant in instants]
    told = {change.at: change.odd[0] for change in changes(tz, NOW, NOW + timedelta(days=366))}

    odd = lint({"orders": job({"at": at}, timezone=zone, dst=dst)}, UTC, 4, NOW)

    assert len({finding.at for finding in odd}) == len(odd)
    for at_utc, first in told.items():
        nominal = datetime.combine(first.date(), wanted)
        nominal = nominal if nominal >= first else nominal + DAY
        times = shown.count(nominal)
        end_of_gap = at_utc in instants and dst != "skip"
        kinds = [finding.kind for finding in odd if finding.at == at_utc]
        assert kinds == (["twice"] if times == 2 else [] if times == 1 or end_of_gap else ["left out"])


def test_jobs_that_wait_in_vain() -> None:
    """For what runs by hand, is past, is disabled, is not there, waits itself or comes after itself."""
    jobs = {
        "by-hand": job("manual"),
        "past": job({"once": "2026-11-26T00:00:00Z"}),
        "off": job("@hourly", enabled=False),
        "good": job("@hourly"),
        "child": job({"after": ["by-hand", "past", "off", "gone", "good"]}),
        "grandchild": job({"after": ["child"]}),
        "lost": job({"after": ["by-hand"]}),
        "lost-too": job({"after": ["lost"]}),
        "round": job({"after": ["about"]}),
        "about": job({"after": ["round"]}),
    }
    told = {(one.job, one.key): one.message for one in found(jobs) if one.kind == "waits"}

    assert "runs by hand only" in told["child", "schedule.after[0]"]
    assert "is never due" in told["child", "schedule.after[1]"]
    assert "is disabled" in told["child", "schedule.after[2]"]
    assert "is not configured" in told["child", "schedule.after[3]"]
    assert "waits for jobs that never run" in told["lost-too", "schedule.after[0]"]
    assert "in a circle" in told["about", "schedule.after[0]"] or "waits for jobs" in told["about", "schedule.after[0]"]
    assert {name for name, _ in told} == {"child", "lost", "lost-too", "round", "about"}


def test_a_calendar_that_has_run_out_is_told_once(tmp_path: Path) -> None:
    """However many jobs name it; one that goes on, as most do that repeat, is none."""
    begin = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\nBEGIN:VEVENT\r\n"
    event = f"{begin}UID:1\r\nDTSTART;VALUE=DATE:20251225\r\n"
    old, lasting = tmp_path / "old.ics", tmp_path / "lasting.ics"
    old.write_text(f"{event}END:VEVENT\r\nEND:VCALENDAR\r\n", newline="")
    lasting.write_text(f"{event}RRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", newline="")
    entries = ["12-24", {"ics": str(old)}, {"ics": str(lasting)}]

    (finding,) = found({"a": job("@daily", holidays=entries), "b": job("@daily", blackout=entries)})

    assert (finding.job, finding.key, finding.kind) == ("a", "holidays[1].ics", "stale")
    assert "old.ics has no event within the coming year" in finding.message


def test_a_crowd_is_told_once() -> None:
    """More jobs in one second than five for each place; H or another offset parts them."""
    crowd = {f"sync-{n:02}": job("0 2 * * mon-fri") for n in range(25)}
    (finding,) = found(crowd | {"other": job("30 2 * * *")})
    assert (finding.kind, finding.job, len(finding.jobs)) == ("crowd", "sync-00", 25)
    assert finding.at == utc("2026-11-27 01:00")
    assert "25 jobs are due in the same second" in finding.message
    assert "sync-01, sync-02, sync-03, sync-04 and 20 more" in finding.message
    assert found(crowd, concurrency=5) == []
    assert found({name: job("H 2 * * mon-fri") for name in crowd}) == []


def test_schedules_of_other_forms_crowd_together() -> None:
    """What counts is the second, not how it was written; who is in a blackout then is no part of it."""
    crowd = {f"cron-{n}": job("0 2 * * *") for n in range(15)} | {f"every-{n}": job({"every": "1h"}) for n in range(10)}
    (finding,) = found(crowd)
    assert len(finding.jobs) == 25
    assert found(crowd | {f"every-{n}": job({"every": "1h"}, blackout="02:00-02:30") for n in range(10)}) == []
    assert "another offset" in found({f"every-{n}": job({"every": "1h"}) for n in range(25)})[0].message
