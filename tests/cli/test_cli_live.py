"""Verbs that run for a while, as child processes: live progress on a terminal, and a clean end by Ctrl-C."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Semaphore

import psutil
import pytest

from tests.process.house import DEVICES, House
from worker.sandbox.calllog import CallRecord
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

pytestmark = pytest.mark.process

_INTERRUPTED = 130
_BY_HAND = DEVICES.replace('{ every = "1s" }', '"manual"')
_STEERING = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An installation whose far end has five pages of ten devices."""
    with Sandbox(SandboxOptions(rows=50)) as sandbox:
        built = House(tmp_path / "house", sandbox)
        built.configure(_BY_HAND)
        yield built
        built.close()


class Terminal:
    """A child process on a terminal of 100 columns; what it shows is read as it comes."""

    def __init__(self, *arguments: str) -> None:
        self._reader, writer = pty.openpty()
        environment = os.environ | {"COLUMNS": "100", "TERM": "xterm", "NO_COLOR": "1"}
        command = [sys.executable, "-m", "worker", *arguments]
        self.process = subprocess.Popen(command, stdin=writer, stdout=writer, stderr=writer, env=environment)
        os.close(writer)
        self.shown = ""

    def until(self, pattern: str) -> None:
        """Reads until it has shown what matches; fails where it ends before."""
        while not re.search(pattern, self.shown):
            assert self._more(), f"it ended and never showed {pattern!r}: {self.shown}"

    def left(self) -> int:
        """Reads to the end and returns the exit code."""
        while self._more():
            pass
        return self.process.wait(20)

    def _more(self) -> bool:
        """Waits for more to be shown; False at the end."""
        try:
            data = os.read(self._reader, 65536)
        except OSError:  # a terminal whose last process ended
            return False
        self.shown += _STEERING.sub("", data.decode("utf-8", "replace"))
        return True

    def close(self) -> None:
        """Ends the process, where it still runs, and the terminal."""
        self.process.kill()
        self.process.wait()
        os.close(self._reader)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    """Yields a child on a terminal."""
    opened = Terminal(*arguments)
    try:
        yield opened
    finally:
        opened.close()


def _one_page(house: House) -> Semaphore:
    """Lets the far end answer with one page; the others are answered when they are released."""
    house.configure(f"{_BY_HAND}prefetch = 0\n")
    answers = Semaphore(1)

    def hold(call: CallRecord) -> None:
        if call.path.startswith("/mobproc"):
            answers.acquire(timeout=20)

    house.sandbox.on_request(hold)
    return answers


def test_trigger_shows_progress(house: House) -> None:
    """Pages, rows, rows a second, the share done and the time left, while it runs; then one line that stays."""
    answers = _one_page(house)
    daemon = house.start()
    with terminal("trigger", "devices", "--wait", "--config", str(house.config)) as shown:
        shown.until(r"devices .*━.* 1 page, 10 read \(\d+/s\)")
        answers.release(2)
        shown.until(r"3 pages, 30 read \(\d+/s\).*\d+s left")
        answers.release(100)
        assert shown.left() == 0
    daemon.stop()
    assert re.search(r"run \d{18} succeeded in [\d.]+m?s: 50 read, 50 written, 0 rejected\s*$", shown.shown)


def test_ctrl_c_ends_the_watching_not_the_run(house: House) -> None:
    """130, one sentence, no traceback; the run goes on and succeeds."""
    answers = _one_page(house)
    daemon = house.start()
    with terminal("trigger", "devices", "--wait", "--config", str(house.config)) as shown:
        shown.until("1 page")
        shown.process.send_signal(signal.SIGINT)
        assert shown.left() == _INTERRUPTED
    assert "no longer watching" in shown.shown
    assert "Traceback" not in shown.shown
    answers.release(100)
    daemon.stop()
    assert [run.state for run in house.runs()] == ["succeeded"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0)])
def test_the_sandbox_ends_when_asked(number: int, code: int) -> None:
    """Ctrl-C is its ordinary end: 0, and not a word."""
    with terminal("sandbox", "--rows", "1") as shown:
        shown.until("/_sandbox/faults")
        told = len(shown.shown)
        shown.process.send_signal(number)
        assert shown.left() == code
    assert "Traceback" not in shown.shown[told:]


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, _INTERRUPTED), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_the_demo_ends_with_its_children(tmp_path: Path, number: int, code: int) -> None:
    """In the middle, by Ctrl-C or TERM: no traceback, and neither sandbox nor daemon is left."""
    with terminal("demo", "--seconds", "600", "--folder", str(tmp_path / "demo")) as shown:
        shown.until("succeeded")
        children = psutil.Process(shown.process.pid).children()
        shown.process.send_signal(number)
        assert shown.left() == code
    assert len(children) == 2
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in shown.shown
    assert "demo passed" not in shown.shown


def test_a_pipe_that_closes_is_no_fault(house: House) -> None:
    """`worker schema | head -1` tells nothing on stderr."""
    command = f"{sys.executable} -m worker schema | head -1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False, timeout=90)
    assert (done.stdout, done.stderr) == ("{\n", "")
