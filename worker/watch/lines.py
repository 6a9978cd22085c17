"""How an event becomes a line: opened with the time, cleared of secrets, rendered."""

import json
import re
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson

from worker.vault.redact import redact_value
from worker.watch.structure import Processor, merge_contextvars, structlog

Line = MutableMapping[str, Any]

_JSON = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    10: "\\n",
    13: "\\r",
    9: "\\t",
}
# What breaks a line, or turns the direction of writing round, on a terminal.
_CONTROLS |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_TEXT_CONTROLS = {code: text for code, text in _CONTROLS.items() if code != 10}  # noqa: PLR2004  # newline


def processors(style: str, *, colors: bool) -> list[Processor]:
    """Returns the chain from event to line for the style `json`, `logfmt` or `console`.

    The redactor stands last before the renderer, where exceptions are text already, so that nothing passes it
    by.
    """
    render = {"json": _json, "logfmt": _logfmt}.get(style) or _console(colors=colors)
    return [_opened, _redacted, render]


def _opened(logger: Any, level: str, fields: Line) -> Line:  # noqa: ANN401  # structlog's own signature
    """Returns the line in reading order: what, when, how grave, in which run, and the rest."""
    line: Line = {"event": fields.pop("event", ""), "at": datetime.now(UTC), "level": level}
    merge_contextvars(logger, level, line)
    line.update(fields)
    if "exc_info" in line:
        return structlog.processors.format_exc_info(logger, level, line)  # text, without local variables
    return line


def _redacted(_logger: Any, _level: str, line: Line) -> Line:  # noqa: ANN401  # structlog's own signature
    cleared: Any = redact_value(line)
    return cleared if isinstance(cleared, dict) else {"event": str(cleared)}


def _json(_logger: Any, _level: str, line: Line) -> bytes:  # noqa: ANN401  # structlog's own signature
    try:
        return orjson.dumps(line, default=_plain, option=_JSON)
    except TypeError:  # a number beyond 64 bits, a lone surrogate, a key that is no text
        return json.dumps(line, default=_plain).encode() + b"\n"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


_render_logfmt = structlog.processors.LogfmtRenderer(bool_as_flag=False)


def _logfmt(logger: Any, level: str, line: Line) -> bytes:  # noqa: ANN401  # structlog's own signature
    shown = {re.sub(r'[\s="]+', "_", key): _one_line(value, _TEXT_CONTROLS) for key, value in line.items()}
    return _encoded(_render_logfmt(logger, level, shown))


def _console(*, colors: bool) -> Callable[[Any, str, Line], bytes]:
    render = structlog.dev.ConsoleRenderer(
        colors=colors,
        sort_keys=False,
        timestamp_key="at",
        exception_formatter=structlog.dev.plain_traceback,  # rich's would show local variables
    )

    def console(logger: Any, level: str, line: Line) -> bytes:  # noqa: ANN401  # structlog's own signature
        exception = {"exception": line.pop("exception").translate(_TEXT_CONTROLS)} if "exception" in line else {}
        shown = {key.translate(_CONTROLS): _one_line(value, _CONTROLS) for key, value in line.items()} | exception
        return _encoded(str(render(logger, level, shown)))

    return console


def _one_line(value: Any, controls: dict[int, str]) -> Any:  # noqa: ANN401  # a field's value
    """Returns the value so that it can neither begin a line of its own nor steer a terminal."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}"
    return value.translate(controls) if isinstance(value, str) else value


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace") + b"\n"
