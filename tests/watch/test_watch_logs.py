"""Every line of the log: its form, its order, and no secret in it by any way."""

import io
import json
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from worker.model.errors import ConfigurationError
from worker.model.events import RunFinished
from worker.model.listening import Event, Events
from worker.vault.redact import forms
from worker.vault.secret import Secret
from worker.watch import logs
from worker.watch.logs import Log, configure, log_event

FORMATS = ["json", "console", "logfmt"]


class Bench:
    """A log configured for one test, and what it wrote."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self._logs: list[Log] = []

    def configure(self, form: str = "json", level: str = "debug") -> Log:
        """Configures the log into memory."""
        log = configure(level, form, None, self.stream)
        self._logs.append(log)
        return log

    @property
    def text(self) -> str:
        """All that was written."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All that was written, decoded."""
        return [json.loads(line) for line in self.text.splitlines()]

    def close(self) -> None:
        """Takes the logs down."""
        for log in self._logs:
            log.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Makes a bench and leaves the process's logging as it was."""
    made = Bench()
    yield made
    made.close()
    structlog.contextvars.clear_contextvars()


def test_a_json_line_reads_in_order(bench: Bench) -> None:
    """What, when, how grave, in which run, and the rest; times are UTC."""
    bench.configure()
    structlog.contextvars.bind_contextvars(run=7, job="orders")
    structlog.get_logger().info("call.finished", status=200, ms=1.5)
    line = bench.lines[0]
    assert list(line)[:3] == ["event", "at", "level"]
    assert set(list(line)[3:5]) == {"run", "job"}, "the context keeps no order of its own"
    assert list(line)[5:] == ["status", "ms"]
    assert (line["event"], line["level"], line["run"], line["job"]) == ("call.finished", "info", 7, "orders")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(line["at"])).total_seconds()) < 60
    assert line["at"].endswith("Z")


def test_a_field_goes_before_the_context(bench: Bench) -> None:
    """A field given with the event is believed over the one bound around it."""
    bench.configure()
    structlog.contextvars.bind_contextvars(run=7)
    structlog.get_logger().info("x", run=8)
    assert bench.lines[0]["run"] == 8


def _in_a_field(value: str) -> None:
    structlog.get_logger().info("x", field=f"got {value}")


def _in_the_event(value: str) -> None:
    structlog.get_logger().info(f"got {value}")


def _in_a_key(value: str) -> None:
    structlog.get_logger().info("x", **{value: 1})


def _nested(value: str) -> None:
    structlog.get_logger().info("x", deep={"list": [1, {"inner": (value,)}]})


def _in_an_object(value: str) -> None:
    @dataclass
    class Thing:
        held: str

    structlog.get_logger().info("x", thing=Thing(value), error=ValueError(value), raw=value.encode())


def _in_the_context(value: str) -> None:
    structlog.contextvars.bind_contextvars(bound=value)
    structlog.get_logger().info("x")


def _in_an_exception(value: str) -> None:
    local = value
    try:
        raise ValueError(f"refused {local}")
    except ValueError:
        structlog.get_logger().exception("x")


def _in_a_chain_of_exceptions(value: str) -> None:
    try:
        try:
            raise KeyError(value)
        except KeyError as error:
            raise ExceptionGroup("several", [ValueError(value)]) from error
    except ExceptionGroup as error:
        structlog.get_logger().error("x", exc_info=error)


def _in_a_library_argument(value: str) -> None:
    logging.getLogger("urllib3.connectionpool").warning("retrying %s", f"https://h/p?q={value}")


def _in_a_library_exception(value: str) -> None:
    try:
        raise RuntimeError(value)
    except RuntimeError:
        logging.getLogger("apscheduler.executors").exception("job failed")


def _in_a_broken_library_record(value: str) -> None:
    root = logging.getLogger()
    handlers = root.handlers
    root.handlers = [handler for handler in handlers if isinstance(handler, logs._Bridge)]  # pytest's would raise
    try:
        logging.getLogger("library").error("%d and %d", value)  # noqa: PLE1206  # broken on purpose
    finally:
        root.handlers = handlers


def _in_a_library_stack(value: str) -> None:
    logging.getLogger("library").error(value, stack_info=True)


