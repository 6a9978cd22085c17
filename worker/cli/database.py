"""The verbs of the database: upgrade, status, prune, backup."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, open_existing, opened
from worker.cli.output import JsonFlag, many, number, out, print_json
from worker.cli.rooms import room
from worker.config.load import load
from worker.model.moments import utc_now
from worker.runs.pruning import Pruner
from worker.store import backup as copies
from worker.store import schema
from worker.wiring.own import open_own

app = room("The worker's database: its schema, its history, its copies.")


@app.callback()
def _database() -> None:
    pass


@app.command(epilog="Example: `worker db upgrade --config config.toml`")
def upgrade(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Bring the schema up to date, making the database where there is none; `worker run` does it by itself."""
    database = open_own(load(config).database)
    try:
        applied = schema.upgrade(database)
    finally:
        database.close()
    if as_json:
        print_json({"database": database.location, "applied": applied})
        return
    done = f"applied {', '.join(applied)}" if applied else "was up to date"
    out.print(f"{database.location}: {done}", soft_wrap=True)


@app.command(epilog="Example: `worker db status --json`")
def status(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Show which schema the database has and which migrations wait. Exits 1 where some wait."""
    database = open_existing(load(config).database)
    try:
        found = schema.status(database)
    finally:
        database.close()
    if as_json:
        print_json({"database": database.location, **asdict(found)})
    else:
        out.print(f"database  {database.location}", soft_wrap=True)
        out.print(f"schema    {found.current or 'none'} (newest: {found.head})")
        out.print(f"waiting   {', '.join(found.pending) or 'nothing'}")
    if found.pending:
        raise typer.Exit(1)


@app.command(epilog="Examples: `worker db prune --dry-run`, `worker db prune --json`")
def prune(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="Count only; delete nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete the history that is older than [retention] keeps; `worker run` does it each hour by itself.

    The JSON has how many `runs`, `attempts`, `calls`, `rejects`, `commands` and `nodes` went, or would go.
    """
    with opened(config) as (configuration, database):

        def write(drop: Callable[[sa.Connection], int]) -> int:
            with database.write() as connection:
                return drop(connection)

        pruner = Pruner(database, write, lambda: configuration.retention, utc_now)
        pruned = asdict(pruner.count() if dry_run else pruner.once())
    if as_json:
        print_json(pruned)
        return
    told = ", ".join(many(count, kind.removesuffix("s")) for kind, count in pruned.items() if count)
    out.print(f"{'would delete' if dry_run else 'deleted'} {told or 'nothing'}", soft_wrap=True)


@app.command(epilog="Example: `worker db backup /var/backups/worker.db`")
def backup(
    file: Annotated[Path, typer.Argument(help="Where to; it must not exist.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Copy the database into a file, while daemons work. The key ring is not in it: keep that elsewhere.

    Only of SQLite: for PostgreSQL use pg_dump. The JSON has `database`, `file` and `bytes`.
    """
    with opened(config) as (_, database):
        copies.copy(database, file)
        location = database.location
    size = file.stat().st_size
    if as_json:
        print_json({"database": location, "file": str(file), "bytes": size})
    else:
        out.print(f"{location}: {number(size)} bytes copied to {file}", soft_wrap=True)
