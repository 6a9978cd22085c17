"""Keys go round under the real daemon; a rotation that is killed at any step is finished by the next."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from tests.conftest import Server
from tests.process.house import DEVICES, House, wait_for
from worker.model.records import RunState
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import keyring
from worker.vault.cipher import kid_of

pytestmark = pytest.mark.process

_DIES = """
import os, signal
from worker.cli import app
from worker.vault import ringfile
from worker.store import tokens
from worker.wiring import keys

def die(*_given, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

def dying_after(function):
    def call(*given, **named):
        function(*given, **named)
        die()
    return call

{step}
app.main()
"""
STEPS = {
    "before the ring": "ringfile.write_new = dying_after(ringfile.write_new)",
    "after the ring": "keys.rewrite = dying_after(keys.rewrite)",
    "after the new key is known": "keys.begin = dying_after(keys.begin)",
    "before a token's commit": "tokens.reseal = dying_after(tokens.reseal)",
}


def _command(house: House, *arguments: str) -> Any:  # noqa: ANN401  any JSON
    """Returns what a verb printed, or where it failed its exit code and its words."""
    done = house.launch(*arguments, "--json")
    code = done.left()
    return orjson.loads(done.output.read_bytes()) if not code else (code, done.errors.read_text())


def _killed(house: House, step: str) -> int:
    """Runs a rotation that is killed at a step, and returns its exit code."""
    code = _DIES.format(step=step)
    command = [sys.executable, "-c", code, "keys", "rotate", "--config", str(house.config)]
    return subprocess.run(command, capture_output=True, check=False, cwd=Path.cwd()).returncode


def _work(house: House) -> None:
    """Lets the daemon work until one more run has succeeded."""
    known = len(house.runs("devices", RunState.SUCCEEDED))
    daemon = house.start()
    wait_for(lambda: len(house.runs("devices", RunState.SUCCEEDED)) > known, "one more run")
    daemon.stop()


def _sealed_by(house: House) -> str:
    return kid_of(house.token().sealed or b"")


def _states(house: House) -> dict[str, str]:
    return {key["key_id"]: key["state"] for key in _command(house, "keys", "status")}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def hasty_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A house on either database whose far end gives tokens of two seconds."""
    url = "sqlite:///worker.db"
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres_server")
        url = sa.make_url(server.database_url(migrated=True))._replace(password=None).render_as_string()
    with Sandbox(SandboxOptions(rows=50, token_lifetime_s=2)) as sandbox:
        built = House(tmp_path / "house", sandbox, url)
        yield built
        built.close()


def test_keys_go_round_under_a_working_daemon(hasty_house: House) -> None:
    """Two rotations and two retirements: no failed run, no refused token request, and no restart."""
    house = hasty_house
    house.configure(DEVICES, attempts=1)
    daemon = house.start()
    wait_for(lambda: house.token().generation, "a token")
    first = _sealed_by(house)
    for _ in range(2):
        before = house.token().generation
        done = _command(house, "keys", "rotate")
        assert (done["added"], done["unopened"]) == (True, {})
        wait_for(lambda before=before: house.token().generation > before, "a refresh")  # type: ignore[misc]
        assert _sealed_by(house) == done["key_id"]
    for key, state in _states(house).items():
        if state == "old":
            assert _command(house, "keys", "retire", key) == {"key_id": key, "state": "retired"}
    before = house.token().generation
    wait_for(lambda: house.token().generation > before, "a refresh after the old keys went")
    daemon.stop()

    assert _states(house)[first] == "retired"
    assert not house.runs("devices", RunState.FAILED)
    assert {call.status for call in house.calls()} == {200}
    _work(house)


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=() if step == "before a token's commit" else pytest.mark.slow) for step in STEPS]
)
def test_a_killed_rotation_is_finished_by_the_next(house: House, step: str) -> None:
    """No key and no token is lost, no second key is added, and the daemon starts in between."""
    house.configure(DEVICES, attempts=1)
    _work(house)
    first = _sealed_by(house)

    assert _killed(house, STEPS[step]) == -9
    house.start().stop()

    done = _command(house, "keys", "rotate")
    assert (done["moved"] in (0, 1), done["unopened"]) == (True, {})
    assert _sealed_by(house) == done["key_id"] != first
    assert _states(house) == {done["key_id"]: "active", first: "old"}
    assert _command(house, "keys", "retire", first)["state"] == "retired"
    _work(house)
    assert not house.runs("devices", RunState.FAILED)
    assert len(house.sandbox.token_requests()) == 1


def test_retire_refuses_what_is_needed(house: House) -> None:
    """The active key, a key that still seals, and a key that is none; exit 1, and the ring is as it was."""
    house.configure(DEVICES)
    _work(house)
    first, ring = _sealed_by(house), (house.folder / "worker.keys").read_text()

    for key, words in ((first, "is the active key"), ("nobody", "there is no key nobody")):
        code, said = _command(house, "keys", "retire", key)
        assert (code, words in said) == (1, True)
    assert (house.folder / "worker.keys").read_text() == ring


@pytest.mark.slow
def test_a_ring_that_cannot_be_written_is_written_aside(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring from the environment: the new one goes to a file, and from there to where the old one comes from."""
    house.configure(DEVICES)
    ring = (house.folder / "worker.keys").read_text()
    text = house.config.read_text()
    house.config.write_text(text.replace('file = "worker.keys"', 'env = "RING"'))
    monkeypatch.setenv("RING", ring)
    _work(house)
    first, aside = _sealed_by(house), house.folder / "new.keys"

    code, said = _command(house, "keys", "rotate")
    assert (code, "--out FILE" in said) == (78, True)
    new = _command(house, "keys", "rotate", "--out", str(aside))["key_id"]
    assert aside.stat().st_mode & 0o777 == 0o600
    assert _sealed_by(house) == first

    monkeypatch.setenv("RING", aside.read_text())
    done = _command(house, "keys", "rotate")
    assert (done["key_id"], done["added"], done["moved"]) == (new, False, 1)
    code, said = _command(house, "keys", "retire", first)
    assert (code, f"begins with {first}:" in said) == (78, True)
    monkeypatch.setenv("RING", "\n".join(line for line in aside.read_text().splitlines() if first not in line))
    assert _command(house, "keys", "retire", first)["state"] == "retired"
    _work(house)


@pytest.mark.slow
def test_a_ring_that_is_not_the_databases_is_refused(house: House, tmp_path: Path) -> None:
    """Every verb that would use it exits 78 or says wrong, and names the key."""
    house.configure(DEVICES)
    _work(house)
    first, file = _sealed_by(house), house.folder / "worker.keys"
    right = file.read_text()
    _command(house, "keys", "init", "--file", str(tmp_path / "other.keys"))
    file.write_text((tmp_path / "other.keys").read_text())

    code, said = _command(house, "keys", "rotate")

    assert (code, first in said) == (78, True)
    assert {key["state"] for key in _command(house, "keys", "status") if key["key_id"] == first} == {"missing"}
    (unopened,) = [key["unopened"] for key in _command(house, "keys", "status") if key["key_id"] == first]
    assert unopened == ["tangoe"]
    with house.database.read() as connection:
        assert [row.key_id for row in keyring.rows(connection)] == [first]
    file.write_text(right)
    assert _states(house) == {first: "active"}
