"""The verb that makes runs of the ticks of a span of the past, and lists how far each such backfill has got."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from jobs.contract import Json, seconds
from worker.cli.asking import Params, parameters
from worker.cli.filling import listed, until_ended
from worker.cli.opening import DEFAULT_CONFIG, LARGEST_ID, ConfigPath, in_reach, known, opened
from worker.cli.orders import Order, Wait
from worker.cli.output import JsonFlag, Limit
from worker.cli.rooms import room
from worker.config.load import Configuration
from worker.model.lengths import in_words
from worker.model.moments import utc_now
from worker.runs.verbs_backfill import EVERY_S, PAUSE_S

app = room()

_Job = Annotated[str | None, typer.Argument(metavar="JOB", help="The job; alone: only its backfills are listed.")]
_From = Annotated[str | None, typer.Option("--from", metavar="T", help="Where it begins; in the job's zone if none.")]
_To = Annotated[str | None, typer.Option("--to", metavar="T", help="Where it ends; absent: now.")]
_Every = Annotated[str | None, typer.Option(metavar="1d", help="Windows of this length, not the schedule's.")]
_AtOnce = Annotated[int, typer.Option(min=1, max=100, metavar="N", help="Runs that may wait or run at once.")]
_Pause = Annotated[str | None, typer.Option(metavar="10s", help="Between the starts of two runs.")]
_Cancel = Annotated[
    int | None, typer.Option(max=LARGEST_ID, metavar="ID", help="End this backfill, and its runs that are open.")
]


@dataclass(frozen=True)
class _Wanted:
    """What was typed of one backfill."""

    since: str | None
    until: str | None
    every: str | None
    at_once: int
    pause: str | None
    params: list[str]

    @property
    def is_listing(self) -> bool:
        """True where nothing was said but whose are to be listed."""
        return not (self.since or self.until or self.every or self.pause or self.params)

    def arguments(self, zone: ZoneInfo) -> dict[str, Json]:
        """Returns them as the daemon takes them; raises BadParameter."""
        if self.since is None:
            raise typer.BadParameter("expected where the backfill begins, such as --from 2026-01-31")
        until = _moment(self.until, zone, "--to") if self.until else utc_now()
        return {
            "since": _moment(self.since, zone, "--from").isoformat(),
            "until": until.isoformat(),
            "every_s": _seconds(self.every, "--every", EVERY_S),
            "at_once": self.at_once,
            "pause_s": _seconds(self.pause, "--pause", PAUSE_S),
            "params": parameters(self.params) or None,
        }


@app.command(
    epilog="Examples: `worker backfill orders --from 2026-01-01 --to 2026-02-01 --every 1d`, "
    "`worker backfill`, `worker backfill --cancel 250696888751087767`"
)
def backfill(  # noqa: PLR0913, PLR0917  one for each option
    job: _Job = None,
    since: _From = None,
    until: _To = None,
    every: _Every = None,
    at_once: _AtOnce = 1,
    pause: _Pause = None,
    param: Params = None,
    cancel: _Cancel = None,
    limit: Limit = 20,
    config: ConfigPath = DEFAULT_CONFIG,
    *,
    wait: Wait = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a job for the ticks of a span of the past, or list backfills and how far each has got.

    Each tick after --from, up to and with --to, becomes a run whose window is what lies between the tick before and
    it: oldest first, behind all other runs of the job. It goes on after a restart where it was, and waits while the
    job is paused. No cursor is read or moved. With --wait this ends when it has. The JSON of the list has the columns
    of the table `backfills` (docs/database.md), and done, failed, states, left_s and status.
    """
    wanted = _Wanted(since, until, every, at_once, pause, param or [])
    with opened(config) as (configuration, database):
        if cancel is not None:
            Order.post(database, "backfill cancel", str(cancel), {}).tell(wait=wait, as_json=as_json)
        elif wanted.is_listing:
            listed(configuration, database, job, limit, as_json=as_json)
        else:
            name, zone = _job(configuration, job)
            order = Order.post(database, "backfill", name, wanted.arguments(zone))
            if order.tell(wait=wait, as_json=as_json) and wait:
                until_ended(database, order.request)


def _job(configuration: Configuration, job: str | None) -> tuple[str, ZoneInfo]:
    """Returns the job and its zone; raises BadParameter."""
    if job is None:
        raise typer.BadParameter("name the job", param_hint="JOB")
    name = known(job, configuration.jobs, "job")
    return name, configuration.jobs[name].policy.timezone or configuration.worker.timezone


def _moment(text: str, zone: ZoneInfo, option: str) -> datetime:
    """Returns a time in UTC; one without a zone is meant in this one. Raises BadParameter."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        expected = "expected a date or a time such as 2026-01-31 or 2026-01-31T08:00:00Z"
        raise typer.BadParameter(f"{expected}, found {text!r}", param_hint=option) from None
    in_reach(moment, option)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _seconds(text: str | None, option: str, bounds: tuple[float, float]) -> float | None:
    if text is None:
        return None
    try:
        length = seconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    least, most = bounds
    if not least <= length <= most:
        expected = f"expected {in_words(timedelta(seconds=least))} to {in_words(timedelta(seconds=most))}"
        raise typer.BadParameter(f"{expected}, found {text}", param_hint=option)
    return length