def _in_a_warning(value: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"deprecated {value}", UserWarning, stacklevel=1)


WAYS: list[Callable[[str], None]] = [
    _in_a_field,
    _in_the_event,
    _in_a_key,
    _nested,
    _in_an_object,
    _in_the_context,
    _in_an_exception,
    _in_a_chain_of_exceptions,
    _in_a_library_argument,
    _in_a_library_exception,
    _in_a_broken_library_record,
    _in_a_library_stack,
    _in_a_warning,
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("way", WAYS)
def test_no_way_brings_a_secret_into_the_log(
    bench: Bench, form: str, way: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever is logged however, in whatever form: a line comes, and the secret is not in it."""
    secret = Secret('canary-LOG/wörd+"77\\x')
    bench.configure(form)
    way(secret.reveal())
    written = bench.text + "".join(capfd.readouterr())
    assert written.strip()
    assert not [spelling for spelling in forms(secret.reveal()) if spelling in written]
    assert "canary-LOG" not in written


@pytest.mark.parametrize("form", FORMATS)
def test_no_local_variable_is_shown(bench: Bench, form: str) -> None:
    """A traceback has no locals, not even harmless ones."""
    bench.configure(form)
    marker = "-".join(str(part) for part in range(10))
    try:
        raise ValueError(len(marker))
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed")
    assert bench.text.count("ValueError: 19") == 2
    assert marker not in bench.text


@pytest.mark.parametrize("form", FORMATS)
def test_a_value_makes_no_second_line(bench: Bench, form: str) -> None:
    """Neither a newline nor an escape sequence in a field forges a line or steers a terminal."""
    bench.configure(form)
    structlog.get_logger().info("a\nforged\r", **{"field": "b\nforged\x1b[2J", "odd key=\n": "c", "turned": "\u202e"})
    assert len(bench.text.splitlines()) == 1
    assert "\x1b[2J" not in bench.text
    assert form == "json" or "\u202e" not in bench.text


@pytest.mark.parametrize("form", FORMATS)
def test_odd_values_are_rendered(bench: Bench, form: str) -> None:
    """Numbers beyond 64 bits, lone surrogates, keys that are no text and objects all give a line."""
    log = bench.configure(form)
    odd = {"big": 2**80, "half": "\ud800", "keys": {1: 2, (1, 2): 3}, "thing": object(), "at2": datetime.now(UTC)}
    structlog.get_logger().info("odd", **odd)
    assert len(bench.text.splitlines()) == 1
    assert str(2**80) in bench.text
    assert log.dropped == 0


def test_levels_filter(bench: Bench) -> None:
    """Below the level nothing is written, of ours or of a library."""
    bench.configure(level="warning")
    structlog.get_logger().info("no")
    structlog.get_logger().warning("yes")
    logging.getLogger("library").info("no")
    logging.getLogger("library").error("yes")
    assert [(line["event"], line["level"]) for line in bench.lines] == [("yes", "warning"), ("yes", "error")]


def test_libraries_that_tell_urls_have_a_floor(bench: Bench) -> None:
    """At debug level urllib3 and the clock still speak from WARNING on, even if somebody turns a child up."""
    bench.configure(level="debug")
    child = logging.getLogger("urllib3.connectionpool")
    child.setLevel(logging.DEBUG)
    try:
        for name in ("urllib3.connectionpool", "apscheduler.scheduler", "sqlalchemy.engine", "library"):
            logging.getLogger(name).info("told by %s", name)
        child.warning("retrying")
    finally:
        child.setLevel(logging.NOTSET)
    assert [line["event"] for line in bench.lines] == ["told by library", "retrying"]
    assert bench.lines[0]["logger"] == "library"


def test_auto_is_json_where_nobody_watches(bench: Bench) -> None:
    """Without a terminal the log is for machines; on one it is for people."""
    bench.configure("auto")
    structlog.get_logger().info("x.y")
    assert bench.lines[0]["event"] == "x.y"
    bench.close()
    bench.stream.isatty = lambda: True  # type: ignore[method-assign]
    bench.configure("auto")
    structlog.get_logger().info("z.z")
    assert not bench.text.splitlines()[1].startswith("{")


def test_a_logger_in_use_follows_a_new_log(bench: Bench) -> None:
    """A module's logger, once used, writes to the log configured last, and nowhere after its end."""
    log = structlog.get_logger()
    bench.configure()
    log.info("first")
    bench.close()
    log.info("lost")
    second = Bench()
    second.configure()
    log.info("second")
    second.close()
    assert [line["event"] for line in bench.lines] == ["first"]
    assert [line["event"] for line in second.lines] == ["second"]


def test_closing_gives_everything_back(bench: Bench) -> None:
    """Levels and handlers of the process are as they were; closing twice is harmless."""
    root, floor = logging.getLogger(), logging.getLogger("urllib3")
    before = (root.level, list(root.handlers), floor.level)
    log = bench.configure()
    assert (root.level, list(root.handlers), floor.level) != before
    log.close()
    log.close()
    assert (root.level, list(root.handlers), floor.level) == before
    assert not structlog.is_configured()


def test_a_file_is_appended_to_and_private(tmp_path: Path) -> None:
    """Lines go to the file, which others cannot read and which a restart does not empty."""
    path = tmp_path / "worker.log"
    for number in range(2):
        log = configure("info", "auto", path)
        structlog.get_logger().info("x", number=number)
        log.close()
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [0, 1]
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_opened_is_a_configuration_error(tmp_path: Path) -> None:
    """The error names key, path and cause."""
    with pytest.raises(ConfigurationError, match=r"log\.file: .*missing/worker\.log cannot be opened"):
        configure("info", "auto", tmp_path / "missing" / "worker.log")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_drops_lines_and_counts_them() -> None:
    """Who logs goes on; the number of lost lines is known."""
    log = configure("info", "json", Path("/dev/full"))
    try:
        structlog.get_logger().info("x")
        logging.getLogger("library").error("y")
        assert log.dropped == 2
    finally:
        log.close()


def test_a_closed_pipe_drops_lines_and_counts_them() -> None:
    """A reader that went away does not end the daemon."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        log = configure("info", "json", None, stream)
        structlog.get_logger().info("read")
        assert b"read" in os.read(reading, 1000)
        os.close(reading)
        structlog.get_logger().info("lost")
        log.close()
    assert log.dropped == 1


def test_a_torn_line_does_not_swallow_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a line was written to a full disk, the next one begins on its own line."""
    write, room = os.write, [5]

    def full(descriptor: int, data: bytes) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: room.pop()])

    path = tmp_path / "worker.log"
    log = configure("info", "json", path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        structlog.get_logger().info("torn")
    structlog.get_logger().info("whole")
    log.close()
    half, *lines = path.read_text().splitlines()
    told, whole = map(json.loads, lines)
    assert (half, told["event"], told["lines"]) == ('{"eve', "log.lines_lost", 1)
    assert (whole["event"], log.dropped) == ("whole", 1)


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    """Every line of every thread is there, and is one line."""
    log = configure("info", "json", tmp_path / "worker.log")

    def talk(number: int) -> None:
        for count in range(200):
            structlog.get_logger().info("said", thread=number, count=count, text="x" * 500)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "worker.log").read_text().splitlines()]
    assert {(line["thread"], line["count"]) for line in lines} == {(t, c) for t in range(4) for c in range(200)}


def test_an_event_becomes_a_line(bench: Bench) -> None:
    """Name, level and facts of an event are the line; what is not set is left out."""
    bench.configure()
    events = Events()
    events.listen(log_event)
    events.emit(RunFinished(job="orders", run=1, attempt=2, state="succeeded", seconds=0.5, read=3))
    line = bench.lines[0]
    assert (line["event"], line["level"], line["job"], line["read"]) == ("run.finished", "info", "orders", 3)
    assert "reason" not in line


def test_every_event_has_a_level_that_the_log_knows() -> None:
    """No event can fail for a level nobody has heard of."""
    levels = {kind.level for kind in Event.__subclasses__()}
    assert levels <= {"debug", "info", "warning", "error", "critical"}
    assert len(levels) > 1


def test_an_event_without_a_log_goes_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Before the log is configured nothing is printed, least of all uncleared."""
    log_event(RunFinished(job="orders", run=1, attempt=2, state="succeeded", seconds=0.5))
    assert capsys.readouterr() == ("", "")
