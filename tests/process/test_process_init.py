"""The daemon as process 1 of a name space, as in a container."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.process.house import DEVICES, Daemon, House, wait_for
from worker.model.records import RunState


def _is_possible() -> bool:
    if shutil.which("unshare") is None or os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "-pf", "--mount-proc", "true"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not _is_possible(), reason="needs root and name spaces of processes"),
]

_ORPHANS = """
[jobs.orphans]
type = "python"
call = "tests.process.orphans:leave_behind"
schedule = { every = "1s" }
"""


@pytest.fixture
def first(house: House) -> Iterator[tuple[Daemon, psutil.Process]]:
    """The daemon of a house as process 1; and that process, as it is seen from outside."""
    house.configure(DEVICES, _ORPHANS, drain="3s")
    output, errors = house.folder / "output", house.folder / "errors"
    command = ["unshare", "-pf", "--mount-proc", sys.executable, "-m", "worker", "run", "--config", str(house.config)]
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=Path.cwd())
    daemon = Daemon(process, output, errors).ready()
    (one,) = psutil.Process(process.pid).children()
    yield daemon, one
    with suppress(psutil.NoSuchProcess):
        one.kill()  # and the kernel ends all others of its name space
    process.wait(10)


def test_term_leaves_within_the_drain(first: tuple[Daemon, psutil.Process], house: House) -> None:
    """Process 1 hears it, although no signal has a default there, and ends with 0."""
    daemon, one = first
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run")
    begun = time.monotonic()
    one.send_signal(signal.SIGTERM)
    assert daemon.left(10) == 0
    assert time.monotonic() - begun < 3.0 + 2.0
    assert daemon.told("daemon.stopped", drained=True)


def test_hup_reloads(first: tuple[Daemon, psutil.Process], house: House) -> None:
    """The signal is passed on."""
    daemon, one = first
    house.configure(DEVICES)
    one.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.told("configuration.reloaded", removed=1), "a reload")


def test_orphans_are_buried(first: tuple[Daemon, psutil.Process], house: House) -> None:
    """What a job leaves behind comes to process 1, and does not stay a zombie."""
    _, one = first
    wait_for(lambda: len(house.runs("orphans", RunState.SUCCEEDED)) >= 3, "runs that leave orphans behind")

    def dead() -> list[psutil.Process]:
        return [child for child in one.children(recursive=True) if child.status() == psutil.STATUS_ZOMBIE]

    wait_for(lambda: not dead(), "no zombie")


def test_a_daemon_that_is_killed_ends_process_1(first: tuple[Daemon, psutil.Process]) -> None:
    """With the code that a shell gives, so that a container is started again."""
    daemon, one = first
    (child,) = one.children()
    child.kill()
    assert daemon.left(10) == 128 + signal.SIGKILL
