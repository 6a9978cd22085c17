"""A log that nobody reads holds nobody up, and says what was lost once somebody reads again."""

import fcntl
import json
import logging
import os
import pty
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from worker.watch.logs import Log, configure, flush, gathered

pytestmark = pytest.mark.timeout(30)

_LINE = "x" * 1000
_SMALL = 4096  # bytes that the pipe holds


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe of one page: its reading end, and the stream to write to."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _SMALL)
    stream = os.fdopen(writing, "w")
    yield reading, stream
    stream.close()
    os.close(reading)


def _say(count: int) -> None:
    log = structlog.get_logger()
    for number in range(count):
        log.info("said", number=number, text=_LINE)


def _read_all(descriptor: int, log: Log, stream: TextIO) -> list[dict[str, object]]:
    """Returns the lines that come until the log is closed, which begins once reading does."""
    chunks: list[bytes] = []

    def read() -> None:
        while not b"".join(chunks).endswith(b"END\n") and (chunk := os.read(descriptor, 65536)):
            chunks.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    log.close(20)
    stream.write("END\n")
    stream.flush()
    reader.join()
    return [json.loads(line) for line in b"".join(chunks).splitlines() if line != b"END"]


def test_a_reader_that_stopped_holds_nobody_up(pipe: tuple[int, TextIO]) -> None:
    """What it does not read waits, in order, and is there once it reads again."""
    reading, stream = pipe
    log = configure("info", "json", None, stream)
    _say(100)
    assert log.dropped == 0
    lines = _read_all(reading, log, stream)
    assert [line["number"] for line in lines] == list(range(len(lines)))


def test_beyond_the_bound_lines_are_dropped_counted_and_told_of(pipe: tuple[int, TextIO]) -> None:
    """The queue takes four megabytes; the number of the others stands where they are missing."""
    reading, stream = pipe
    log = configure("info", "json", None, stream)
    _say(6_000)
    lost = log.dropped
    assert 0 < lost < 3_000
    got: list[bytes] = []
    done = threading.Event()

    def read() -> None:
        while b"log.lines_lost" not in b"".join(got[-3:]):
            got.append(os.read(reading, 65536))
        done.set()

    threading.Thread(target=read, daemon=True).start()
    assert done.wait(20)
    (told,) = [json.loads(line) for line in b"".join(got).splitlines() if b"log.lines_lost" in line]
    assert told["lines"] == lost
    log.close()


def test_what_is_gathered_goes_out_at_the_end(tmp_path: Path) -> None:
    """Or with what another thread says meanwhile: in the order in which it was said."""
    file = tmp_path / "worker.log"
    log = configure("info", "json", file)
    say = structlog.get_logger().info
    with gathered():
        say("first")
        assert file.read_bytes() == b""
        other = threading.Thread(target=lambda: say("second"))
        other.start()
        other.join()
        assert [json.loads(line)["event"] for line in file.read_bytes().splitlines()] == ["first", "second"]
        say("third")
    assert [json.loads(line)["event"] for line in file.read_bytes().splitlines()] == ["first", "second", "third"]
    log.close()


def test_what_is_gathered_waits_for_a_reader_in_order(pipe: tuple[int, TextIO]) -> None:
    """The pipe takes the first page of it and stops in the middle of a line; more comes behind what waits."""
    reading, stream = pipe
    log = configure("info", "json", None, stream)
    for _ in range(2):
        with gathered():
            _say(20)
    assert (log.waiting > 30, log.dropped) == (True, 0)
    lines = _read_all(reading, log, stream)
    assert [line["number"] for line in lines] == [*range(20), *range(20)]


def test_each_line_of_what_is_gathered_is_counted_where_it_is_refused() -> None:
    """A full disk takes none of them."""
    log = configure("info", "json", Path("/dev/full"))
    for _ in range(2):
        with gathered():
            _say(3)
    assert log.dropped == 6
    log.close()


