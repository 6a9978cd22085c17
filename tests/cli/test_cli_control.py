"""The verbs by which operators steer: what they leave in the table, what they say, and the record of it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli.conftest import Verb
from tests.cli.seeding import GOOD, TICK, seed
from worker.cli import orders
from worker.model.moments import utc_now
from worker.model.records import Backfill, Command, Node, Run, RunState, Trigger
from worker.store import accounts, backfills, commands, cursors, jobs, nodes, runs, tables
from worker.store.database import Database

_USAGE, _FAILED = 2, 1


@pytest.fixture(autouse=True)
def seeded(database: Database) -> None:
    """The installation's ledger, filled."""
    seed(database)


def left(database: Database) -> list[Command]:
    """Returns the commands, oldest first."""
    with database.read() as connection:
        return commands.listing(connection)[::-1]


@pytest.mark.parametrize(
    ("words", "verb", "target", "arguments"),
    [
        (["pause", "orders", "--why", "ERP is moved"], "pause", "orders", {"why": "ERP is moved"}),
        (["pause", "d*"], "pause", "d*", {}),
        (["pause", "--all"], "pause", "*", {}),
        (["pause", "--account", "tangoe"], "pause account", "tangoe", {}),
        (["resume", "orders", "--run-now"], "resume", "orders", {"run_now": True}),
        (["resume", "--account", "tangoe"], "resume account", "tangoe", {}),
        (["cancel", "orders"], "cancel", "orders", {}),
        (["cancel", "orders", "--queued"], "cancel", "orders", {"queued": True}),
        (["cancel", str(GOOD)], "cancel", str(GOOD), {}),
        (
            ["cursor", "set", "orders", "x", "--force"],
            "cursor set",
            "orders",
            {"value": "x", "force": True},
        ),
        (["cursor", "set", "orders", "[1, 2]"], "cursor set", "orders", {"value": [1, 2]}),
        (["cursor", "reset", "orders", "--name", "full"], "cursor reset", "orders", {"name": "full"}),
        (["replay", str(GOOD)], "replay", str(GOOD), {}),
        (["replay", "orders", "--rejects"], "replay", "orders", {"rejects": True}),
    ],
)
def test_a_verb_leaves_a_command(
    worker: Verb, database: Database, words: list[str], verb: str, target: str, arguments: dict[str, object]
) -> None:
    """With who asked; without a daemon it says that the request waits, and ends well."""
    said = worker(*words)
    assert (said.code, "no daemon works on this database" in said.err) == (0, True)
    (command,) = left(database)
    assert (command.verb, command.target, command.arguments) == (verb, target, arguments)
    assert "@" in command.by


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pause"], _USAGE, "name either a job, or --account NAME, or --all"),
        (["pause", "orders", "--all"], _USAGE, "name either a job"),
        (["pause", "order"], _USAGE, "did you mean orders?"),
        (["pause", "x-*"], _USAGE, "no job x-* is configured"),
        (["pause", "--account", "tango"], _USAGE, "did you mean tangoe?"),
        (["resume", "--account", "tangoe", "--run-now"], _USAGE, "--run-now goes with jobs"),
        (["replay", "orders"], _USAGE, "orders is a job: say which of its runs, or --rejects"),
        (["cancel", "17"], _FAILED, "there is no run 17"),
        (["cancel", str(GOOD), "--queued"], _USAGE, "--queued goes with a job"),
        (["cancel", "order"], _USAGE, "did you mean orders?"),
        (["cursor", "set", "order", "1"], _USAGE, "did you mean orders?"),
        (["cursor", "show", "order"], _USAGE, "did you mean orders?"),
        (["replay", "17"], _FAILED, "there is no run 17"),
    ],
)
def test_what_makes_no_sense_leaves_none(
    worker: Verb, database: Database, words: list[str], code: int, told: str
) -> None:
    """It says what was expected."""
    said = worker(*words, columns=200)
    assert said.code == code
    assert told in said.err
    assert left(database) == []


_DIGITS = f"""
[jobs.{GOOD}]
type = "sync"
schedule = "manual"
source = {{ account = "tangoe", resource = "devices" }}
destination = {{ table = "others" }}
"""


