"""The verbs of the database: upgrade, status."""

from dataclasses import asdict

import typer

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, open_existing
from worker.cli.output import JsonFlag, out, print_json, room
from worker.config.load import load
from worker.store import schema
from worker.wiring.databases import open_own

app = room("The worker's database: its schema and state.")


@app.callback()
def _database() -> None:
    pass


@app.command(epilog="Example: `worker db upgrade --config config.toml`")
def upgrade(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Bring the schema up to date, making the database where there is none; `worker run` does it by itself."""
    database = open_own(load(config))
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
    database = open_existing(load(config))
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
