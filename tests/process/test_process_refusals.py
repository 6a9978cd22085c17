"""What a daemon refuses to start with: one clear message, the right exit code, nothing begun, nothing lost."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.process.house import DEVICES, Daemon, House, wait_for
from worker.model.records import RunState
from worker.store.database import Database
from worker.store.tables import keyring, tokens
from worker.vault.keyring import create

pytestmark = pytest.mark.process

_CONFIGURATION, _FAILED = 78, 1


def _write(file: str, text: str) -> Callable[[House], object]:
    return lambda house: (house.folder / file).write_text(text)


def _twice(house: House) -> None:
    text = house.config.read_text()
    (house.folder / "more.toml").write_text(DEVICES)
    house.config.write_text(f'include = ["more.toml"]\n{text}')


def _database(url: str) -> Callable[[House], object]:
    def point(house: House) -> None:
        house.url = url
        house.configure(DEVICES)

    return point


def _closed_port(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    _database(f"postgresql://worker@127.0.0.1:{port}/worker")(house)


@dataclass(frozen=True)
class Refusal:
    """One thing that is wrong, the exit code, and words that the message must hold."""

    name: str
    spoil: Callable[[House], object]
    code: int
    words: tuple[str, ...]


REFUSALS = [
    Refusal(
        "missing secret",
        lambda house: (house.folder / "secrets/tangoe_password").unlink(),
        _CONFIGURATION,
        ("config.toml:", "accounts.tangoe.password", "looked at", "secrets/tangoe_password"),
    ),
    Refusal(
        "readable secret",
        lambda house: (house.folder / "secrets/tangoe_password").chmod(0o644),
        _CONFIGURATION,
        ("accounts.tangoe.password", "secrets/tangoe_password", "chmod"),
    ),
    Refusal(
        "missing key ring",
        lambda house: (house.folder / "worker.keys").unlink(),
        _CONFIGURATION,
        ("vault.keys", "worker keys init"),
    ),
    Refusal("no such folder", _database("sqlite:///nowhere/worker.db"), _FAILED, ("nowhere", "does not exist")),
    Refusal("closed port", _closed_port, _FAILED, ("postgresql://127.0.0.1:", "cannot be reached", "refused")),
    Refusal("no database", _write("worker.db", "a page of text\n" * 100), _FAILED, ("worker.db", "not a database")),
    Refusal("a job twice", _twice, _CONFIGURATION, ("more.toml", "config.toml", "devices")),
    Refusal("no TOML", _write("config.toml", "[worker\n"), _CONFIGURATION, ("config.toml:1",)),
]


def _name(refusal: Refusal) -> str:
    return refusal.name


def _message(daemon: Daemon, code: int, problems: int = 1) -> str:
    """Returns what a refused daemon said on stderr: so many problems and at most a sum, no traceback."""
    assert daemon.left() == code
    said = daemon.errors.read_text()
    assert problems <= len([line for line in said.splitlines() if line]) <= problems + 1
    assert "Traceback" not in said
    assert not daemon.told("daemon.ready")
    return said


@pytest.mark.parametrize("refusal", REFUSALS, ids=_name)
def test_what_is_wrong_is_told_once(house: House, refusal: Refusal) -> None:
    """The message names the place and the remedy; no file was made or changed."""
    house.configure(DEVICES)
    refusal.spoil(house)
    before = _files(house)
    said = _message(house.launch("run"), refusal.code)
    assert [word for word in refusal.words if word not in said] == []
    assert _files(house) == before


WRONG = {  # what is written in place of what, and what the message must hold
    "account": ('"tangoe"', '"tango"', 'source.account: unknown account "tango"; did you mean "tangoe"?'),
    "parent": ('{ every = "1s" }', '{ after = ["nobody"] }', 'schedule.after[0]: unknown job "nobody"'),
    "cron": ('{ every = "1s" }', '"0 0 31 2 *"', "schedule: '0 0 31 2 *' never fires"),
    "key": ("schedule", "shedule", 'shedule: unknown key "shedule"; did you mean "schedule"?'),
    "kind": ("schedule", "timeout = 7\nschedule", "timeout: expected a duration such as 30s, found 7"),
}


def test_all_that_is_wrong_with_jobs_is_told_at_once(house: House) -> None:
    """Each fault is one message with its file, line and key; none hides another."""
    jobs = [DEVICES.replace(old, new).replace("jobs.devices", f"jobs.{name}") for name, (old, new, _) in WRONG.items()]
    house.configure(*jobs)
    lines = _message(house.launch("run"), _CONFIGURATION, len(WRONG)).splitlines()
    for name, (_, _, words) in WRONG.items():
        assert len([line for line in lines if f"jobs.{name}.{words}" in line and "config.toml:" in line]) == 1, name
    assert not (house.folder / "worker.db").exists()


def _files(house: House) -> dict[Path, bytes]:
    """Returns what the folder holds, without what the children said."""
    files = (file for file in house.folder.rglob("*") if file.is_file())
    return {file: file.read_bytes() for file in files if not file.name.startswith(("output", "errors"))}


def _sealed(database: Database) -> list[object]:
    """Returns all rows that depend on the key ring."""
    with database.read() as connection:
        found = [connection.execute(sa.select(table).order_by(*table.primary_key)).all() for table in (tokens, keyring)]
    return list(map(str, found))


def test_another_key_ring_is_refused(either_house: House) -> None:
    """The message names the missing key, nothing that was sealed changes, and the old ring opens it again."""
    house = either_house
    house.configure(DEVICES)
    first = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run that succeeded")
    first.stop()
    ring = house.folder / "worker.keys"
    before, row, old = _sealed(house.database), house.token(), ring.read_bytes()
    ring.unlink()
    create(ring)

    said = _message(house.launch("run"), _CONFIGURATION)
    assert f"does not hold the key {row.key_id}" in said
    assert _sealed(house.database) == before

    ring.write_bytes(old)
    done = len(house.runs("devices", RunState.SUCCEEDED))
    again = house.start()
    wait_for(lambda: len(house.runs("devices", RunState.SUCCEEDED)) > done, "a run with the token of before")
    again.stop()
    assert len(house.sandbox.token_requests()) == 1


def test_a_newer_schema_is_refused(house: House) -> None:
    """A database that a later release has changed is left alone."""
    house.execute("UPDATE alembic_version SET version_num = '9999'")
    said = _message(house.launch("run"), _CONFIGURATION)
    assert "9999" in said


def test_a_second_daemon_on_a_file_is_refused(house: House) -> None:
    """It is told who works there; the first one goes on."""
    house.configure(DEVICES)
    first = house.start()
    said = _message(house.launch("run"), _FAILED)
    assert f"in use by another daemon (process {first.process.pid})" in said
    done = len(house.runs("devices", RunState.SUCCEEDED))
    wait_for(lambda: len(house.runs("devices", RunState.SUCCEEDED)) > done, "a further run of the first")
    first.stop()
