"""The verb that shows one run whole."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from jobs.contract import WorkerError
from worker.cli.history import flat, run_row, seconds_between
from worker.cli.output import JsonFlag, ago, clock, harmless, many, number, out, print_json, span
from worker.cli.reaching import DEFAULT_CONFIG, LARGEST_ID, ConfigPath, reached
from worker.cli.rooms import room
from worker.cli.tables import STYLES, Column, listing
from worker.cli.trail import CALL_COLUMNS, call_rows
from worker.model.records import Attempt, Call, Reject, Run
from worker.store import attempts, calls, rejects, runs

app = room()

_PRINTED_CALLS = 20  # of one run on a terminal; `worker calls RUN` lists more
_WHOLE = 100_000  # calls of one run in JSON

_ATTEMPT_COLUMNS = [
    Column("number", "attempt", right=True),
    Column("state"),
    Column("started_at", "started", clock),
    Column("seconds", "took", span, right=True),
    Column("pages", show=number, right=True, rank=2),
    Column("read", show=number, right=True),
    Column("written", show=number, right=True),
    Column("rejected", show=number, right=True, rank=1),
    Column("error", long=True, style="red"),
]
_REJECT_COLUMNS = [
    Column("last_seen", "last seen", clock),
    Column("reason", long=True, style="red"),
    Column("record", long=True, cut=True),
]


@app.command(epilog="Example: `worker show 250696888751087767`")
def show(
    run: Annotated[int, typer.Argument(max=LARGEST_ID, help="The run's id, as `worker history` lists it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show one run whole: its attempts, calls and rejects.

    The JSON is the run as `worker history --json` has it, and the lists `attempt_rows`, `call_rows`, `reject_rows`.
    """
    with reached(config) as database, database.read() as connection:
        found = runs.get(connection, run)
        tried = attempts.of_run(connection, run)
        made = calls.listing(connection, run_id=run, limit=_WHOLE if as_json else _PRINTED_CALLS)
        kept = rejects.listing(connection, run_id=run)
    if found is None:
        raise WorkerError(f"there is no run {run}; `worker history` lists the runs")
    if as_json:
        rows = {"attempt_rows": [_attempt_row(one) for one in tried], "call_rows": [asdict(call) for call in made]}
        print_json({**run_row(found), **rows, "reject_rows": [asdict(reject) for reject in kept]})
        return
    _print_run(found)
    _print_parts(found, tried, made, kept)


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {**flat(attempt), "seconds": seconds_between(attempt.started_at, attempt.ended_at)}


def _print_run(run: Run) -> None:
    state = Text(f"{run.state}", style=STYLES.get(run.state, ""))
    out.print(Text(f"run {run.id}  {run.job}  ", style="bold") + state, soft_wrap=True)
    for key, value in _facts(run):
        out.print(Text(f"  {key:<11}", style="dim") + Text(harmless(value)), soft_wrap=True)


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    """Yields what there is to say of a run, each fact with its name."""
    yield "cause", run.cause
    if run.ticks > 1 and run.tick and run.tick_until:
        yield "ticks", f"{run.ticks:,}, from {clock(run.tick)} to {clock(run.tick_until)}"
    if run.window_until:
        since = clock(run.window_since) if run.window_since else "the beginning"
        yield "window", f"{since} to {clock(run.window_until)}"
    if run.params:
        yield "parameters", ", ".join(f"{key}={value}" for key, value in run.params.items())
    yield "created", f"{clock(run.created_at)}, {ago(run.created_at)}"
    yield from _outcome(run)
    yield "definition", run.definition_hash[:12]


def _outcome(run: Run) -> Iterator[tuple[str, str]]:
    """Yields what became of a run so far."""
    if run.started_at:
        yield "started", clock(run.started_at)
    if run.started_at and run.finished_at:
        yield "took", span((run.finished_at - run.started_at).total_seconds())
        yield "rows", _rows(run)
    if run.not_before:
        yield "next try" if run.attempt else "starts", f"{clock(run.not_before)}, {ago(run.not_before)}"
    if run.reason:
        yield "reason", run.reason
    if run.error:
        yield "error", run.error


def _rows(run: Run) -> str:
    counts = run.counts
    named = {"written": counts.written, "unchanged": counts.unchanged, "deleted": counts.deleted}
    told = [f"{counts.read:,} read", *(f"{count:,} {name}" for name, count in named.items() if count)]
    return f"{', '.join(told)}, {counts.rejected:,} rejected, in {many(counts.pages, 'page')}"


def _print_parts(run: Run, tried: list[Attempt], made: list[Call], kept: list[Reject]) -> None:
    out.print()
    listing([_attempt_row(one) for one in tried], _ATTEMPT_COLUMNS, as_json=False, empty="It was never attempted.")
    out.print()
    listing(call_rows(made), CALL_COLUMNS, as_json=False, empty="It made no call.")
    if len(made) == _PRINTED_CALLS:
        out.print(f"these are the last {len(made)}; `worker calls {run.id} -n 1000` lists more", style="dim")
    if kept:
        out.print()
        listing([asdict(reject) for reject in kept], _REJECT_COLUMNS, as_json=False, empty="")
