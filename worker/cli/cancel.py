"""The verb that ends runs."""

import time
from typing import Annotated

import typer

from jobs.contract import WorkerError
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened, run_named
from worker.cli.orders import Order, Wait
from worker.cli.output import JsonFlag
from worker.cli.rooms import room
from worker.model.records import Run
from worker.store import openruns, runs
from worker.store.database import Database

app = room()

_LOOK_EVERY_S = 0.2
_AT_MOST = 1000  # runs at once


@app.command(epilog="Examples: `worker cancel 250696888751087767 --wait`, `worker cancel orders --queued`")
def cancel(
    target: Annotated[str, typer.Argument(metavar="RUN|JOB", help="A run's id; or a job: its run that is underway.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    queued: Annotated[
        bool, typer.Option("--queued", metavar="", help="Of a job: all runs that wait, not the one underway.")
    ] = False,
    wait: Wait = False,
    as_json: JsonFlag = False,
) -> None:
    """Cancel a run: one that waits ends at once, one that runs at its next check, on whichever node.

    What it has stored stays, and it is not attempted again. One that does not heed loses its right to write after 30
    seconds. With --wait this ends when the runs have. The JSON has request, verb, target and outcome.
    """
    with opened(config) as (configuration, database):
        run_id = run_named(target, configuration.jobs)
        if run_id is None:
            known(target, configuration.jobs, "job")
        elif queued:
            raise typer.BadParameter("--queued goes with a job", param_hint="--queued")
        elif _run(database, run_id) is None:
            raise WorkerError(f"there is no run {target}; `worker history` lists the runs")
        order = Order.post(database, "cancel", target, {"queued": queued or None})
        if order.tell(wait=wait, as_json=as_json) and wait:
            _until_ended(database, target, run_id)


def _run(database: Database, run_id: int) -> Run | None:
    with database.read() as connection:
        return runs.get(connection, run_id)


def _until_ended(database: Database, target: str, run_id: int | None) -> None:
    """Waits until no run that was asked to end is open any more."""
    while _is_ending(database, target, run_id):
        time.sleep(_LOOK_EVERY_S)


def _is_ending(database: Database, target: str, run_id: int | None) -> bool:
    if run_id is not None:
        run = _run(database, run_id)
        return run is not None and not run.state.ended
    with database.read() as connection:
        return any(run.cancel_asked_at for run in openruns.open_of(connection, target, _AT_MOST))
