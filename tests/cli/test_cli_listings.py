"""What the listings say of a ledger with successes, failures and skips: on a terminal, in a pipe, as JSON."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Verb
from tests.cli.seeding import BAD, GOOD, LONG_URL, REASON, SKIPPED, TICK, seed
from worker.model.records import Call, Purpose
from worker.store import calls
from worker.store.database import Database

pytestmark = pytest.mark.usefixtures("seeded")

LISTINGS = [["jobs"], ["history"], ["calls"], ["account", "list"], ["show", str(GOOD)], ["show", str(BAD)], ["check"]]


@pytest.fixture
def seeded(database: Database) -> None:
    """The installation's ledger, filled."""
    seed(database)


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 120])
def test_a_listing_keeps_to_the_width(worker: Verb, words: list[str], columns: int, folder: Path) -> None:
    """No line of a table is wider than the terminal; facts with a path or an error may be: they stay copyable."""
    said = worker(*words, columns=columns)
    assert said.code == 0
    long = [line for line in said.out.splitlines() if len(line) > columns]
    assert all(str(folder) in line or line.startswith("  ") for line in long)
    assert "\x1b" not in said.out


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_a_pipe_gets_whole_rows(worker: Verb, words: list[str]) -> None:
    """Nothing is cut or folded where no terminal is: one row is one line."""
    assert "…" not in worker(*words).out


@pytest.mark.parametrize("columns", [60, 80, 120, 0])
def test_ids_stay_copyable(worker: Verb, columns: int) -> None:
    """At any width `history` shows ids that `show` takes."""
    said = worker("history", columns=columns)
    ids = [word for word in said.out.split() if word in map(str, (GOOD, BAD, SKIPPED))]
    assert len(ids) == 3
    assert all(worker("show", one).code == 0 for one in ids)


def test_jobs_tells_how_each_is_doing(worker: Verb) -> None:
    """Status, schedule, the last error while it lasts; what is disabled has no next tick."""
    rows = {row["job"]: row for row in worker("jobs", "--json").json}
    assert {name: row["status"] for name, row in rows.items()} == {
        "devices": "skipped",
        "employees": "disabled",
        "orders": "succeeded",
    }
    assert rows["orders"]["schedule"] == "after devices"
    assert rows["devices"]["next_tick"].endswith("Z")
    assert rows["employees"]["next_tick"] is None
    assert "the API said" in rows["devices"]["trouble"]
    assert rows["orders"]["trouble"] is None


def test_jobs_warns_where_no_daemon_works(worker: Verb) -> None:
    """On stderr, so that the listing stays a listing."""
    said = worker("jobs", "--json")
    assert "no daemon works on this database" in said.err
    assert len(said.json) == 3


def test_history_as_json(worker: Verb) -> None:
    """Newest first; ids as strings, times in ISO 8601 UTC, counts beside the rest and nothing twice."""
    rows = worker("history", "--json").json
    assert [row["id"] for row in rows] == [str(SKIPPED), str(BAD), str(GOOD)]
    good = rows[2]
    assert (good["read"], good["written"], good["seconds"], good["why"]) == (12_345, 2, 75.0, None)
    assert good["started_at"] == "2026-11-23T10:00:00Z"
    assert "counts" not in good
    assert rows[0]["why"] == "7 ticks: account"
    assert rows[1]["error_kind"] == "status"


def test_history_filters(worker: Verb) -> None:
    """By job, by states, by number."""
    assert [row["id"] for row in worker("history", "orders", "--json").json] == [str(GOOD)]
    failed = worker("history", "--state", "failed", "--state", "skipped", "--json").json
    assert [row["id"] for row in failed] == [str(SKIPPED), str(BAD)]
    assert len(worker("history", "-n", 1, "--json").json) == 1


def test_an_error_is_told_whole_and_harmless(worker: Verb) -> None:
    """What a far end says cannot steer the terminal, and is not cut."""
    said = worker("history", "--state", "failed", columns=80)
    assert "�[2J" in said.out
    assert " ".join(said.out.split()).endswith("no and more")


