"""The verb that asks for an earlier run once more, or for a job's rejects to be tried again."""

from typing import Annotated

import typer

from jobs.contract import Json, WorkerError
from worker.cli.asking import say_posted, watched
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened, run_named
from worker.cli.orders import post
from worker.cli.output import JsonFlag
from worker.cli.rooms import room
from worker.cli.watching import Watch
from worker.config.load import Configuration
from worker.store import runs
from worker.store.database import Database

app = room()


@app.command(
    epilog="Examples: `worker replay 250696888751087767 --wait`, `worker replay tangoe-devices --rejects --wait`"
)
def replay(
    target: Annotated[str, typer.Argument(metavar="RUN|JOB", help="A run's id; with --rejects, a job's name.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    again: Annotated[
        bool, typer.Option("--rejects", metavar="", help="Try the records again that the job rejected.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Watch the run until it ends; exit 1 unless it succeeds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask the daemon for a run once more: the same job, parameters and window, in a new run.

    It reads its window again and leaves the job's cursor where it is. With --rejects the job's rejects are tried
    again, once their cause is mended: what gets through leaves the list, what does not stays, with the newest reason.
    The JSON is that of `worker trigger`.
    """
    with opened(config) as (configuration, database):
        job = _job(configuration, database, target, again=again)
        arguments: dict[str, Json] = {"rejects": True} if again else {}
        request = post(database, "replay", target, arguments)
        watch = Watch(database, job, request, "" if again else f"replay:{target}:{request}")
        if wait:
            watched(watch, as_json=as_json)
        else:
            say_posted(watch, "replay", as_json=as_json)


def _job(configuration: Configuration, database: Database, target: str, *, again: bool) -> str:
    """Returns the job whose run is asked for; raises BadParameter, or WorkerError where there is no such run."""
    if again:
        return known(target, configuration.jobs, "job")
    run_id = run_named(target, configuration.jobs)
    if run_id is None:
        known(target, configuration.jobs, "job")
        raise typer.BadParameter(f"{target} is a job: say which of its runs, or --rejects; `worker history {target}`")
    with database.read() as connection:
        run = runs.get(connection, run_id)
    if run is None:
        raise WorkerError(f"there is no run {target}; `worker history` lists the runs")
    return run.job