def test_a_job_that_is_named_by_digits_is_a_job(worker: Verb, database: Database, folder: Path) -> None:
    """To every verb that takes a run's id or a job's name, even where there is a run of that id."""
    with (folder / "config.toml").open("a") as file:
        file.write(_DIGITS)
    assert worker("cancel", GOOD, "--queued").code == 0
    assert worker("replay", GOOD, "--rejects").code == 0
    assert f"{GOOD} is a job: say which of its runs" in worker("replay", GOOD, columns=200).err
    assert worker("rejects", GOOD).out == "Nothing was rejected.\n"
    assert worker("explain", GOOD, "--json").json["job"] == str(GOOD)
    assert [command.verb for command in left(database)] == ["cancel", "replay"]


def test_with_a_daemon_the_outcome_is_told(worker: Verb, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was refused ends with 1, on a terminal and as JSON."""
    with database.write() as connection:
        beat = database.lease_now(connection)
        nodes.register(connection, Node(1, "n", 1, "boot", utc_now(), beat))
    outcomes = iter(["done", "refused: not now", "done: nothing to do", "refused: not now"])

    ask = orders.Order._settled

    def answered(order: orders.Order, *, wait: bool) -> tuple[str | None, bool]:
        with database.write() as connection:
            commands.take(connection, order.request, 1, utc_now())
            commands.answer(connection, order.request, next(outcomes))
        return ask(order, wait=wait)

    monkeypatch.setattr(orders.Order, "_settled", answered)
    assert worker("pause", "orders").out == "pause orders: done\n"
    said = worker("pause", "orders")
    assert (said.code, said.out, said.err) == (_FAILED, "", "error: refused: not now\n")
    assert worker("pause", "orders", "--json").json["outcome"] == "done: nothing to do"
    assert worker("pause", "orders", "--json").code == _FAILED


def test_the_record_of_commands(worker: Verb, database: Database) -> None:
    """When, who, what and what came of it, newest first; secrets are masked."""
    worker("trigger", "orders", "--param", "region=eu", "--param", "password=swordfish")
    worker("pause", "devices")
    with database.write() as connection:
        commands.take(connection, left(database)[0].id, 1, utc_now())
        commands.answer(connection, left(database)[0].id, "done")
    said = worker("commands")
    head, pause, trigger = said.out.splitlines()
    assert head.split() == ["when", "by", "verb", "target", "arguments", "request", "outcome"]
    assert "waits for a daemon" in pause
    assert "region=eu" in trigger
    assert trigger.endswith("done")
    assert "swordfish" not in said.out + worker("commands", "--json").out
    assert [one["verb"] for one in worker("commands", "--json").json] == ["pause", "trigger"]
    assert [one["verb"] for one in worker("commands", "orders", "--json").json] == ["trigger"]
    assert worker("commands", "nobody").out == "No such command.\n"


def test_listings_tell_what_is_held_back(worker: Verb, database: Database) -> None:
    """Who paused it, when and why; a paused job has no next tick."""
    now = utc_now()
    with database.write() as connection:
        jobs.pause(connection, ["devices"], "jane@host", "ERP is moved", now)
        jobs._pausing(connection, ["orders"], {"quarantined_at": now})
        accounts.pause(connection, "tangoe", "jane@host", None, now)
    said = worker("jobs", columns=100).out
    assert "paused by jane@host now: ERP is moved" in said
    rows = {row["job"]: row for row in worker("jobs", "--json").json}
    assert (rows["devices"]["status"], rows["devices"]["next_tick"]) == ("paused", None)
    assert rows["orders"]["status"] == "quarantined"
    assert "paused by jane@host" in worker("account", "list", columns=100).out
    assert worker("account", "list", "--json").json[0]["paused_by"] == "jane@host"


def test_cursors_are_shown(worker: Verb, database: Database) -> None:
    """Value, version, when it moved, and by which run or by a person."""
    now = utc_now()
    with database.write() as connection:
        cursors.advance(connection, "orders", "", "2026-01-31T08:00:00Z", 0, GOOD, now)
        cursors.advance(connection, "orders", "full", {"at": 1}, 0, None, now)
    head, main, full = worker("cursor", "show", "orders").out.splitlines()
    assert head.split() == ["cursor", "version", "moved", "by", "run", "value"]
    assert main.split() == ["(main)", "1", "now", str(GOOD), "2026-01-31T08:00:00Z"]
    assert full.split() == ["full", "1", "now", "a", "person", '{"at":1}']
    listed = worker("cursor", "show", "orders", "--json").json
    assert [(one["name"], one["value"], one["run_id"]) for one in listed] == [
        ("", "2026-01-31T08:00:00Z", str(GOOD)),
        ("full", {"at": 1}, None),
    ]
    assert worker("cursor", "show", "devices").out == "No cursor of devices has moved yet.\n"


SINCE, UNTIL = "2026-01-31T23:00:00+00:00", "2026-02-01T12:00:00+00:00"


def test_a_backfill_is_asked_for_in_the_zone_of_its_job(worker: Verb, database: Database) -> None:
    """A date is its beginning there; durations become seconds."""
    words = ["--from", "2026-02-01", "--to", "2026-02-01T12:00:00Z", "--every", "1h", "--pause", "500ms"]
    said = worker("backfill", "devices", *words, "--at-once", "2", "--param", "region=eu")
    assert said.code == 0
    (command,) = left(database)
    assert (command.verb, command.target) == ("backfill", "devices")
    more = {"every_s": 3600.0, "pause_s": 0.5, "at_once": 2, "params": {"region": "eu"}}
    assert command.arguments == {"since": SINCE, "until": UNTIL, **more}
    worker("backfill", "--cancel", "17")
    assert [(one.verb, one.target) for one in left(database)[1:]] == [("backfill cancel", "17")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "2026-02-01"], "name the job"),
        (["device", "--from", "2026-02-01"], "did you mean devices?"),
        (["devices", "--to", "2026-02-01"], "expected where the backfill begins"),
        (["devices", "--from", "yesterday"], "expected a date or a time such as 2026-01-31"),
        (["devices", "--from", "2026-02-01", "--every", "day"], "expected a duration such as"),
        (["devices", "--from", "2026-02-01", "--every", "99999999d"], "expected 1 second to 366 days, found 99999999d"),
        (["devices", "--from", "2026-02-01", "--every", "500ms"], "expected 1 second to 366 days, found 500ms"),
        (["devices", "--from", "2026-02-01", "--pause", "31d"], "expected 0 days to 30 days, found 31d"),
        (["devices", "--from", "2026-02-01", "--at-once", "0"], "--at-once"),
        (["device"], "did you mean devices?"),
    ],
)
def test_a_backfill_that_makes_no_sense(worker: Verb, database: Database, words: list[str], told: str) -> None:
    """Wrong usage; nothing is left for the daemon."""
    said = worker("backfill", *words, columns=200)
    assert said.code == _USAGE
    assert told in said.err
    assert left(database) == []


def _backfilled(connection: sa.Connection, number: int, state: RunState) -> None:
    run = Run(number, "orders", f"backfill:17:{number}", Trigger.BACKFILL, RunState.QUEUED, utc_now(), "d" * 64)
    runs.claim(connection, [run])
    if state.ended:
        runs.finish(connection, number, state, utc_now())


def test_backfills_are_listed_with_how_far_they_have_got(worker: Verb, database: Database) -> None:
    """Done of total, failed, the time left at this pace; what holds one back, and what became of one that ended."""
    now = utc_now()
    one = Backfill(17, "orders", TICK, now, TICK, "jane@host", now - timedelta(minutes=2), total=8, ticks=3)
    with database.write() as connection:
        backfills.add(connection, one)
        backfills.add(connection, replace(one, id=16, job="devices", outcome="done: 8 succeeded", ended_at=now))
        for number, state in enumerate((RunState.SUCCEEDED, RunState.FAILED, RunState.QUEUED), 100):
            _backfilled(connection, number, state)
        connection.execute(sa.update(tables.accounts).values(health="fresh"))
    head, underway, ended = worker("backfill", columns=160).out.splitlines()
    assert head.split() == ["backfill", "job", "from", "to", "ticks", "done", "failed", "left", "asked", "status"]
    assert "█" in underway
    assert "2/8" in underway
    assert underway.endswith("underway")
    assert ended.endswith("done: 8 succeeded")
    (listed,) = worker("backfill", "orders", "--json").json
    assert (listed["done"], listed["total"], listed["failed"], listed["status"]) == (2, 8, 1, "underway")
    assert listed["states"] == {"succeeded": 1, "failed": 1, "queued": 1}
    assert 355 < listed["left_s"] < 500
    with database.write() as connection:
        jobs.pause(connection, ["orders"], "jane@host", None, now)
    assert worker("backfill", "orders", "--json").json[0]["status"] == "waits: the job is paused"
    assert "no daemon works on this database" in worker("backfill").err
