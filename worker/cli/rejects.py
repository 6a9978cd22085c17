"""The verb that lists the records that did not get through."""

from dataclasses import asdict
from typing import Annotated

import typer

from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened, run_named
from worker.cli.output import JsonFlag, Limit, ago, clock
from worker.cli.rooms import room
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
    with opened(config) as (configuration, database):
        run = run_named(target, configuration.jobs)
        job = known(target, configuration.jobs, "job") if target and run is None else None
        with database.read() as connection:
            found = kept.listing(connection, run_id=run, job=job, limit=limit)
    listing([asdict(reject) for reject in found], REJECT_COLUMNS, as_json=as_json, empty="Nothing was rejected.")
