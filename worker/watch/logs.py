"""The log: every line of the process, ours and the libraries', in one form and through one redactor."""

import logging
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from worker.model.events import LogLinesLost
from worker.model.listening import Event
from worker.watch.lines import processors
from worker.watch.outlet import LAST_WORDS_S, Outlet, open_outlet
from worker.watch.structure import Processor, structlog

_FLOOR = ("alembic", "apscheduler", "requests", "sqlalchemy", "urllib3")  # below WARNING: URLs, statements, chatter
_LEVELS = ("critical", "error", "warning", "info", "debug")
_NUMBERS = {name: logging.getLevelNamesMapping()[name.upper()] for name in _LEVELS}


class _Relay:
    """What loggers write to: a fixed object, since structlog's loggers keep for good what they met first."""

    def __init__(self) -> None:
        self.outlet = Outlet(None)
        self.level: int | None = None  # of the least grave event that is told; None while no log is configured

    def write(self, line: bytes) -> None:
        """Passes a rendered line on."""
        self.outlet.write(line)

    debug = info = warning = error = critical = log = msg = write


_relay = _Relay()
_chain: list[Processor] = []  # replaced in place, for the same reason


class Log:
    """The configured log, until `close()`; `dropped` is the number of lines that could not be written."""

    def __init__(self, outlet: Outlet, bridge: "_Bridge", level: int, *, terminal: bool) -> None:
        self._outlet = outlet
        self._terminal = terminal
        self._bridge = bridge
        root = logging.getLogger()
        self._levels = {logger: logger.level for logger in (root, *map(logging.getLogger, _FLOOR))}
        root.addHandler(bridge)
        _set_levels(level)
        logging.captureWarnings(capture=True)

    @property
    def waiting(self) -> int:
        """How many lines wait for whoever reads them."""
        return self._outlet.waiting

    def speak(self, level: str, format: str) -> None:  # noqa: A002  # the option's name in [log]
        """Goes on at another level or in another form; where the lines go stays."""
        _speak(self._outlet, level, format, self._terminal)
        _set_levels(_NUMBERS[level])

    @property
    def dropped(self) -> int:
        """How many lines were refused by a full disk, a closed pipe or a broken argument list."""
        return self._outlet.dropped

    def reopen(self) -> None:
        """Opens the file anew, which may have been moved away; where that fails, goes on and says so."""
        try:
            self._outlet.reopen()
        except OSError as error:
            logging.getLogger(__name__).warning("the log's file cannot be opened anew: %s", error)

    def close(self, patience_s: float = LAST_WORDS_S) -> None:
        """Takes the log down and gives its file back; later lines go nowhere. Closing twice is harmless.

        What waits to be written has so long to go out.
        """
        if _relay.outlet is self._outlet:
            _relay.level = None
            structlog.reset_defaults()
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(self._bridge)
        for logger, level in self._levels.items():
            logger.setLevel(level)
        self._levels = {}
        self._outlet.close(patience_s)


def configure(
    level: str = "info",
    format: str = "auto",  # noqa: A002  # the option's name in [log]
    file: Path | None = None,
    stream: IO[str] | None = None,
) -> Log:
    """Configures the log of the whole process and returns it; close one before the next.

    `format` is `json`, `logfmt`, `console` or `auto`: console on a terminal, JSON elsewhere. Lines go to
    `file`, else to `stream`, else to standard output. Loggers already used keep their level. Raises
    ConfigurationError where the file cannot be opened.
    """
    target = stream or sys.stdout
    terminal = file is None and target is not None and target.isatty()
    _relay.outlet = outlet = open_outlet(file, target)
    _speak(outlet, level, format, terminal)
    return Log(outlet, _Bridge(), _NUMBERS[level], terminal=terminal)


def _speak(outlet: Outlet, level: str, form: str, terminal: bool) -> None:  # noqa: FBT001  a fact, no choice
    style = ("console" if terminal else "json") if form == "auto" else form
    _chain[:] = processors(style, colors=terminal)
    outlet.tell = _lost
    structlog.configure(
        processors=_chain,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: _relay,
        cache_logger_on_first_use=True,
    )
    _relay.level = _NUMBERS[level]


def _set_levels(level: int) -> None:
    logging.getLogger().setLevel(level)
    for name in _FLOOR:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _lost(lines: int) -> bytes:
    event = LogLinesLost(lines)
    return _rendered(event.level, {"event": event.name, **event.facts()})


def gathered() -> AbstractContextManager[None]:
    """Writes the lines of this thread within together at the end: see `Outlet.gather`."""
    return _relay.outlet.gather()


def flush() -> None:
    """Writes what was gathered so far, before something that may take the process down."""
    _relay.outlet.flush()


def dropped() -> int:
    """Returns how many lines the log of this process could not take."""
    return _relay.outlet.dropped


def log_event(event: Event) -> None:
    """Tells an event as one line: its name, its level, its facts; to be handed to `Events.listen`."""
    if _relay.level is not None and _NUMBERS[event.level] >= _relay.level:  # without a logger's detours
        _relay.write(_rendered(event.level, {"event": event.name, **event.facts()}))


class _Bridge(logging.Handler):
    """Brings the records of the standard library's loggers into the same chain and outlet."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record; a broken one is counted: logging itself would print its arguments in clear."""
        if record.levelno < logging.WARNING and record.name.split(".", 1)[0] in _FLOOR:
            return
        try:
            _relay.write(_line(record))
        except Exception:  # noqa: BLE001  # a log line must not end what it tells of
            _relay.outlet.dropped += 1


def _line(record: logging.LogRecord) -> bytes:
    level = next((name for name in _LEVELS if record.levelno >= _NUMBERS[name]), "debug")
    line: Any = {"event": _message(record), "logger": record.name}
    if record.exc_info:
        line["exc_info"] = record.exc_info
    if record.stack_info:
        line["stack"] = record.stack_info
    return _rendered(level, line)


def _rendered(level: str, line: Any) -> bytes:  # noqa: ANN401  # becomes bytes on its way
    for process in _chain:
        line = process(_relay, level, line)
    rendered: bytes = line
    return rendered


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # arguments that do not fit their format, or whose own code fails
        return f"{record.msg} (its arguments do not fit)"
