"""The verb that asks for a run now, and can watch it."""

import getpass
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

import orjson
import typer
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from jobs.contract import Counts, Json
from worker.cli.history import run_row
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, opened
from worker.cli.output import JsonFlag, err, fail, out, print_json
from worker.model.moments import new_id, utc_now
from worker.model.records import Command, Run, RunState
from worker.runs.pulse import LEASE_S
from worker.store import attempts, commands, nodes, runs
from worker.store.database import Database

_LOOK_EVERY_S = 0.2


def add_to(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command(
        epilog="Examples: [bold]worker trigger tangoe-devices --wait[/bold], "
        "[bold]worker trigger orders --param region=eu[/bold]"
    )(trigger)


def trigger(
    job: Annotated[str, typer.Argument(help="The job to run.")],
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter of the run, as key=value; may be repeated.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Watch the run until it ends; exit 1 unless it succeeds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask the daemon to run a job now."""
    with opened(config) as (configuration, database):
        if job not in configuration.jobs:
            known = ", ".join(sorted(configuration.jobs))
            raise typer.BadParameter(f"no job {job} is configured; there are: {known}")
        request = _post(database, job, _params(param or []))
        if not wait:
            _say_posted(database, job, request, as_json=as_json)
            return
        run = Watch(database, job, request).until_ended()
    if as_json:
        print_json(run_row(run))
    else:
        out.print(f"run {run.id} {run.state}: {run.counts.read:,} read, {run.counts.written:,} written")
    if run.state is not RunState.SUCCEEDED:
        fail(f"run {run.id} {run.state}: {run.error or run.reason}; `worker show {run.id}` tells more")
        raise typer.Exit(1)


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
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    command = Command(new_id(), utc_now(), by, "trigger", job, params)
    with database.write() as connection:
        commands.post(connection, command)
    return command.id


def _say_posted(database: Database, job: str, request: int, *, as_json: bool) -> None:
    alive = is_daemon_alive(database)
    if as_json:
        print_json({"request": request, "job": job, "daemon": alive})
        return
    out.print(f"asked for a run of {job}")
    if not alive:
        err.print("[yellow]no daemon works on this database; the run begins when `worker run` is started[/yellow]")


def is_daemon_alive(database: Database) -> bool:
    """Tells whether some daemon's heart beat lately."""
    with database.write() as connection:  # the lease clock may note this boot
        since = database.lease_now(connection) - timedelta(seconds=LEASE_S)
        return bool(nodes.living(connection, since))


@dataclass(frozen=True)
class Watch:
    """Follows the run that a request becomes."""

    database: Database
    job: str
    request: int

    def until_ended(self) -> Run:
        """Returns the run once it ended, showing progress on a terminal meanwhile; exits 1 where it was refused."""
        with _bar() as progress:
            task = progress.add_task(self.job, total=None, state="waits for the daemon")
            warned = False
            while True:
                run = self._look(progress, task)
                if run is not None and run.state.ended:
                    return run
                if run is None and not warned and not is_daemon_alive(self.database):
                    warned = True
                    progress.console.print("[yellow]no daemon works on this database; start `worker run`[/yellow]")
                time.sleep(_LOOK_EVERY_S)

    def _look(self, progress: Progress, task: TaskID) -> Run | None:
        with self.database.read() as connection:
            run = runs.by_cause(connection, self.job, f"manual:{self.request}")
            command = commands.get(connection, self.request)
            tried = attempts.of_run(connection, run.id) if run else []
        if command is not None and command.outcome not in (None, "done"):
            fail(str(command.outcome))
            raise typer.Exit(1)
        if run is not None:
            counts = tried[-1].counts if tried else Counts()
            progress.update(task, completed=counts.read, total=counts.expected, state=_words(run, counts))
        return run


def _words(run: Run, counts: Counts) -> str:
    rejected = f", {counts.rejected:,} rejected" if counts.rejected else ""
    return f"{run.state}: {counts.pages:,} pages, {counts.read:,} read, {counts.written:,} written{rejected}"


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
