"""The verb that asks for a run now, and can watch it."""

from typing import Annotated

import typer

from worker.cli.asking import Params, parameters, say_posted, watched
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened
from worker.cli.orders import post
from worker.cli.output import JsonFlag
from worker.cli.rooms import room
from worker.cli.watching import Watch

app = room()


@app.command(epilog="Examples: `worker trigger tangoe-devices --wait`, `worker trigger orders --param region=eu`")
def trigger(
    job: Annotated[str, typer.Argument(help="The job to run.")],
    param: Params = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", metavar="", help="Watch the run until it ends; exit 1 unless it succeeds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask the daemon to run a job now.

    The request is kept in the database; without a daemon it waits for the next start. The JSON has `request`,
    `job`, `daemon` (whether one works now), `outcome` and `run`; with --wait it is the run as `worker history --json`
    has it.
    """
    with opened(config) as (configuration, database):
        request = post(database, "trigger", known(job, configuration.jobs, "job"), parameters(param or []))
        watch = Watch(database, job, request)
        if wait:
            watched(watch, as_json=as_json)
        else:
            say_posted(watch, "trigger", as_json=as_json)
