"""How every verb speaks: JSON on request, errors in one voice, times and numbers as a person reads them."""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from worker.model.wording import clock, many, span, whole
from worker.vault.redact import redact, redact_value

__all__ = ["clock", "many", "span"]  # beside its own

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

JsonFlag = Annotated[
    bool, typer.Option("--json", metavar="", help="Print JSON: every field, times in ISO 8601 UTC, ids as strings.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, metavar="N", help="At most so many rows.")]

_EXACT = 2**53  # from here on JavaScript and jq 1.6 round integers, and a rounded id finds nothing
# The last three ranges break lines or turn the direction of writing round.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_AWAY_S = 0.5


def print_json(value: object) -> None:
    """Prints a document, secrets masked."""
    print_plain_json(_exact(redact_value(value)))


def print_plain_json(value: object) -> None:
    """Prints a document as it is, for what is no secret of anybody: a schema, the sandbox's credentials."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    sys.stdout.write(orjson.dumps(value, default=str, option=options).decode() + "\n")
    sys.stdout.flush()


def _exact(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Returns the document with ids, which are integers of 63 bits, as strings."""
    if isinstance(value, Mapping):
        return {key: _exact(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(part) for part in value]
    return str(value) if isinstance(value, int) and abs(value) >= _EXACT else value


def harmless(text: str) -> str:
    """Returns a text that may be shown: secrets masked, and no far end's words can steer the terminal."""
    return _CONTROL.sub("�", redact(text))


def fail(message: str) -> None:
    """Prints an error to stderr."""
    for line in message.splitlines():
        err.print(Text("error: ", style="bold red") + Text(harmless(line)), soft_wrap=True)


def warn(message: str) -> None:
    """Prints to stderr what is no error and yet should be known."""
    err.print(Text(harmless(message), style="yellow"), soft_wrap=True)


def ago(moment: datetime) -> str:
    """Returns a time as a person reads it: how long ago, or in how long."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if abs(seconds) < _AWAY_S:
        return "now"
    return f"in {whole(-seconds)}" if seconds < 0 else f"{whole(seconds)} ago"


def number(value: float) -> str:
    """Returns a number with thousands set apart."""
    return f"{value:,.0f}"
