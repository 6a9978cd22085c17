"""The verbs that look back: jobs, history, show, calls."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from worker.cli.daemon import describe_schedule
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, opened
from worker.cli.output import Column, JsonFlag, ago, clock, fail, listing, number, out, print_json, span
from worker.model.moments import utc_now
from worker.model.records import Attempt, Call, Run, RunState
from worker.store import attempts, calls, rejects, runs, views

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many rows.")]


def add_to(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command(epilog="Example: [bold]worker jobs --json[/bold]")(jobs)
    app.command(epilog="Example: [bold]worker history tangoe-devices --state failed -n 5[/bold]")(history)
    app.command(epilog="Example: [bold]worker show 8361234567890[/bold]")(show)
    app.command("calls", epilog="Example: [bold]worker calls --account tangoe -n 20[/bold]")(list_calls)


def jobs(config: ConfigPath = DEFAULT_CONFIG, *, as_json: JsonFlag = False) -> None:
    """List the jobs: schedule, next tick, last run, last success."""
    with opened(config) as (configuration, database), database.read() as connection:
        known = {row["job"]: row for row in views.job_health(connection)}
    rows = [
        {"job": name, "schedule": describe_schedule(configuration, name), **known.get(name, {})}
        for name in sorted(configuration.jobs)
    ]
    columns = [
        Column("job"),
        Column("schedule", grow=True),
        Column("next_tick", "next", ago),
        Column("last_state", "last run"),
        Column("last_success_at", "last success", ago),
        Column("consecutive_failures", "failures", right=True),
        Column("last_error", "last error", grow=True),
    ]
    listing(rows, columns, as_json=as_json, empty="No job is configured; add one to jobs.d/.")


def history(
    job: Annotated[str | None, typer.Argument(help="Of this job only.")] = None,
    state: Annotated[list[RunState] | None, typer.Option(help="Only runs in this state; may be repeated.")] = None,
    limit: Limit = 20,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List runs, newest first: every tick and request has a row, whatever became of it."""
    with opened(config) as (_, database), database.read() as connection:
        rows = [run_row(run) for run in runs.listing(connection, job, state or (), limit)]
    listing(rows, RUN_COLUMNS, as_json=as_json, empty="No run yet.")


RUN_COLUMNS = [
    Column("id", "run", right=True),
    Column("job"),
    Column("trigger"),
    Column("tick", show=clock),
    Column("state"),
    Column("attempt", "att.", right=True),
    Column("seconds", "took", span, right=True),
    Column("read", show=number, right=True),
    Column("written", show=number, right=True),
    Column("rejected", show=number, right=True),
    Column("calls", show=number, right=True),
    Column("why", "reason", grow=True),
]


def run_row(run: Run) -> dict[str, Any]:
    """Returns a run as one flat row of a listing."""
    row = asdict(run)
    seconds = None
    if run.started_at:
        seconds = ((run.finished_at or utc_now()) - run.started_at).total_seconds()
    ticks = f"{run.ticks} ticks: " if run.ticks > 1 else ""
    why = f"{ticks}{run.error or run.reason or ''}" or None
    return {**row, **row.pop("counts"), "seconds": seconds, "why": why}


def show(
    run: Annotated[int, typer.Argument(help="The run's id, as `worker history` lists it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show one run whole: its attempts, calls and rejects."""
    with opened(config) as (_, database), database.read() as connection:
        found = runs.get(connection, run)
        tried = attempts.of_run(connection, run)
        made = calls.listing(connection, run_id=run, limit=1000)
        kept = [asdict(reject) for reject in rejects.listing(connection, run_id=run)]
    if found is None:
        fail(f"there is no run {run}; `worker history` lists the runs")
        raise typer.Exit(1)
    if as_json:
        document = {**run_row(found), "attempts": [_attempt_row(one) for one in tried]}
        print_json({**document, "call_rows": [asdict(call) for call in made], "rejects": kept})
        return
    _print_run(found)
    _print_parts(tried, made, kept)


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    row = asdict(attempt)
    return {**row, **row.pop("counts")}


def _print_run(run: Run) -> None:
    row = run_row(run)
    shown = (
        "id",
        "job",
        "cause",
        "state",
        "why",
        "tick",
        "tick_until",
        "window_since",
        "window_until",
        "started_at",
    )
    counts = ("finished_at", "read", "written", "unchanged", "rejected", "definition_hash")
    for key in (*shown, *counts):
        value = row[key]
        if value is not None:
            text = clock(value) if hasattr(value, "astimezone") else str(value)
            out.print(f"[bold]{key:<16}[/bold] ", end="")
            out.print(text, markup=False, soft_wrap=True)


def _print_parts(tried: list[Attempt], made: list[Call], kept: list[dict[str, Any]]) -> None:
    out.print()
    columns = [
        Column("number", "attempt", right=True),
        Column("state"),
        Column("started_at", "started", clock),
        Column("ended_at", "ended", clock),
        Column("pages", show=number, right=True),
        Column("read", show=number, right=True),
        Column("written", show=number, right=True),
        Column("error", grow=True),
    ]
    listing([_attempt_row(one) for one in tried], columns, as_json=False, empty="It was never attempted.")
    out.print()
    listing([asdict(call) for call in made], CALL_COLUMNS, as_json=False, empty="It made no call.")
    if kept:
        out.print()
        columns = [Column("reason", grow=True), Column("record", grow=True)]
        listing(kept, columns, as_json=False, empty="")


CALL_COLUMNS = [
    Column("id", "call", right=True),
    Column("at", show=clock),
    Column("account"),
    Column("purpose"),
    Column("method"),
    Column("status", right=True),
    Column("ms", show=number, right=True),
    Column("bytes_in", "bytes", number, right=True),
    Column("generation_used", "gen.", right=True),
    Column("url", "URL", grow=True),
    Column("error", grow=True),
]


def list_calls(
    run: Annotated[int | None, typer.Argument(help="Of this run only.")] = None,
    account: Annotated[str | None, typer.Option(help="Of this account only.")] = None,
    limit: Limit = 50,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """List authenticated calls, newest first, token requests included."""
    with opened(config) as (_, database), database.read() as connection:
        rows = [asdict(call) for call in calls.listing(connection, run_id=run, account=account, limit=limit)]
    listing(rows, CALL_COLUMNS, as_json=as_json, empty="No call yet.")
