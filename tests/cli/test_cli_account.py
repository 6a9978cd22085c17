"""The account verbs over real HTTP: what they print, what they change, and their exit codes."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.cli.conftest import Verb
from worker.model.moments import utc_now
from worker.model.records import Health
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import accounts, tokens
from worker.store.database import Database

_ACCOUNT = """
[accounts.{name}]
base_url = "{url}/idp/api"
issuer = "{url}/idp"
grant = "{grant}"
client_id = "{client}"
client_secret = {{ file = "secrets/idp" }}
"""
_KEYED = """
[accounts.keyed]
base_url = "https://parts.example.com"
grant = "api_key"
api_key = { file = "secrets/idp" }
"""


@pytest.fixture
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """A far end, and two accounts at its issuer: one that logs in by itself, one whose token is piped in."""
    with Sandbox(SandboxOptions(rows=1)) as running:
        file = folder / "secrets" / "idp"
        file.touch(mode=0o600)
        file.write_text(running.options.credentials.idp_client_secret)
        client = running.options.credentials.idp_client_id
        given = [("own", "client_credentials"), ("piped", "token")]
        texts = [_ACCOUNT.format(name=name, url=running.url, grant=grant, client=client) for name, grant in given]
        config = folder / "config.toml"
        texts.append(_KEYED)
        config.write_text(config.read_text() + "".join(texts))
        yield running


def _pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_an_account_that_logs_in_by_itself_does_so_when_asked(
    worker: Verb, database: Database, sandbox: Sandbox
) -> None:
    """It is a way to try the configuration."""
    said = worker("account", "login", "own", "--json")

    assert (said.code, said.json["generation"]) == (0, 1)
    assert worker("account", "validate", "own", "--json").json["good"] is True


def test_a_token_is_piped_in_and_never_shown(
    worker: Verb, database: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validation then tells what the server thinks of it, by exit code too."""
    token = "piped-in-" + "0123456789abcdef"
    _pipe(monkeypatch, f"{token}\n")

    said = worker("account", "login", "piped", "--token-stdin")

    assert said.code == 0
    assert "generation 1" in said.out
    checked = worker("account", "validate", "piped")
    assert checked.code == 1
    assert "no longer good" in checked.err
    assert token not in said.out + said.err + checked.out + checked.err


def test_what_is_piped_in_must_be_a_token(
    worker: Verb, database: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored otherwise."""
    _pipe(monkeypatch, "")

    said = worker("account", "login", "piped", "--token-stdin")

    assert said.code == 1
    assert "standard input" in said.err
    assert worker("account", "show", "piped", "--json").json["generation"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("login", "nobody"), 2, "no account nobody"),
        (("login", "own", "--token-stdin"), 2, "by itself"),
        (("login", "piped"), 1, "--token-stdin"),
        (("validate", "own"), 1, "no token yet"),
        (("logout", "nobody"), 2, "no account nobody"),
        (("reset", "nobody"), 2, "no account nobody"),
        (("show", "nobody"), 2, "no account nobody"),
        (("login", "keyed"), 1, "no token to look after"),
        (("logout", "keyed"), 1, "no token to look after"),
        (("validate", "keyed"), 1, "no token to look after"),
    ],
)
def test_what_cannot_be_done_is_told(
    worker: Verb, database: Database, sandbox: Sandbox, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """With the exit code of its kind."""
    said = worker("account", *arguments)

    assert said.code == code
    assert told in " ".join(said.err.replace("│", " ").split())


def test_a_logout_ends_the_token_and_is_recorded(worker: Verb, database: Database, sandbox: Sandbox) -> None:
    """At the server and here, with who did it."""
    worker("account", "login", "own")

    said = worker("account", "logout", "own", "--json")

    assert (said.code, said.json) == (0, {"account": "own", "outcome": "the server ended the token"})
    with database.read() as connection:
        verbs = connection.execute(sa.text("SELECT verb, outcome FROM commands ORDER BY id")).all()
        row = tokens.load(connection, "own")
    assert [tuple(pair) for pair in verbs] == [("login", "generation 1"), ("logout", "the server ended the token")]
    assert (row.sealed, row.health) == (None, Health.UNKNOWN)


def test_a_logout_that_the_server_refuses_changes_nothing(worker: Verb, database: Database, sandbox: Sandbox) -> None:
    """Unless it is forced."""
    worker("account", "login", "own")
    sandbox.fault(Fault("status", path="/idp/revoke", status=500, times=None))

    said = worker("account", "logout", "own")

    assert said.code == 1
    assert "is kept" in said.err
    forced = worker("account", "logout", "own", "--force")
    assert forced.code == 0
    assert "was not told" in forced.out


def test_show_tells_the_whole_of_an_account(worker: Verb, database: Database, sandbox: Sandbox) -> None:
    """Health, times, endpoints; after a failure the reason, the next try and what to do."""
    worker("account", "login", "own")
    sandbox.fault(Fault("status", path="/idp/token", status=503, retry_after=60))
    failed = worker("account", "login", "own")

    facts = worker("account", "show", "own", "--json").json
    text = worker("account", "show", "own").out

    assert failed.code == 1
    assert (facts["health"], facts["failures"], facts["generation"]) == ("degraded", 1, 1)
    assert 3500 < facts["expires_in_s"] <= 3600
    assert facts["next_attempt_at"]
    assert "worker account reset own" in facts["remedy"]
    for word in ("degraded", "generation 1", "next try", "last error", "503", "as its issuer publishes"):
        assert word in text


@pytest.mark.parametrize(
    ("health", "after"),
    [(Health.BLOCKED, Health.FRESH), (Health.NEEDS_LOGIN, Health.FRESH), (Health.UNDECRYPTABLE, Health.UNDECRYPTABLE)],
)
def test_a_reset_clears_what_a_try_can_clear(
    worker: Verb, database: Database, sandbox: Sandbox, health: Health, after: Health
) -> None:
    """A token that does not open is not mended by another try."""
    worker("account", "login", "own")
    with database.write() as connection:
        connection.execute(sa.text("UPDATE tokens SET failures = 3, next_attempt_at = issued_at"))
        accounts.set_health(connection, "own", health, "why", utc_now())

    said = worker("account", "reset", "own", "--json")

    with database.read() as connection:
        row = tokens.load(connection, "own")
    assert row.health is after
    assert (said.code, row.failures) == ((0, 0) if after is Health.FRESH else (1, 3))


def test_the_list_shows_every_account(worker: Verb, database: Database, sandbox: Sandbox) -> None:
    """Also those that were never used."""
    worker("account", "login", "own")

    rows = {row["account"]: row for row in worker("account", "list", "--json").json}

    assert {name: row["health"] for name, row in rows.items()} == {
        "keyed": "unknown",
        "own": "fresh",
        "piped": "unknown",
        "tangoe": "unknown",
    }
    assert rows["own"]["expires_at"]