def test_a_line_of_many_lines_counts_once() -> None:
    """As an exception on a terminal is one."""
    log = configure("info", "console", Path("/dev/full"))
    try:
        raise ValueError
    except ValueError:
        logging.getLogger("tests").exception("an error")
    assert log.dropped == 1
    log.close()


def test_what_is_gathered_goes_out_where_somebody_asks(tmp_path: Path) -> None:
    """A thread asks before it does what may take the process down."""
    file = tmp_path / "worker.log"
    log = configure("info", "json", file)
    with gathered():
        _say(2)
        other = threading.Thread(target=flush)
        other.start()
        other.join()
        assert len(file.read_bytes().splitlines()) == 2
    log.close()


def test_what_is_gathered_is_not_lost_where_the_log_closes(tmp_path: Path) -> None:
    """Who gathers may not be done then."""
    file = tmp_path / "worker.log"
    log = configure("info", "json", file)
    with gathered():
        _say(1)
        log.close()
    assert len(file.read_bytes().splitlines()) == 1


def test_a_terminal_that_is_held_holds_nobody_up() -> None:
    """As by Ctrl-S: whoever logs goes on."""
    controller, terminal = pty.openpty()
    termios.tcflow(terminal, termios.TCOOFF)
    with os.fdopen(terminal, "w") as stream:
        log = configure("info", "json", None, stream)
        _say(200)
        assert log.dropped == 0  # they wait
        log.close(0)
    os.close(controller)


def test_a_socket_that_nobody_reads_holds_nobody_up() -> None:
    """As where a supervisor gives one for stdout; it cannot be opened anew, and is asked before each write."""
    ours, theirs = socket.socketpair()
    with ours, theirs, os.fdopen(os.dup(ours.fileno()), "w") as stream:
        log = configure("info", "json", None, stream)
        _say(2_000)
        log.close(0)
        assert os.get_blocking(ours.fileno())


def test_the_descriptor_we_were_given_stays_blocking(pipe: tuple[int, TextIO]) -> None:
    """Other processes share it, and none of them expects EAGAIN."""
    _, stream = pipe
    log = configure("info", "json", None, stream)
    _say(1)
    assert os.get_blocking(stream.fileno())
    log.close()


def test_a_line_is_out_when_the_call_returns() -> None:
    """A kill -9 in the next instant does not take it back: no thread had to write it."""
    code = (
        "import os, structlog\n"
        "from worker.watch.logs import configure\n"
        "configure('info', 'json')\n"
        "structlog.get_logger().info('last')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert json.loads(said.stdout)["event"] == "last"


def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path) -> None:
    """As logrotate does it: lines from then on are in the new file, and private."""
    path, rotated = tmp_path / "worker.log", tmp_path / "worker.log.1"
    log = configure("info", "json", path)
    _say(1)
    path.rename(rotated)
    log.reopen()
    _say(2)
    log.close()
    assert (len(rotated.read_text().splitlines()), len(path.read_text().splitlines())) == (1, 2)
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_opened_anew_is_kept(tmp_path: Path) -> None:
    """The old one goes on and says so."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = configure("info", "json", folder / "worker.log")
    folder.rename(tmp_path / "moved")
    log.reopen()
    _say(1)
    log.close()
    first, second = map(json.loads, (tmp_path / "moved" / "worker.log").read_text().splitlines())
    assert "cannot be opened anew" in first["event"]
    assert second["event"] == "said"


def test_another_level_and_form_are_taken_up_at_once(tmp_path: Path) -> None:
    """As a reload asks for; the file stays."""
    log = configure("warning", "json", tmp_path / "worker.log")
    structlog.get_logger().info("unheard")
    log.speak("debug", "logfmt")
    structlog.get_logger().debug("heard")
    log.close()
    (line,) = (tmp_path / "worker.log").read_text().splitlines()
    assert line.startswith("event=heard")
