"""What `worker plan` draws: on a terminal, in a pipe, as JSON."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import CONFIG, Verb
from tests.cli.seeding import seed
from worker.config.load import load
from worker.store import jobs
from worker.store.database import Database
from worker.store.tables import jobs as jobs_table

CLOCKED = """
[jobs.nightly]
type = "request"
schedule = { at = "02:30" }
timezone = "Europe/Berlin"
account = "tangoe"
method = "GET"
path = "/x"

[jobs.busy]
type = "request"
schedule = { every = "1s" }
account = "tangoe"
method = "GET"
path = "/x"
"""


@pytest.fixture
def planned(folder: Path) -> Path:
    """An installation with jobs of the clock."""
    (folder / "config.toml").write_text(CONFIG + CLOCKED)
    return folder


@pytest.mark.usefixtures("planned")
@pytest.mark.parametrize("columns", [80, 120, 200])
@pytest.mark.parametrize("days", ["1", "7", "90"])
def test_the_picture_keeps_to_the_width(worker: Verb, columns: int, days: str) -> None:
    """No row of the picture is wider than the terminal, none holds a colour, and all end at the same column."""
    said = worker("plan", "--days", days, columns=columns)
    assert said.code == 0
    rows = [line for line in said.out.splitlines() if line.count("│") == 2]
    assert len(rows) >= 4
    assert len({line.rindex("│") for line in rows}) == 1
    assert all(len(line) <= columns for line in rows)
    assert "\x1b" not in said.out


@pytest.mark.usefixtures("planned")
def test_a_row_shows_when_a_job_is_due(worker: Verb) -> None:
    """A night of change is marked above the column, and told below; a job without a clock is named."""
    said = worker("plan", "--from", "2027-03-27T12:00", "nightly", "employees", columns=100)
    row = next(line for line in said.out.splitlines() if "nightly" in line)
    clocks = next(line for line in said.out.splitlines() if "clocks" in line)
    assert row.count("●") == 1
    assert clocks.index("◆") == row.index("●")
    assert "◆ Europe/Berlin, Sun 28 Mar: 02:00 becomes 03:00; 1 job" in said.out


def test_what_is_not_due_in_this_time_is_told_apart_from_what_runs_by_hand(worker: Verb, planned: Path) -> None:
    """A job of the clock whose next instant lies beyond the picture is no job by hand."""
    asked = CLOCKED.replace('"1s"', '"1d"').replace('{ at = "02:30" }', '"manual"')
    (planned / "config.toml").write_text(CONFIG + asked)
    said = worker("plan", "--from", "2027-03-27T12:00", "--days", "0.25", "nightly", "busy", columns=100)
    assert "not due in this time: busy\n" in said.out
    assert "only by hand: nightly\n" in said.out


@pytest.mark.usefixtures("planned")
def test_what_will_not_run_says_why(worker: Verb, database: Database) -> None:
    """Disabled in the file, paused by a person, blocked by its account: the row says so."""
    seed(database)
    with database.write() as connection:
        jobs.configure(connection, [jobs.JobRow("nightly", "h", True, datetime.now(UTC))], [])
        paused = {"paused_by": "ann", "paused_at": datetime.now(UTC), "paused_why": "the API moves"}
        connection.execute(jobs_table.update().where(jobs_table.c.name == "nightly").values(**paused))
    rows = {row["job"]: row for row in worker("plan", "--json").json["jobs"]}
    assert rows["nightly"]["idle"] == "paused by ann: the API moves"
    assert rows["employees"]["idle"] == "disabled"
    assert rows["busy"]["idle"] == "account tangoe cannot be used"


@pytest.mark.usefixtures("planned")
def test_json_holds_the_fires(worker: Verb) -> None:
    """Every job, its next fires, and nothing drawn."""
    told = worker("plan", "--from", "2026-03-01", "--json").json
    rows = {row["job"]: row for row in told["jobs"]}
    assert rows["busy"]["fires"] >= 86_400
    assert len(rows["busy"]["ticks"]) == 1000
    assert rows["nightly"]["next"] == "2026-03-01T01:30:00Z"
    since, until = (datetime.fromisoformat(told[key]) for key in ("since", "until"))
    assert until - since >= timedelta(days=1)


def test_a_picture_for_a_page_is_well_formed(worker: Verb, planned: Path) -> None:
    """SVG with a tooltip on each mark, for light and dark, without a script; names are escaped."""
    said = worker("plan", "--from", "2027-03-27T12:00", "--svg", "plan.svg")
    assert (said.code, said.out) == (0, "")
    text = (planned / "plan.svg").read_text()
    root = ET.fromstring(text)
    titles = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any("nightly, 2027-03-28 01:00:00Z" in one for one in titles)
    assert any("02:00 becomes 03:00" in one for one in titles)
    assert "prefers-color-scheme: dark" in text
    assert "<script" not in text
    assert len(text) < 400_000


@pytest.mark.usefixtures("planned")
def test_more_jobs_than_rows_are_counted(worker: Verb) -> None:
    """What is not drawn is said."""
    assert "4 more jobs not drawn" in worker("plan", "--from", "2026-11-27", "--limit", "1").out


@pytest.mark.usefixtures("planned")
def test_a_job_that_is_not_there_is_an_error_of_usage(worker: Verb) -> None:
    """As with every verb."""
    assert worker("plan", "nowhere").code == 2


@pytest.mark.usefixtures("database")
def test_the_difference_to_another_file(worker: Verb, planned: Path) -> None:
    """Added, removed and changed jobs, which keys, and the next tick before and after."""
    (planned / "old.toml").write_text(CONFIG + CLOCKED.replace("1s", "1h").replace("[jobs.nightly]", "[jobs.gone]"))
    told = worker("plan", "--diff", "--old", "old.toml", "--json").json
    kinds = {change["job"]: change["kind"] for change in told["changes"]}
    assert kinds == {"busy": "changed", "gone": "removed", "nightly": "added"}
    assert told["same"] == 3
    said = worker("plan", "--diff", "--old", "old.toml", "busy").out
    assert 'schedule.every: "1h" becomes "1s"' in said
    assert "next tick: " in said
    assert "1 job would change, 0 stay" in said


def test_the_difference_to_what_the_daemon_has(worker: Verb, planned: Path, database: Database) -> None:
    """The database knows what was configured last: a file that says the same changes nothing."""
    configured = load(planned / "config.toml").jobs.values()
    now = datetime.now(UTC)
    with database.write() as connection:
        rows = [jobs.JobRow(job.name, job.hash, job.policy.enabled, now) for job in configured]
        jobs.configure(connection, rows, [jobs.Definition(job.hash, job.text, now) for job in configured])
    assert "0 jobs would change, 5 stay as they are" in worker("plan", "--diff").out
    (planned / "config.toml").write_text(CONFIG + CLOCKED.replace("02:30", "03:30"))
    assert 'schedule.at: ["02:30"] becomes ["03:30"]' in worker("plan", "--diff").out


def test_what_is_odd_stands_below_the_picture(worker: Verb, planned: Path) -> None:
    """A time that a night of change leaves out is told with file and line, where its job is asked for."""
    text = CONFIG + CLOCKED.replace('timezone = "Europe/Berlin"', 'timezone = "Europe/Berlin"\ndst = "skip"')
    (planned / "config.toml").write_text(text)
    assert "nightly" in worker("plan", "nightly").err
    assert "nightly" not in worker("plan", "busy").err
