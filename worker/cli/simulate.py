"""The verb that lets jobs go through a span of time in advance."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from jobs.contract import Duration
from worker.cli.jobs import describe_schedule
from worker.cli.opening import DEFAULT_CONFIG, ConfigPath, in_reach, known
from worker.cli.output import JsonFlag, clock, err, many, number, out, print_json, span
from worker.cli.plan import prospects
from worker.cli.rooms import room
from worker.cli.tables import Column, listing
from worker.config.load import Configuration, load
from worker.engine.schedule import of_job
from worker.runs.collisions import changes_of_clocks
from worker.runs.forecast import Frame, Prospect, forecast
from worker.runs.lifetime import Circumstances, JobStory
from worker.runs.simulation import Simulation
from worker.store.scratch import Inline, scratch

app = room()

_UNKNOWN_S = 5.0  # a run of a job without history
_TOLD_EVERY_S = 1.0
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]

_COLUMNS = [
    Column("job"),
    Column("ticks", show=number, right=True),
    Column("runs", show=number, right=True),
    Column("succeeded", show=number, right=True, rank=6),
    Column("failed", show=number, right=True, rank=2),
    Column("attempts", show=number, right=True, rank=7),
    Column("overlaps", show=number, right=True, rank=1),
    Column("missed", show=number, right=True, rank=3),
    Column("skipped", show=number, right=True, rank=4),
    Column("nights", "DST nights", number, right=True, rank=8),
    Column("longest_wait_s", "longest wait", span, right=True, rank=5),
    Column("why", long=True),
]

_Jobs = Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Only these.", show_default=False)]
_Since = Annotated[datetime, typer.Option("--from", formats=_DATES, help="Begin there, by the worker's zone.")]
_Until = Annotated[datetime, typer.Option("--to", formats=_DATES, help="End there.")]
_Length = Annotated[str, typer.Option(metavar="LENGTH", help="How long a run takes; absent: as the last ones did.")]
_Fail = Annotated[str, typer.Option(metavar="SHARE", help="Attempts that fail, such as 5%.")]
_Down = Annotated[
    list[str] | None,
    typer.Option(metavar="START/LENGTH", help="The worker dies and comes back; may be repeated.", show_default=False),
]
_Seed = Annotated[int, typer.Option(metavar="N", help="Another seed, another course of chance.")]


@dataclass(frozen=True)
class _Asked:
    since: datetime
    until: datetime
    circumstances: Circumstances


@app.command(
    epilog="Example: `worker simulate --from 2027-01-01 --to 2028-01-01 --fail 5% --down 2027-03-28T00:00/6h orders`"
)
def simulate(  # noqa: PLR0913, PLR0917  the options of one verb
    since: _Since,
    until: _Until,
    names: _Jobs = None,
    duration: _Length = "",
    fail: _Fail = "0%",
    down: _Down = None,
    seed: _Seed = 0,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Let the schedules and policies run through a span of time in advance, and tell what became of each tick.

    Clock, ledger and policies are the daemon's own, on a database that is gone afterwards; nothing is sent and no job
    does its work. Made up are how long runs take, which fail, and when the worker is down.

    A tick takes some 3 ms: a year of one job that is due hourly half a minute, of one due every five minutes five
    minutes. Name the jobs that matter, or let it end sooner.
    """
    configuration = load(config)
    chosen = {known(name, configuration.jobs, "job") for name in names or configuration.jobs}
    zone = configuration.worker.timezone
    begin, finish = (
        in_reach(moment, option).replace(tzinfo=zone).astimezone(UTC)
        for option, moment in (("--from", since), ("--to", until))
    )
    if finish <= begin:
        raise typer.BadParameter("--to: expected a moment after --from")
    made_up = Circumstances(
        takes_s=_takes(configuration, duration),
        concurrency=configuration.worker.concurrency,
        failing=_share(fail),
        downs=[_downtime(text, configuration) for text in down or ()],
        seed=seed,
    )
    asked = _Asked(begin, finish, made_up)
    simulation, took_s = _lived(configuration, chosen, asked)
    rows = [_row(configuration, name, story, asked) for name, story in sorted(simulation.stories.items())]
    if as_json:
        print_json({"since": begin, "until": finish, "most_at_once": simulation.most_at_once, "jobs": rows})
        return
    listing(rows, _COLUMNS, as_json=False, empty="No job is configured.")
    ticks = sum(row["ticks"] for row in rows)
    out.print(f"\n{many(ticks, 'tick')} from {clock(begin)} to {clock(finish)} in {span(took_s)}", style="dim")
    allowed = configuration.worker.concurrency
    out.print(f"at most {many(simulation.most_at_once, 'run')} at once, of {allowed} that may be", style="dim")


