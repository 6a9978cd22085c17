"""The verb that lists what operators asked for, and what came of it."""

from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, opened
from worker.cli.output import JsonFlag, Limit, ago
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.model.records import Command
from worker.store import commands as kept
from worker.vault.redact import redact_value

app = room()

_COLUMNS = [
    Column("at", "when", ago),
    Column("by", rank=2),
    Column("verb"),
    Column("target"),
    Column("told", "arguments", rank=1),
    Column("id", "request", right=True, rank=3),
    Column("said", "outcome", long=True),
]


@app.command(epilog="Examples: `worker commands orders`, `worker commands -n 200 --json`")
def commands(
    target: Annotated[str | None, typer.Argument(help="Of this job, account or run only.")] = None,
    limit: Limit = 20,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List what operators asked for, newest first: when, who, what, and what came of it.

    The JSON has the columns of the table `commands` (docs/database.md); without an outcome it still waits for a daemon.
    """
    with opened(config) as (_, database), database.read() as connection:
        found = kept.listing(connection, target, limit)
    rows = [asdict(command) if as_json else _row(command) for command in found]
    listing(
        rows, _COLUMNS, as_json=as_json, empty="Nobody asked for anything." if target is None else "No such command."
    )


def _row(command: Command) -> dict[str, Any]:
    """Returns a command as one row of the table."""
    given = redact_value(command.arguments)
    told = [f"{key}={_shown(value)}" for key, value in given.items()] if isinstance(given, dict) else [_shown(given)]
    return {**asdict(command), "told": ", ".join(told), "said": command.outcome or "waits for a daemon"}


def _shown(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
