"""`worker explain`: what a person reads, and what a program gets."""

import pytest

from tests.cli.conftest import Verb
from tests.cli.seeding import BAD, SKIPPED, seed
from worker.store.database import Database

pytestmark = pytest.mark.usefixtures("seeded")


@pytest.fixture
def seeded(database: Database) -> None:
    """The installation's ledger, filled."""
    seed(database)


def test_a_job_is_explained_in_sentences(worker: Verb) -> None:
    """What stands in the way, what happened lately, what comes next, each with what to do."""
    said = worker("explain", "devices", columns=100)
    words = " ".join(said.out.split())
    assert said.code == 0
    assert said.out.startswith("devices: ")
    assert "runs as tangoe" in words
    assert "No daemon works on this database: nothing runs to do: start `worker run`" in words
    assert "The account tangoe is blocked since" in words
    assert "7 ticks from 2026-11-23 10:00:00Z to 2026-11-23 11:00:00Z were skipped: an account it runs under" in words
    assert "failed at 2026-11-23 10:01:15Z after 75s: the API said: �[2J" in words
    assert "will be skipped while that lasts: account" in words
    assert "\x1b" not in said.out
    assert max(map(len, said.out.splitlines())) <= 100


def test_a_job_is_explained_as_json(worker: Verb) -> None:
    """Statements with kind, text, remedy and run, in three lists."""
    document = worker("explain", "devices", "--json").json
    assert document["job"] == "devices"
    assert [point["kind"] for point in document["blocks"]] == ["no daemon", "changed", "account"]
    assert [point["run"] for point in document["past"]] == [str(SKIPPED), str(BAD)]
    assert len(document["next"]) == 3
    assert set(document["next"][0]) == {"kind", "text", "remedy", "run"}


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-11-23T11:20", "7 ticks from 2026-11-23 10:00:00Z to 2026-11-23 11:00:00Z were skipped"),
        ("2026-11-23T10:20Z", "7 ticks from"),
        ("2026-11-22T11:23", "Nothing is due at 2026-11-22 10:23:00Z: the schedule is not due then"),
        ("2026-11-20T11:20", "Ticks of this job are accounted for since 2026-11-23 10:00:00Z"),
        ("2026-03-29T02:30", "2026-03-29 02:30 did not exist in Europe/Berlin: the clocks changed"),
        ("2031-01-06T10:00", "The tick of 2031-01-06 09:00:00Z lies ahead"),
    ],
)
def test_one_tick_is_explained(worker: Verb, at: str, told: str) -> None:
    """By a time in the job's zone, or one that names its own."""
    assert told in " ".join(worker("explain", "devices", "--at", at).out.split())


def test_a_time_that_is_none_is_refused(worker: Verb) -> None:
    """With what was expected."""
    said = worker("explain", "devices", "--at", "yesterday")
    assert said.code == 2
    assert "expected a date and a time such as 2026-11-23T02:30" in said.err
    assert "found yesterday" in said.err


def test_one_run_is_explained(worker: Verb) -> None:
    """By its id."""
    said = worker("explain", BAD, "--json").json
    (point,) = said["asked"]
    assert said["job"] == "devices"
    assert point["run"] == str(BAD)
    assert point["kind"] == "failed"


def test_an_unknown_job_is_refused(worker: Verb) -> None:
    """With the name that was meant."""
    said = worker("explain", "device")
    assert said.code == 2
    assert "no job device is configured; did you mean devices?" in said.err


def test_jobs_without_a_clock_are_explained(worker: Verb) -> None:
    """One that comes after another, and one that is disabled."""
    orders, employees = (" ".join(worker("explain", name).out.split()) for name in ("orders", "employees"))
    assert "orders: after devices" in orders
    assert "It comes after devices, whose latest run" in orders
    assert "no tick is to come by the clock" in orders
    assert "The job is disabled in the configuration" in employees
