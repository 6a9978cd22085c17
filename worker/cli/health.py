"""The verb that tells a supervisor whether a daemon works: for a container's HEALTHCHECK, and for people."""

from typing import Any

import typer

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, opened
from worker.cli.output import JsonFlag, err, print_json, room, span
from worker.cli.tables import Column, listing
from worker.store import nodes

app = room()

_COLUMNS = [
    Column("name"),
    Column("pid", right=True),
    Column("silent_s", "last heartbeat", lambda silent_s: f"{span(silent_s)} ago"),
]


@app.command(epilog="Example: `worker health --config /etc/worker/config.toml || echo down`")
def health(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Tell whether a daemon works on this database: its heart beat within its lease. Exits 1 where none does.

    The JSON has `alive` and `nodes` (id, name, pid, silent_s: seconds since the last heartbeat).
    """
    with opened(config) as (_, database), database.read() as connection:
        now = database.lease_now(connection)
        living = nodes.living(connection, now)
    rows: list[dict[str, Any]] = [
        {
            "id": node.id,
            "name": node.name,
            "pid": node.pid,
            "silent_s": round(max((now - node.heartbeat_at).total_seconds(), 0.0), 3),
        }
        for node in living
    ]
    if as_json:
        print_json({"alive": bool(rows), "nodes": rows})
    elif rows:
        listing(rows, _COLUMNS, as_json=False, empty="")
    else:
        err.print("no daemon works on this database; start `worker run`", soft_wrap=True)
    if not rows:
        raise typer.Exit(1)
