"""The verbs of cursors: how far an incremental job has got; shown, set, reset."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from jobs.contract import Json
from worker.cli.asking import value_of
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, known, opened
from worker.cli.orders import Order, Wait
from worker.cli.output import JsonFlag, ago
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.store import cursors
from worker.store.cursors import CursorRow

app = room("Cursors: how far an incremental job has got.")

_COLUMNS = [
    Column("called", "cursor"),
    Column("version", right=True),
    Column("moved_at", "moved", ago),
    Column("mover", "by run", rank=1),
    Column("told", "value", long=True),
]
_Job = Annotated[str, typer.Argument(help="The job.")]
_Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Another cursor of the job's: full, deletions.")]
_Force = Annotated[
    bool, typer.Option("--force", metavar="", help="While a run of the job is underway, too: it then stores no more.")
]


@app.callback()
def _cursor() -> None:
    pass


@app.command(epilog="Example: `worker cursor show tangoe-devices --json`")
def show(job: _Job, config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """Show a job's cursors: value, version, when it moved, and by which run; without a run a person moved it.

    The JSON has the columns of the table `cursors` (docs/database.md).
    """
    with opened(config) as (configuration, database), database.read() as connection:
        found = cursors.standings(connection, job)
        if not found:
            known(job, configuration.jobs, "job")
    rows = [asdict(one) if as_json else _row(one) for one in found]
    listing(rows, _COLUMNS, as_json=as_json, empty=f"No cursor of {job} has moved yet.")


@app.command("set", epilog="Example: `worker cursor set tangoe-devices 2026-01-31T08:00:00Z`")
def set_(  # noqa: PLR0913  one for each option
    job: _Job,
    value: Annotated[str, typer.Argument(help="The new value, as JSON where it is some; else a text.")],
    name: _Name = "",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    force: _Force = False,
    wait: Wait = False,
    as_json: JsonFlag = False,
) -> None:
    """Move a job's cursor; the outcome tells the old value, and how to set it back.

    Refused while a run of the job is underway. The JSON has request, verb, target and outcome.
    """
    _ask(
        config,
        "cursor set",
        job,
        {"value": value_of(value), "name": name or None, "force": force or None},
        (wait, as_json),
    )


@app.command(epilog="Example: `worker cursor reset tangoe-devices`")
def reset(
    job: _Job,
    name: _Name = "",
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    force: _Force = False,
    wait: Wait = False,
    as_json: JsonFlag = False,
) -> None:
    """Take a cursor's value away: the next run begins where a job's first one does.

    The outcome tells the old value, and how to set it back. Refused while a run of the job is underway.
    """
    _ask(config, "cursor reset", job, {"name": name or None, "force": force or None}, (wait, as_json))


def _ask(config: Path, verb: str, job: str, arguments: Mapping[str, Json], how: tuple[bool, bool]) -> None:
    wait, as_json = how
    with opened(config) as (configuration, database):
        known(job, configuration.jobs, "job")
        Order.post(database, verb, job, arguments).tell(wait=wait, as_json=as_json)


def _row(one: CursorRow) -> dict[str, Any]:
    """Returns a cursor as one row of the table."""
    value = one.value if isinstance(one.value, str) else orjson.dumps(one.value).decode()
    return {**asdict(one), "called": one.name or "(main)", "mover": one.run_id or "a person", "told": value}
