"""What goes wrong before anything is done: one clear message on stderr, and the exit code that scripts rely on."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, Verb
from worker.store.database import Database

USAGE, CONFIGURATION = 2, 78


def test_a_missing_configuration_says_how_to_make_one(worker: Verb, tmp_path: Path) -> None:
    """Exit 78, in each verb that needs it."""
    for verb in (["jobs"], ["history"], ["check"], ["run"], ["db", "upgrade"], ["trigger", "devices"]):
        said = worker(*verb, "--config", tmp_path / "nope.toml")
        assert (said.code, said.out) == (CONFIGURATION, "")
        assert "there is no such file; make one from the example" in said.err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("verb", ["jobs", "history", "calls", "account list", "show 1", "db status"])
def test_a_database_that_is_not_there_yet(worker: Verb, verb: str) -> None:
    """Exit 1, with what makes it; a look makes no file."""
    said = worker(*verb.split())
    assert (said.code, said.out) == (1, "")
    assert "there is no database at" in said.err
    assert "`worker run` or `worker db upgrade` makes it" in said.err
    assert not Path("worker.db").exists()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (["jobs"], "never ran"),
        (["history"], "No run yet."),
        (["history", "devices"], "No such run."),
        (["calls"], "No call yet."),
        (["account", "list"], "no token was asked for yet"),
    ],
)
def test_an_empty_ledger_is_no_error(worker: Verb, verb: list[str], words: str) -> None:
    """Exit 0, and said in words; as JSON it is an array."""
    said = worker(*verb)
    assert said.code == 0
    assert words in said.out
    assert isinstance(worker(*verb, "--json").json, list)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (["history", "nope"], "no job nope is configured; there are: devices, employees, orders"),
        (["trigger", "nope"], "no job nope is configured; there are: devices, employees, orders"),
        (["trigger", "device"], "no job device is configured; did you mean devices?"),
        (["calls", "--account", "nope"], "no account nope is configured; there are: tangoe"),
        (["trigger", "devices", "--param", "x"], "expected key=value, found 'x'"),
        (["trigger"], "Missing argument"),
        (["show", "abc"], "integer"),
        (["history", "--state", "bad"], "'queued'"),
        (["history", "-n", "0"], "--limit"),
        (["history", "--nope"], "--nope"),
    ],
)
def test_wrong_arguments_are_a_wrong_usage(worker: Verb, verb: list[str], words: str) -> None:
    """Exit 2; stderr says what was expected and how to get help, stdout nothing."""
    said = worker(*verb, columns=200)
    assert (said.code, said.out) == (USAGE, "")
    assert words in said.err
    assert "--help" in said.err


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("number", ["9" * 20, "\N{SUPERSCRIPT TWO}"])
@pytest.mark.parametrize("verb", ["show", "calls", "cancel", "replay", "explain", "rejects", "backfill --cancel"])
def test_a_number_that_no_id_can_be_is_a_wrong_usage(worker: Verb, verb: str, number: str) -> None:
    """One digit too many was a fault of the worker, as was a digit that int() does not take."""
    said = worker(*verb.split(), number)
    assert (said.code, said.out) == (USAGE, "")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("year", ["0001", "9999"])
@pytest.mark.parametrize(
    "verb",
    ["explain devices --at", "plan --from", "simulate --to 2027-01-01 --from", "backfill devices --from"],
)
def test_a_year_at_the_calendars_end_is_a_wrong_usage(worker: Verb, verb: str, year: str) -> None:
    """Exit 2; what was reckoned around it left the calendar, which was a fault of the worker."""
    said = worker(*verb.split(), f"{year}-01-01", columns=200)
    assert (said.code, said.out) == (USAGE, "")
    assert "expected a year from 1900 to 9000" in said.err


@pytest.mark.usefixtures("database")
def test_a_picture_that_cannot_be_written(worker: Verb, tmp_path: Path) -> None:
    """Exit 1, and the cause."""
    said = worker("plan", "--svg", tmp_path / "none" / "plan.svg")
    assert (said.code, said.out) == (1, "")
    assert "plan.svg cannot be written: No such file or directory" in said.err


@pytest.mark.usefixtures("database")
def test_a_run_that_is_not_there(worker: Verb) -> None:
    """Exit 1, with the verb that lists what there is."""
    said = worker("show", 12)
    assert (said.code, said.out) == (1, "")
    assert said.err == "error: there is no run 12; `worker history` lists the runs\n"


def test_a_schema_that_waits(worker: Verb, folder: Path) -> None:
    """Exit 78 with the verb that mends it; `db status` tells which migrations wait, and exits 1."""
    (folder / "worker.db").touch(mode=0o600)
    said = worker("history")
    assert said.code == CONFIGURATION
    assert "run `worker db upgrade`" in said.err
    status = worker("db", "status", "--json")
    assert (status.code, status.json["current"]) == (1, None)
    assert status.json["pending"]
    assert worker("db", "upgrade", "--json").json["applied"] == status.json["pending"]
    assert worker("db", "upgrade").out.strip().endswith("was up to date")
    assert worker("db", "status").code == worker("history").code == 0


def test_problems_are_told_all_at_once(worker: Verb, folder: Path) -> None:
    """Each as `file:line: key: message`, in order, then how many; nothing else is said."""
    (folder / "config.toml").write_text(CONFIG.replace("tenant", "tennant").replace('"*/10', '"*/99'))
    said = worker("check")
    assert (said.code, said.out) == (CONFIGURATION, "")
    problems = [line for line in said.err.splitlines() if re.match(r".*config\.toml:\d+: ", line)]
    assert len(problems) >= 2
    assert problems == sorted(problems, key=lambda line: int(line.split(":")[1]))
    assert "accounts.tangoe.tennant" in problems[0]
    assert (
        said.err.splitlines()[-1]
        == f"error: {len(problems)} problems in the configuration; nothing was started or changed"
    )


def test_problems_as_json(worker: Verb, folder: Path) -> None:
    """The same as a document on stdout, for editors and CI; exit 78 all the same."""
    (folder / "config.toml").write_text(CONFIG.replace("tenant", "tennant"))
    said = worker("check", "--json")
    assert said.code == CONFIGURATION
    assert not said.json["ok"]
    problem = said.json["problems"][0]
    assert problem.keys() == {"file", "line", "key", "message"}
    assert (problem["key"], problem["line"]) == ("accounts.tangoe.tennant", 10)


def test_warnings_are_told_beside_what_is_good(worker: Verb, folder: Path) -> None:
    """With file, line and key; the exit code stays 0 but with --strict, and the JSON has them."""
    text = CONFIG.replace('schedule = "*/10 6-20 * * mon-fri"', 'schedule = { at = "02:30" }\ndst = "both"')
    (folder / "config.toml").write_text(text)

    said = worker("check")
    assert (said.code, "the configuration is good" in said.out) == (0, True)
    line = text.splitlines().index('dst = "both"') + 1
    assert re.search(rf"config\.toml:{line}: jobs\.devices\.dst: warning: .* brings 02:30 twice", said.err)

    strict = worker("check", "--strict", "--json")
    assert (strict.code, strict.json["ok"], strict.json["problems"]) == (CONFIGURATION, False, [])
    (warning,) = strict.json["warnings"]
    assert (warning["line"], warning["job"], warning["kind"]) == (line, "devices", "twice")
    assert "1 warning in the configuration" in strict.err


def test_a_missing_secret_is_a_problem_of_the_configuration(worker: Verb, folder: Path) -> None:
    """With file and line of the reference and each place that was looked at; `--no-secrets` leaves it out."""
    (folder / "secrets" / "password").unlink()
    said = worker("check")
    assert said.code == CONFIGURATION
    assert re.search(r"config\.toml:\d+: accounts\.tangoe\.password: .*secrets/password", said.err)
    assert worker("check", "--no-secrets").code == 0


def test_a_key_ring_is_never_overwritten(worker: Verb, folder: Path) -> None:
    """Exit 78, and the file is as it was; another file is written, for its owner only."""
    before = (folder / "worker.keys").read_bytes()
    said = worker("keys", "init")
    assert said.code == CONFIGURATION
    assert "exists and is left as it is" in said.err
    assert (folder / "worker.keys").read_bytes() == before
    assert worker("keys", "init", "--file", folder / "other.keys").code == 0
    assert (folder / "other.keys").stat().st_mode & 0o777 == 0o600


def test_the_schema_is_whole(worker: Verb) -> None:
    """The JSON Schema of secrets' keys is a schema, not a masked text."""
    said = worker("schema")
    assert said.code == 0
    assert said.json["$schema"].startswith("https://json-schema.org/")
    assert "***" not in said.out


def test_trigger_without_a_daemon(worker: Verb, database: Database) -> None:
    """The request is kept, and it is said that nobody works; as JSON too."""
    said = worker("trigger", "devices", "--param", "region=eu")
    assert said.code == 0
    assert "asked for a run of devices" in said.out
    assert "no daemon works on this database" in said.err
    document = worker("trigger", "orders", "--json").json
    assert document.keys() == {"request", "job", "daemon", "outcome", "run"}
    assert (document["job"], document["daemon"]) == ("orders", False)
    assert document["request"].isdecimal()
