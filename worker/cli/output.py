"""How every verb speaks: clean tables on a terminal, JSON on request, errors in one voice."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.vault.redact import redact, redact_value

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_STYLES = {
    "succeeded": "green",
    "fresh": "green",
    "running": "cyan",
    "queued": "cyan",
    "skipped": "yellow",
    "missed": "yellow",
    "stale": "yellow",
    "degraded": "yellow",
    "failed": "red",
    "lost": "red",
    "blocked": "red",
    "needs_login": "red",
    "undecryptable": "red",
}


_TENTHS_BELOW_S = 10.0


@dataclass(frozen=True)
class Column:
    """One column of a listing: its title, and how a row's value becomes text."""

    key: str
    title: str = ""
    show: Callable[[Any], str] = str
    right: bool = False
    grow: bool = False  # may wrap; the others keep their width


def listing(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, as_json: bool, empty: str) -> None:
    """Prints rows as a table or, with every field they have, as a JSON array; `empty` is said where there are none."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        out.print(empty, style="dim")
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column.title or column.key,
            justify="right" if column.right else "left",
            no_wrap=not column.grow,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(column, row.get(column.key)) for column in columns))
    out.print(table)


def _cell(column: Column, value: Any) -> Text:  # noqa: ANN401  a row's value may be anything
    if value is None:
        return Text("")
    text = redact(column.show(value))
    return Text(text, style=_STYLES.get(text, ""))


def print_json(value: object) -> None:
    """Prints a document, secrets masked; times are ISO 8601 in UTC."""
    print_plain_json(redact_value(value))


def print_plain_json(value: object) -> None:
    """Prints a document as it is, for what is no secret of anybody: the sandbox's credentials."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z
    sys.stdout.write(orjson.dumps(value, default=str, option=options).decode() + "\n")
    sys.stdout.flush()


def fail(message: str) -> None:
    """Prints an error to stderr."""
    for line in redact(message).splitlines():
        err.print(Text("error: ", style="bold red") + Text(line), soft_wrap=True)


def ago(moment: datetime) -> str:
    """Returns a time as a person reads it: how long ago, or in how long."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    return f"in {span(-seconds)}" if seconds < 0 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """Returns a length of time in its largest fitting unit."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.1f}s" if seconds < _TENTHS_BELOW_S else f"{seconds / size:.0f}{unit}"
    return f"{seconds / 86_400:.0f}d"


def clock(moment: datetime) -> str:
    """Returns a moment in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def number(value: float) -> str:
    """Returns a number with thousands set apart."""
    return f"{value:,.0f}"
