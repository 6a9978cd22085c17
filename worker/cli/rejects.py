"""The verbs for records that did not get through: look at them, try them again."""

from dataclasses import asdict
from typing import Annotated

import typer

from worker.cli.asking import post, say_posted, watched
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened
from worker.cli.output import JsonFlag, Limit, ago, clock, room
from worker.cli.tables import Column, listing
from worker.store import rejects as kept

app = room()

REJECT_COLUMNS = [
    Column("job", rank=1),
    Column("run_id", "run", right=True, rank=5),
    Column("last_seen", "seen", ago, rank=2),
    Column("first_seen", "since", clock, rank=9),
    Column("reason", long=True, style="red"),
    Column("record", long=True, cut=True, rank=3),
]


@app.command(epilog="Examples: `worker rejects tangoe-devices`, `worker rejects 250696888751087767 --json`")
def rejects(
    target: Annotated[str, typer.Argument(metavar="[JOB|RUN]", help="A job's name or a run's id.")] = "",
    limit: Limit = 50,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List records that could not be mapped, typed or stored, the latest runs' first.

    The JSON has the columns of the table `rejects` (docs/database.md); `whole` tells whether `worker replay --rejects`
    can try the record again.
    """
    run = int(target) if target.isdecimal() else None
    with opened(config) as (configuration, database):
        job = known(target, configuration.jobs, "job") if target and run is None else None
        with database.read() as connection:
            found = kept.listing(connection, run_id=run, job=job, limit=limit)
    listing([asdict(reject) for reject in found], REJECT_COLUMNS, as_json=as_json, empty="Nothing was rejected.")


@app.command(epilog="Example: `worker replay tangoe-devices --rejects --wait`")
def replay(
    job: Annotated[str, typer.Argument(help="The job whose rejects are tried again.")],
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
    """Ask the daemon to try a job's rejects again, once their cause is mended.

    What gets through leaves the list of rejects; what does not stays, with the newest reason. The JSON is that of
    `worker trigger`.
    """
    if not again:
        raise typer.BadParameter("say what is tried again: --rejects", param_hint="--rejects")
    with opened(config) as (configuration, database):
        request = post(database, "replay", known(job, configuration.jobs, "job"), {"rejects": True})
        if wait:
            watched(database, job, request, as_json=as_json)
        else:
            say_posted(database, job, request, as_json=as_json)
