"""The verb that says why a job ran, did not run, or will not."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import typer

from worker.cli.jobs import describe_schedule
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, in_reach, known, opened, run_named
from worker.cli.output import JsonFlag, clock, print_json
from worker.cli.rooms import room
from worker.cli.tables import paragraph
from worker.model.moments import utc_now
from worker.runs import explaining
from worker.runs.explaining import Facts
from worker.runs.hindrances import hindrances
from worker.runs.telling import Point, told
from worker.runs.upcoming import missing_hour, nearest, upcoming, why_no_row
from worker.store import pastruns, runs

app = room()

_AT_HELP = "Only the tick at or nearest to this time, such as 2026-11-23T02:30: in the job's zone, unless it names one."


@app.command(
    epilog="Examples: `worker explain tangoe-devices`, `worker explain orders --at 2026-03-29T02:30`, "
    "`worker explain 250696888751087767`"
)
def explain(
    job: Annotated[str, typer.Argument(help="A job's name, or the id of one run.")],
    at: Annotated[str | None, typer.Option(metavar="T", help=_AT_HELP)] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say why a job ran, did not run, or will not; and what to do about it.

    The JSON has `job`, `schedule`, and the lists `blocks`, `past`, `next` of statements, each with `kind`, `text`,
    `remedy` and `run`; with --at or of one run `asked` in their place.
    """
    with opened(config) as (configuration, database), database.read() as connection:
        run_id = run_named(job, configuration.jobs)
        run = None if run_id is None else runs.get(connection, run_id)
        name = run.job if run else job
        if not run and not pastruns.listing(connection, name, limit=1):
            known(name, configuration.jobs, "job")
        facts = explaining.read(database, connection, configuration, name, utc_now())
        schedule = describe_schedule(configuration, name) if facts.job else "not configured"
        parts: dict[str, list[Point]]
        if run:
            parts = {"asked": [told(explaining.of_run(connection, run), facts.cluster, facts.now)]}
        elif at:
            parts = {"asked": list(_at(connection, facts, at))}
        else:
            parts = _all(facts)
    if as_json:
        rows = {key: [_row(point) for point in points] for key, points in parts.items()}
        print_json({"job": name, "schedule": schedule, **rows})
    else:
        _print(facts, schedule, parts)


def _all(facts: Facts) -> dict[str, list[Point]]:
    blocks = hindrances(facts)
    past = [told(one, facts.cluster, facts.now) for one in facts.past]
    return {"blocks": blocks, "past": past, "next": upcoming(facts, blocks)}


def _at(connection: sa.Connection, facts: Facts, text: str) -> Iterator[Point]:
    zone = (facts.job.policy.timezone if facts.job else None) or facts.configuration.worker.timezone
    asked, remark = _moment(text, zone)
    if remark:
        yield Point("clocks", remark)
    tick: datetime | None = asked
    if facts.job is not None:
        found = nearest(facts.job, facts.configuration.worker.timezone, facts.due, asked)
        tick = found.tick
        if found.why_not:
            near = f"; the nearest tick is {clock(tick)}" if tick else ""
            yield Point("no tick", f"Nothing is due at {clock(asked)}: {found.why_not}{near}")
    if tick is not None:
        row = explaining.of_tick(connection, facts.name, tick)
        yield told(row, facts.cluster, facts.now) if row else why_no_row(facts, tick)


def _moment(text: str, zone: ZoneInfo) -> tuple[datetime, str | None]:
    """Returns the moment that was typed, and what there is to say of it; raises BadParameter, exit 2."""
    try:
        moment = in_reach(datetime.fromisoformat(text), "--at")
    except ValueError:
        message = f"--at: expected a date and a time such as 2026-11-23T02:30, found {text}"
        raise typer.BadParameter(message) from None
    if moment.tzinfo is not None:
        return moment, None
    return moment.replace(tzinfo=zone), missing_hour(moment, zone)


def _row(point: Point) -> dict[str, Any]:
    return {key: value for key, value in asdict(point).items() if key != "skips"}


_TITLES = {"asked": "", "blocks": "What stands in its way now", "past": "Lately", "next": "Next"}
_NOTHING = {"blocks": "nothing", "past": "it has no run yet", "next": "no tick is to come by the clock"}


def _print(facts: Facts, schedule: str, parts: dict[str, list[Point]]) -> None:
    accounts = f"; runs as {', '.join(sorted(facts.job.accounts))}" if facts.job and facts.job.accounts else ""
    paragraph(f"{facts.name}: {schedule}{accounts}", style="bold")
    for key, points in parts.items():
        if _TITLES[key]:
            paragraph("")
            paragraph(_TITLES[key], style="bold")
        _print_points(points, _NOTHING.get(key, ""))


def _print_points(points: Sequence[Point], nothing: str) -> None:
    if not points:
        paragraph(nothing, 2, "dim")
    for point in points:
        paragraph(point.text, 2)
        if point.remedy:
            paragraph(f"to do: {point.remedy}", 4, "cyan")
