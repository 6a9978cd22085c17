"""The verb that lists runs, and a run as a row."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.cli.output import JsonFlag, Limit, ago, clock, number, span
from worker.cli.reaching import DEFAULT_CONFIG, ConfigPath, known, reached
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.model.moments import utc_now
from worker.model.records import Attempt, Run, RunState
from worker.store import pastruns

app = room()

_STATE_HELP = f"Only runs in this state; may be repeated: {', '.join(RunState)}."

_RUN_COLUMNS = [
    Column("id", "run", right=True),
    Column("job"),
    Column("state"),
    Column("created_at", "when", ago),
    Column("tick", show=clock, rank=9),
    Column("trigger", rank=8),
    Column("attempt", "attempts", right=True, rank=7),
    Column("seconds", "took", span, right=True, rank=4),
    Column("read", show=number, right=True, rank=3),
    Column("written", show=number, right=True, rank=1),
    Column("rejected", show=number, right=True, rank=5),
    Column("calls", show=number, right=True, rank=6),
    Column("why", long=True),
]


@app.command(epilog="Examples: `worker history tangoe-devices --state failed -n 5`, `worker history --json`")
def history(
    job: Annotated[str | None, typer.Argument(help="Of this job only; one that is no longer configured too.")] = None,
    state: Annotated[list[RunState] | None, typer.Option(metavar="STATE", help=_STATE_HELP)] = None,
    limit: Limit = 20,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List runs, newest first: every tick and request has a row, whatever became of it.

    The JSON has the columns of the table `runs` (docs/database.md), `seconds` (how long it took) and `why`
    (the error or the reason).
    """
    with reached(config) as database, database.read() as connection:
        rows = [run_row(run) for run in pastruns.listing(connection, job, state or (), limit)]
        if job and not rows and not pastruns.listing(connection, job, limit=1):
            _check_name(job, config)
    listing(rows, _RUN_COLUMNS, as_json=as_json, empty="No such run." if job or state else "No run yet.")


def _check_name(job: str, config: Path) -> None:
    from worker.config.load import load  # noqa: PLC0415  only here: it takes longer to import than runs to list

    known(job, load(config).jobs, "job")


def run_row(run: Run) -> dict[str, Any]:
    """Returns a run as one flat row of a listing."""
    ticks = f"{run.ticks} ticks: " if run.ticks > 1 else ""
    why = f"{ticks}{run.error or run.reason or ''}".rstrip(": ") or None
    return {**flat(run), "seconds": seconds_between(run.started_at, run.finished_at), "why": why}


def flat(record: Run | Attempt) -> dict[str, Any]:
    """Returns a record's fields with its counts beside them."""
    row = asdict(record)
    counts = row.pop("counts")
    return {**row, **counts}


def seconds_between(since: datetime | None, until: datetime | None) -> float | None:
    """Returns how long something took, or has taken so far; None where it has not begun."""
    return ((until or utc_now()) - since).total_seconds() if since else None
