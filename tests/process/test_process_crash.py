"""Faults of the program itself: one redacted line, no local variables, exit 70; and a process that is aborted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.canary import CANARIES, Find
from tests.process.house import DEVICES, House, wait_for
from worker.model.records import RunState

pytestmark = pytest.mark.process

_FAULT = """
import threading
from worker.cli import app
from worker.daemon import life as daemon
from worker.cli import setup

def secret():
    return open("{folder}/secrets/tangoe_password").read().strip()

def boom(*_given, **_named):
    copied = secret()
    raise {error}(f"the header {{copied!r}} is not right")

def in_thread(worker):
    thread = threading.Thread(target=boom, name="stray")
    thread.start()
    thread.join()
    started(worker)
    daemon.os.kill(daemon.os.getpid(), daemon.signal.SIGTERM)

started = daemon.start
{plant}
app.main()
"""


def _run(house: House, plant: str, verb: str, error: str = "ValueError") -> tuple[int, str]:
    """Returns exit code and all output of a verb in which something breaks."""
    code = _FAULT.format(folder=house.folder, plant=plant, error=error)
    command = [sys.executable, "-c", code, verb, "--config", str(house.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path.cwd(), timeout=60)
    return done.returncode, done.stdout + done.stderr


def _leaks(house: House, said: str) -> list[Find]:
    return CANARIES.search_text(said, "output") + CANARIES.search_folder(house.folder)


def test_a_fault_of_the_daemon_is_one_event(house: House) -> None:
    """Logged and told once each, with where it came from and without what it held; exit 70."""
    house.configure(DEVICES)

    code, said = _run(house, "daemon.start = boom", "run")

    assert code == 70
    assert said.count('"event":"worker.failed"') == 1
    assert "ValueError: the header" in said
    assert "Traceback" not in said
    assert _leaks(house, said) == []


def test_a_daemon_that_cannot_start_is_not_taken_for_alive(house: House) -> None:
    """Its node had been registered and would have counted as alive until its lease ended."""
    house.configure(DEVICES)

    code, _ = _run(house, "daemon._ready = boom", "run")

    assert code == 70
    with house.database.read() as connection:
        assert None not in connection.execute(sa.text("SELECT stopped_at FROM nodes")).scalars().all()
    health = subprocess.run(
        [sys.executable, "-m", "worker", "health", "--config", str(house.config)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert health.returncode == 1


def test_a_fault_of_a_thread_is_one_event(house: House) -> None:
    """The daemon goes on, and leaves when it is told to."""
    house.configure(DEVICES)

    code, said = _run(house, "daemon.start = in_thread", "run")

    assert code == 0
    assert '"part":"thread stray"' in said
    assert "Traceback" not in said
    assert _leaks(house, said) == []


def test_a_fault_of_a_verb_is_one_sentence(house: House) -> None:
    """Exit 70 and what to do; the configuration's own errors keep theirs."""
    house.configure(DEVICES)

    code, said = _run(house, "f = setup.fetch; setup.fetch = lambda given: (f(given), boom())", "check")

    assert code == 70
    assert "please report it" in said
    assert "Traceback" not in said
    assert _leaks(house, said) == []


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV], ids=lambda number: number.name)
def test_an_aborted_daemon_dumps_no_secret(
    house: House, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's fault handler writes where each thread was, and nothing of what it held."""
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    house.configure(DEVICES)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run")

    os.kill(daemon.process.pid, number)

    assert daemon.left() == -number
    assert "Fatal Python error" in daemon.errors.read_text()
    assert _leaks(house, daemon.errors.read_text()) == []


def test_a_key_written_into_a_job_is_not_stored(house: House) -> None:
    """Headers of a source are plain text; what looks like a credential there stays out of the database."""
    key = CANARIES.token("API key in a header")
    house.configure(DEVICES.replace("paging =", f'headers = {{ X-API-Key = "{key}" }}, paging ='))

    house.start().stop()

    with house.database.read() as connection:
        (text,) = connection.execute(sa.text("SELECT text FROM definitions")).scalars()
    assert '"X-API-Key":"***"' in text
    assert [find for find in _leaks(house, text) if not find.place.endswith("config.toml")] == []
    house.config.unlink()  # where it belongs to whoever wrote it there