def _lived(configuration: Configuration, chosen: set[str], asked: _Asked) -> tuple[Simulation, float]:
    jobs = {name: job for name, job in configuration.jobs.items() if name in chosen}
    began = time.monotonic()
    with scratch() as database:
        writer = Inline(database)
        simulation = Simulation(jobs, configuration.worker.timezone, writer, asked.circumstances, asked.since)
        simulation.run(asked.until, _progress(asked) if err.is_terminal else lambda _: None)
    return simulation, time.monotonic() - began


def _progress(asked: _Asked) -> Callable[[datetime], None]:
    """Returns what tells, once a second, how far it is and how long it will still take."""
    began = told = time.monotonic()

    def tell(now: datetime) -> None:
        nonlocal told
        moment = time.monotonic()
        if moment - told >= _TOLD_EVERY_S:
            told = moment
            share = (now - asked.since) / (asked.until - asked.since)
            left_s = (moment - began) * (1 - share) / max(share, 1e-6)
            sys.stderr.write(f"\r{share:4.0%}  {now:%Y-%m-%d}  about {span(left_s)} left   ")
            sys.stderr.flush()

    return tell


def _row(configuration: Configuration, name: str, story: JobStory, asked: _Asked) -> Mapping[str, Any]:
    reasons = dict(sorted(story.reasons.items()))
    return {
        "job": name,
        "schedule": describe_schedule(configuration, name),
        "ticks": story.ticks,
        "runs": story.runs,
        "attempts": story.attempts,
        **{state: story.states[state] for state in ("succeeded", "failed", "skipped", "missed")},
        "overlaps": reasons.get("overlap", 0),
        "nights": _nights(configuration, name, asked),
        "longest_wait_s": round(story.longest_wait_s, 3),
        "reasons": reasons,
        "why": ", ".join(f"{reason} {count:,}" for reason, count in reasons.items()),
    }


def _nights(configuration: Configuration, name: str, asked: _Asked) -> int:
    """Returns on how many nights the clocks of the job's zone change in that time."""
    job, zone = configuration.jobs[name], configuration.worker.timezone
    if of_job(job.policy, zone, name) is None:
        return 0
    frame = Frame(asked.since, asked.until - asked.since, 1)
    return len(changes_of_clocks(forecast({name: job}, zone, frame, {}), zone, frame))


def _takes(configuration: Configuration, text: str) -> Callable[[str], float]:
    if text:
        seconds = _length(text)
        return lambda _: seconds
    told: Mapping[str, Prospect] = prospects(configuration)

    def takes_s(job: str) -> float:
        known_s = told[job].takes_s if job in told else None
        return _UNKNOWN_S if known_s is None else known_s

    return takes_s


def _length(text: str) -> float:
    try:
        return TypeAdapter[float](Duration).validate_python(text)
    except ValidationError:
        raise typer.BadParameter(f"expected a length of time such as 30s or 2h, found {text}") from None


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not text.endswith("%") or not 0 <= share <= 1:
        raise typer.BadParameter(f"--fail: expected a share such as 5%, found {text}")
    return share


def _downtime(text: str, configuration: Configuration) -> tuple[datetime, datetime]:
    start, _, length = text.partition("/")
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise typer.BadParameter(f"--down: expected such as 2027-03-01T00:00/2h, found {text}") from None
    zone = configuration.worker.timezone
    begin = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    return begin, begin + timedelta(seconds=_length(length))
