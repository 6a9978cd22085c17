"""The verb that asks the daemons of a database to read their configuration again."""

import time
from dataclasses import dataclass
from typing import Annotated

import typer

from jobs.contract import WorkerError
from worker.cli.output import JsonFlag, out, print_json
from worker.cli.reaching import DEFAULT_CONFIG, ConfigPath, living_nodes, operator, reached
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.model.moments import new_id, utc_now
from worker.model.records import Command, Node
from worker.store import commands
from worker.store.database import Database

app = room()

_LOOK_EVERY_S = 0.1
_LONGEST_S = 60.0  # after that the request is taken back

_COLUMNS = [Column("node"), Column("outcome")]


@dataclass(frozen=True)
class _Asked:
    node: Node
    command: Command


@app.command(epilog="Example: `worker reload --wait`")
def reload(
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Wait for the outcome; exit 1 where a daemon refused.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask every daemon that works on this database to read its configuration again, as HUP does.

    It is taken up whole or not at all: a file that is wrong changes nothing, and `worker health` shows what is wrong
    with it. The JSON is a list of `node`, `request` and, with --wait, `outcome`.
    """
    with reached(config) as database:
        with database.read() as connection:
            living = living_nodes(database, connection)
        asked = [_ask(database, node) for node in living]
        if not asked:
            raise WorkerError("no daemon works on this database; it reads the configuration when it starts")
        outcomes = [_outcome(database, one.command) if wait else None for one in asked]
    rows = [
        {"node": one.node.name, "request": one.command.id} | ({"outcome": outcome} if wait else {})
        for one, outcome in zip(asked, outcomes, strict=True)
    ]
    if as_json:
        print_json(rows)
    elif wait:
        listing(rows, _COLUMNS, as_json=False, empty="")
    else:
        names = ", ".join(one.node.name for one in asked)
        out.print(f"asked {names} to reload; `worker health` shows what becomes of it", soft_wrap=True)
    if any(outcome and outcome.startswith("refused") for outcome in outcomes):
        raise typer.Exit(1)


def _ask(database: Database, node: Node) -> _Asked:
    command = Command(new_id(), utc_now(), operator(), "reload", str(node.id), {})
    with database.write() as connection:
        commands.post(connection, command)
    return _Asked(node, command)


def _outcome(database: Database, command: Command) -> str:
    """Returns what came of a command; takes it back where nobody answers in time."""
    until_s = time.monotonic() + _LONGEST_S
    while time.monotonic() < until_s:
        with database.read() as connection:
            found = commands.get(connection, command.id)
        if found is not None and found.outcome is not None:
            return found.outcome
        time.sleep(_LOOK_EVERY_S)
    late = f"refused: no answer within {_LONGEST_S:g} s"
    with database.write() as connection:
        if commands.take(connection, command.id, None, utc_now()):
            commands.answer(connection, command.id, late)
    return late
