"""The verb that asks for a run now, and can watch it."""

from typing import Annotated

import orjson
import typer
from rich.text import Text

from jobs.contract import Json, WorkerError
from worker.cli.history import run_row
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, is_daemon_alive, known, opened, operator
from worker.cli.output import JsonFlag, out, print_json, room, span, warn
from worker.cli.tables import STYLES
from worker.cli.watching import Watch
from worker.model.moments import new_id, utc_now
from worker.model.records import Command, Run, RunState
from worker.store import commands
from worker.store.database import Database

app = room()

_INTERRUPTED = 130  # 128 + INT, as a shell says it


@app.command(epilog="Examples: `worker trigger tangoe-devices --wait`, `worker trigger orders --param region=eu`")
def trigger(
    job: Annotated[str, typer.Argument(help="The job to run.")],
    param: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A parameter of the run; may be repeated.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Watch the run until it ends; exit 1 unless it succeeds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask the daemon to run a job now.

    The request is kept in the database; without a daemon it waits for the next start. The JSON has `request`,
    `job` and `daemon` (whether one works now); with --wait it is the run as `worker history --json` has it.
    """
    with opened(config) as (configuration, database):
        request = _post(database, known(job, configuration.jobs, "job"), _params(param or []))
        if not wait:
            _say_posted(database, job, request, as_json=as_json)
            return
        run = _watched(Watch(database, job, request))
    _say_ended(run, as_json=as_json)


def _params(given: list[str]) -> dict[str, Json]:
    pairs = [item.partition("=") for item in given]
    wrong = [key for key, equals, _ in pairs if not equals or not key]
    if wrong:
        raise typer.BadParameter(f"expected key=value, found {wrong[0]!r}", param_hint="--param")
    return {key: _value(text) for key, _, text in pairs}


def _value(text: str) -> Json:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _post(database: Database, job: str, params: dict[str, Json]) -> int:
    command = Command(new_id(), utc_now(), operator(), "trigger", job, params)
    with database.write() as connection:
        commands.post(connection, command)
    return command.id


def _say_posted(database: Database, job: str, request: int, *, as_json: bool) -> None:
    with database.read() as connection:
        alive = is_daemon_alive(database, connection)
    if as_json:
        print_json({"request": request, "job": job, "daemon": alive})
        return
    out.print(f"asked for a run of {job}; `worker history {job}` shows what becomes of it", soft_wrap=True)
    if not alive:
        warn("no daemon works on this database; the run begins when `worker run` is started")


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
        counts = f"{run.counts.read:,} read, {run.counts.written:,} written, {run.counts.rejected:,} rejected"
        state = Text(run.state, STYLES.get(run.state, ""))
        out.print(Text(f"run {run.id} ") + state + Text(f"{took}: {counts}"), soft_wrap=True)
    if run.state is not RunState.SUCCEEDED:
        raise WorkerError(f"run {run.id} {run.state}: {row['why']}; `worker show {run.id}` tells more")
