"""The verb that shows what is coming."""

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.contract import WorkerError
from worker.cli import plandiff, plansvg
from worker.cli.jobs import describe_schedule
from worker.cli.linting import find_odd
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, in_reach, known, open_existing
from worker.cli.output import JsonFlag, Limit, out, print_json, warn
from worker.cli.planframe import frame_of
from worker.cli.planpicture import Plan, picture, time_room
from worker.cli.rooms import room
from worker.config.load import Configuration, load
from worker.model.errors import StoreUnreachable
from worker.model.moments import utc_now
from worker.runs.collisions import at_once, changes_of_clocks, collisions
from worker.runs.forecast import Frame, Lane, Prospect, forecast
from worker.store import accounts, durations, jobs, schema
from worker.store.jobs import JobRow

app = room()

_IN_A_PIPE = 120  # columns
_IN_JSON = 1_000  # fires of one job
_LONGEST_DAYS = 3660
_LINTED = 1_000  # jobs

_Jobs = Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Only these.", show_default=False)]
_Days = Annotated[
    float, typer.Option("--days", "-d", min=0.01, max=_LONGEST_DAYS, metavar="N", help="How far to look ahead.")
]
_Svg = Annotated[
    Path | None, typer.Option("--svg", metavar="FILE", help="Write the picture there as SVG.", show_default=False)
]
_Diff = Annotated[
    bool, typer.Option("--diff", metavar="", help="Tell what this file would change for the daemon, and draw nothing.")
]
_Old = Annotated[
    Path | None, typer.Option("--old", metavar="FILE", help="With --diff: compare with this file.", show_default=False)
]
_From = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Begin there, by the worker's zone, not now."),
]


@app.command(epilog="Examples: `worker plan`, `worker plan --days 7 orders`, `worker plan --diff -c new.toml`")
def plan(  # noqa: PLR0913  the options of one verb
    names: _Jobs = None,
    days: _Days = 1.0,
    since: _From = None,
    limit: Limit = 40,
    svg: _Svg = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    diff: _Diff = False,
    old: _Old = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw the coming fires of all jobs: when each is due, how long it is expected to take, what gets in whose way.

    Durations are those of each job's last successes. A `!` marks what collides, with a sentence below. The JSON has
    `jobs` (with the fires of each), `collisions` and `clocks` (nights on which clocks change).
    """
    configuration = load(config)
    if diff or old:
        _tell_changes(configuration, names or [], old, as_json=as_json)
        return
    for name in names or ():
        known(name, configuration.jobs, "job")
    chosen, zone = names or sorted(configuration.jobs), configuration.worker.timezone
    start = in_reach(since, "--from").replace(tzinfo=zone) if since else utc_now()
    columns = plansvg.COLUMNS if svg else time_room(_width(), [f"  {name}" for name in chosen])
    drawn = _plan(configuration, chosen, frame_of(start, days, columns, zone), limit)
    if svg is not None:
        _write(svg, plansvg.svg(drawn))
    elif as_json:
        print_json(_document(configuration, drawn))
    else:
        for line in picture(drawn):
            out.print(line, soft_wrap=True)
        _tell_odd(configuration, set(chosen))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WorkerError(f"{file} cannot be written: {error.strerror}; name a file in a folder of yours") from None


def _tell_odd(configuration: Configuration, names: set[str]) -> None:
    """Tells what is odd about the schedules within a year; of very many that takes long, and is left to `check`."""
    if len(configuration.jobs) > _LINTED:
        warn(f"what is odd about {len(configuration.jobs):,} schedules: `worker check` tells")
        return
    for one in find_odd(configuration, utc_now()):
        if one.finding.job in names:
            warn(str(one))


def _tell_changes(configuration: Configuration, names: list[str], old: Path | None, *, as_json: bool) -> None:
    """Tells what becomes of the jobs, against a file or against what the daemon was configured with last."""
    if old is not None:
        before = plandiff.of_configuration(load(old))
    else:
        database = open_existing(configuration.database)
        try:
            before = plandiff.of_database(database)
        finally:
            database.close()
    after = plandiff.of_configuration(configuration)
    found = plandiff.changes(before, after, names)
    same = len({*before.texts, *after.texts}.intersection(names or {*before.texts, *after.texts})) - len(found)
    if as_json:
        print_json(plandiff.document(found, same))
        return
    for line in plandiff.told(found, same):
        out.print(line, soft_wrap=True)


def _plan(configuration: Configuration, names: list[str], frame: Frame, limit: int) -> Plan:
    zone, concurrency, wanted = configuration.worker.timezone, configuration.worker.concurrency, set(names)
    lanes = forecast(configuration.jobs, zone, frame, prospects(configuration))
    told = [lane for lane in lanes if lane.name in wanted]
    shown = [lane for lane in told if _has_a_place(lane)]
    return Plan(
        frame=frame,
        zone=zone,
        lanes=shown[:limit],
        absent=[lane for lane in told if not _has_a_place(lane)],
        collisions=[one for one in collisions(lanes, concurrency) if wanted.intersection(one.jobs)],
        changes=changes_of_clocks(told, zone, frame),
        at_once=at_once(lanes, frame),
        concurrency=concurrency,
        left_out=len(shown[limit:]),
    )


def _has_a_place(lane: Lane) -> bool:
    return bool(lane.total or lane.idle or not lane.counted)


def _width() -> int:
    return out.width if out.is_terminal or "COLUMNS" in os.environ else _IN_A_PIPE


def prospects(configuration: Configuration) -> dict[str, Prospect]:
    """Returns what the database knows of the jobs; nothing where there is none yet, or one of an older schema."""
    try:
        database = open_existing(configuration.database)
    except StoreUnreachable:
        return {}
    try:
        if schema.status(database).pending:
            return {}
        with database.read() as connection:
            takes = durations.typical_s(connection, configuration.jobs)
            rows = {row.name: row for row in jobs.listing(connection)}
            unusable = accounts.unusable(connection, utc_now())
    finally:
        database.close()
    return {
        name: Prospect(takes.get(name), _idle(rows.get(name), job.accounts & unusable.keys()))
        for name, job in configuration.jobs.items()
    }


def _idle(row: JobRow | None, blocked: Iterable[str]) -> str:
    if row is not None and row.paused_at is not None:
        why = f": {row.paused_why}" if row.paused_why else ""
        return f"paused by {row.paused_by}{why}"
    names = ", ".join(sorted(blocked))
    return f"account {names} cannot be used" if names else ""


def _document(configuration: Configuration, drawn: Plan) -> dict[str, Any]:
    frame = drawn.frame
    return {
        "since": frame.start,
        "until": frame.end,
        "jobs": [_lane(configuration, lane) for lane in (*drawn.lanes, *drawn.absent)],
        "collisions": [vars(one) for one in drawn.collisions],
        "clocks": [vars(change) for change in drawn.changes],
        "at_once": {"expected": max(drawn.at_once, default=0), "allowed": drawn.concurrency},
        "left_out": drawn.left_out,
    }


def _lane(configuration: Configuration, lane: Lane) -> Mapping[str, Any]:
    return {
        "job": lane.name,
        "schedule": describe_schedule(configuration, lane.name),
        "fires": lane.total if lane.counted else None,
        "next": lane.fires[0] if lane.fires else None,
        "ticks": lane.fires[:_IN_JSON],
        "takes_s": lane.prospect.takes_s,
        "idle": lane.idle or None,
    }
