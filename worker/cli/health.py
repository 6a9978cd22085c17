"""The verb that tells a supervisor whether a daemon works: for a container's HEALTHCHECK, and for people."""

from datetime import datetime
from typing import Any

import typer

from worker.cli.output import JsonFlag, ago, err, print_json, span, warn
from worker.cli.reaching import DEFAULT_CONFIG, ConfigPath, living_nodes, reached
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.model.records import Node

app = room()

_COLUMNS = [
    Column("name"),
    Column("pid", right=True),
    Column("silent_s", "last heartbeat", lambda silent_s: f"{span(silent_s)} ago"),
    Column("configured_at", "configured", lambda at: ago(at) if at else ""),
    Column("lines_dropped", "log lines lost", right=True),
]


@app.command(epilog="Example: `worker health --config /etc/worker/config.toml || echo down`")
def health(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Tell whether a daemon works on this database: its heart beat within its lease. Exits 1 where none does.

    Of the configuration only [database] is read. Where a daemon refused what lies there, its problems are shown; it
    works on by the last good one, and the exit code is 0. The JSON has `alive` and `nodes` (id, name, pid, silent_s:
    seconds since the last heartbeat, configured_at, configuration_hash, reload_error, lines_dropped: of its log).
    """
    with reached(config) as database, database.read() as connection:
        now = database.lease_now(connection)
        rows = [_row(node, now) for node in living_nodes(database, connection)]
    if as_json:
        print_json({"alive": bool(rows), "nodes": rows})
    elif rows:
        listing(rows, _COLUMNS, as_json=False, empty="")
        _say_refused(rows)
    else:
        err.print("no daemon works on this database; start `worker run`", soft_wrap=True)
    if not rows:
        raise typer.Exit(1)


def _row(node: Node, now: datetime) -> dict[str, Any]:
    return {
        "id": node.id,
        "name": node.name,
        "pid": node.pid,
        "silent_s": round(max((now - node.heartbeat_at).total_seconds(), 0.0), 3),
        "configured_at": node.configured_at,
        "configuration_hash": node.configuration_hash,
        "reload_error": node.reload_error,
        "lines_dropped": node.lines_dropped,
    }


def _say_refused(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["reload_error"]:
            warn(f"{row['name']} refused the configuration and works by the last good one:\n{row['reload_error']}")
