"""Requests to the daemon through the database: posted, told of, watched to their end."""

from collections.abc import Mapping
from typing import Annotated

import orjson
import typer
from rich.text import Text

from jobs.contract import Json, WorkerError
from worker.cli.history import run_row
from worker.cli.opening import is_daemon_alive, operator
from worker.cli.output import out, print_json, span, warn
from worker.cli.tables import STYLES
from worker.cli.watching import Watch
from worker.model.moments import new_id, utc_now
from worker.model.records import Command, Run, RunState
from worker.store import commands
from worker.store.database import Database

Params = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A parameter of the run; may be repeated.")]

_INTERRUPTED = 130  # 128 + INT, as a shell says it


def parameters(given: list[str]) -> dict[str, Json]:
    """Returns parameters by name, each value as JSON where it is some; raises BadParameter."""
    pairs = [item.partition("=") for item in given]
    wrong = [key for key, equals, _ in pairs if not equals or not key]
    if wrong:
        raise typer.BadParameter(f"expected key=value, found {wrong[0]!r}", param_hint="--param")
    return {key: value_of(text) for key, _, text in pairs}


def value_of(text: str) -> Json:
    """Returns what was typed: JSON where it is some, else the text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def post(database: Database, verb: str, target: str, arguments: Mapping[str, Json]) -> int:
    """Leaves a request where the daemon finds it; returns its id."""
    command = Command(new_id(), utc_now(), operator(), verb, target, dict(arguments))
    with database.write() as connection:
        commands.post(connection, command)
    return command.id


def say_posted(database: Database, job: str, request: int, *, as_json: bool) -> None:
    """Tells that a run was asked for, and warns where no daemon works."""
    with database.read() as connection:
        alive = is_daemon_alive(database, connection)
    if as_json:
        print_json({"request": request, "job": job, "daemon": alive})
        return
    out.print(f"asked for a run of {job}; `worker history {job}` shows what becomes of it", soft_wrap=True)
    if not alive:
        warn("no daemon works on this database; the run begins when `worker run` is started")


def watched(watch: Watch, *, as_json: bool) -> None:
    """Watches a request's run to its end and tells what became of it; raises WorkerError unless it succeeded."""
    _say_ended(_watched(watch), as_json=as_json)


def _watched(watch: Watch) -> Run:
    try:
        return watch.until_ended()
    except KeyboardInterrupt:
        warn(f"no longer watching; the request stands, and `worker history {watch.job}` shows what becomes of it")
        raise typer.Exit(_INTERRUPTED) from None


def _say_ended(run: Run, *, as_json: bool) -> None:
    row = run_row(run)
    if as_json:
        print_json(row)
    else:
        took = f" in {span(row['seconds'])}" if run.started_at else ""
        state = Text(run.state, STYLES.get(run.state, ""))
        out.print(Text(f"run {run.id} ") + state + Text(f"{took}: {_counted(run)}"), soft_wrap=True)
        if run.counts.rejected:
            out.print(f"`worker rejects {run.job}` lists what was rejected, and why", style="dim", soft_wrap=True)
    if run.state is not RunState.SUCCEEDED:
        raise WorkerError(f"run {run.id} {run.state}: {row['why']}; `worker show {run.id}` tells more")


def _counted(run: Run) -> str:
    counts = run.counts
    others = {"unchanged": counts.unchanged, "deleted": counts.deleted}
    told = [f"{counts.read:,} read", f"{counts.written:,} written"]
    told += [f"{count:,} {name}" for name, count in others.items() if count]
    return ", ".join([*told, f"{counts.rejected:,} rejected"])