def test_show_tells_all_of_a_run(worker: Verb) -> None:
    """Facts, attempts, the last calls with the command that lists more, rejects."""
    said = worker("show", GOOD, columns=80)
    assert f"run {GOOD}  orders  succeeded" in said.out
    assert "12,345 read, 2 written, 12,343 unchanged, 1 rejected, in 13 pages" in said.out
    assert "took       75s" in said.out
    assert f"these are the last 20; `worker calls {GOOD} -n 1000` lists more" in said.out
    assert "cost: expected a number, found 'n/a'" in said.out


def test_show_as_json(worker: Verb) -> None:
    """The run with its attempts, all its calls and its rejects."""
    document = worker("show", GOOD, "--json").json
    assert (document["id"], document["calls"], len(document["call_rows"])) == (str(GOOD), 30, 30)
    assert [row["number"] for row in document["attempt_rows"]] == [1]
    assert document["reject_rows"][0]["record"] == '{"id": 7}'


def test_show_of_a_run_that_never_was_attempted(worker: Verb) -> None:
    """It says so, and why."""
    said = worker("show", SKIPPED)
    assert "reason     account" in said.out
    assert "7, from 2026-11-23 10:00:00Z to 2026-11-23 11:00:00Z" in said.out
    assert "It was never attempted." in said.out
    assert "It made no call." in said.out


def test_calls_cut_a_long_url_to_one_line(worker: Verb) -> None:
    """On a terminal; a pipe and JSON have it whole."""
    narrow = worker("calls", "-n", 3, columns=80).out.splitlines()
    assert len(narrow) == 1 + 3 * 2
    assert LONG_URL in worker("calls", "-n", 3).out
    assert worker("calls", GOOD, "-n", 3, "--json").json[0]["url"] == LONG_URL


def test_a_blocked_account_says_what_to_do(worker: Verb) -> None:
    """Health and remedy, at 80 columns below the row."""
    (row,) = worker("account", "list", "--json").json
    assert (row["health"], row["note"]) == ("blocked", REASON)
    said = worker("account", "list", columns=80)
    assert "blocked" in said.out
    assert REASON in " ".join(said.out.split())


def test_check_sums_up(worker: Verb) -> None:
    """Counts, files, where the database lies, accounts and jobs with their next tick."""
    said = worker("check", columns=120)
    assert "the configuration is good: 1 account, 3 jobs" in said.out
    assert "all 3 found, the key ring among them" in said.out
    document = worker("check", "--json").json
    assert document["ok"]
    assert document["problems"] == []
    assert {row["job"]: row["schedule"] for row in document["jobs"]}["employees"] == "disabled"
    assert [row["account"] for row in document["accounts"]] == ["tangoe"]


def test_lineage_tells_where_each_token_came_from(worker: Verb, database: Database) -> None:
    """The call that obtained a token, and the calls it made; as a table at any width and as JSON."""
    origin = Call(GOOD + 900, "tangoe", Purpose.REFRESH, TICK, "POST", "https://a.test/token", status=200, ms=9.0)
    with database.write() as connection:
        calls.record(connection, [replace(origin, generation_used=2)])
        calls.set_issued(connection, origin.id, 3)
    (row,) = worker("calls", "--account", "tangoe", "--lineage", "--json").json
    assert (row["generation"], row["origin"]["call"], row["origin"]["purpose"]) == (3, str(origin.id), "refresh")
    assert row["usage"]["calls"] >= 30
    for columns in (80, 120):
        said = worker("calls", "--account", "tangoe", "--lineage", columns=columns)
        assert said.code == 0
        assert max(map(len, said.out.splitlines())) <= columns
        assert "gen. 3" in said.out
    assert str(origin.id) in worker("calls", "--account", "tangoe", "--lineage").out


def test_lineage_is_an_accounts(worker: Verb) -> None:
    """Without one, usage is explained."""
    said = worker("calls", "--lineage")
    assert said.code == 2
    assert "--account" in said.err
