"""Requests to the daemon through the database: posted, told of, watched to their end."""

from typing import Annotated

import orjson
import typer
from rich.text import Text

from jobs.contract import Json, WorkerError
from worker.cli.history import run_row
from worker.cli.orders import Order
from worker.cli.output import out, print_json, span, warn
from worker.cli.tables import STYLES
from worker.cli.watching import Watch
from worker.model.records import Run, RunState

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


def say_posted(watch: Watch, verb: str, *, as_json: bool) -> None:
    """Tells what run was asked for, as soon as a daemon took the request, and warns where none works.

    Raises WorkerError where the daemon refused it.
    """
    outcome, alive = Order(watch.database, verb, watch.job, watch.request).settled()
    run = watch.found()
    if as_json:
        told = {"request": watch.request, "job": watch.job, "daemon": alive, "outcome": outcome}
        print_json({**told, "run": run.id if run else None})
    if outcome is not None and not outcome.startswith("done"):
        raise WorkerError(outcome)
    if not as_json:
        _say_asked(watch.job, run)


def _say_asked(job: str, run: Run | None) -> None:
    if run is None:
        out.print(f"asked for a run of {job}; `worker history {job}` shows what becomes of it", soft_wrap=True)
    else:
        why = f" ({run.reason})" if run.reason else ""
        out.print(f"run {run.id} of {job} {run.state}{why}; `worker show {run.id}` tells more", soft_wrap=True)


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
        why = str(row["why"]).removesuffix(".")
        raise WorkerError(f"run {run.id} {run.state}: {why}; `worker show {run.id}` tells more")


def _counted(run: Run) -> str:
    counts = run.counts
    others = {"unchanged": counts.unchanged, "deleted": counts.deleted}
    told = [f"{counts.read:,} read", f"{counts.written:,} written"]
    told += [f"{count:,} {name}" for name, count in others.items() if count]
    return ", ".join([*told, f"{counts.rejected:,} rejected"])
