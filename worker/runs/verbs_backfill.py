"""The verbs that begin and end a backfill; `backfilling` does what one asks for."""

from datetime import datetime

import sqlalchemy as sa
from pydantic import AwareDatetime, Field

from jobs.contract import Json
from jobs.registry import job_class
from worker.config.configuration import JobDefinition
from worker.model.moments import FIRST_YEAR
from worker.model.records import Backfill
from worker.runs.backfilling import OPEN_AT_MOST, ticks_between
from worker.runs.cancelling import ask
from worker.runs.candidates import backfill_causes
from worker.runs.desk import Act, Arguments, Desk, Done, Refused
from worker.store import backfills, openruns

_MOST_TICKS = 100_000
_DAY_S = 86_400.0
EVERY_S = (1.0, 366 * _DAY_S)
PAUSE_S = (0.0, 30 * _DAY_S)


class Filling(Arguments):
    """Arguments of `backfill`."""

    since: AwareDatetime
    until: AwareDatetime
    every_s: float | None = Field(default=None, ge=EVERY_S[0], le=EVERY_S[1])
    at_once: int = Field(default=1, ge=1, le=100)
    pause_s: float = Field(default=0.0, ge=PAUSE_S[0], le=PAUSE_S[1])
    params: dict[str, Json] = Field(default_factory=dict)


def backfill(desk: Desk) -> Act:
    """Begins a backfill: the ticks after `since`, up to and with `until`, become runs."""
    job, wanted = desk.job, desk.arguments(Filling)
    total = _ticks(job, wanted, desk.now)
    if problem := job_class(job.type)(job.options).backfill_problem(wanted.params):
        raise Refused(f"a backfill of {job.name} makes no sense: {problem}")
    one = Backfill(
        id=desk.command.id,
        job=job.name,
        told_until=wanted.since,
        by=desk.command.by,
        at=desk.now,
        total=total,
        **wanted.model_dump(),
    )

    def act(connection: sa.Connection) -> Done:
        if others := backfills.opened(connection, job.name):
            raise Refused(f"the backfill {others[0].id} of {job.name} is underway; `worker backfill` lists it")
        backfills.add(connection, one)
        return Done(f"done: {total:,} tick{'' if total == 1 else 's'}; `worker backfill` shows how far it has got")

    return act


def _ticks(job: JobDefinition, wanted: Filling, now: datetime) -> int:
    """Returns how many ticks a span holds; raises Refused where it holds none, too many, or the future."""
    if not wanted.since < wanted.until <= now:
        raise Refused(f"expected since before until, and until in the past, found {wanted.since} to {wanted.until}")
    if wanted.since.year < FIRST_YEAR:
        raise Refused(f"expected since in the year {FIRST_YEAR} or later, found {wanted.since}")
    total = ticks_between(job, wanted.since, wanted.until, wanted.every_s)
    if total is None:
        raise Refused(f"no clock drives {job.name}: say how long each run's window is, such as --every 1d")
    if not 0 < total <= _MOST_TICKS:
        more = "none" if not total else f"{total:,}"
        raise Refused(f"expected 1 to {_MOST_TICKS:,} ticks between {wanted.since} and {wanted.until}, found {more}")
    return total


def cancel_backfill(desk: Desk) -> Act:
    """Ends a backfill, and its runs that are open."""
    desk.arguments(Arguments)
    backfill_id, by = desk.id_named, desk.command.by

    def act(connection: sa.Connection) -> Done:
        one = backfills.get(connection, backfill_id) if backfill_id is not None else None
        if one is None:
            raise Refused(f"there is no backfill {desk.command.target:.200}; `worker backfill` lists them")
        if not backfills.end(connection, one.id, desk.now, f"cancelled by {by}"):
            raise Refused(f"the backfill {one.id} of {one.job} has ended already: {one.outcome}")
        mine = [
            run
            for run in openruns.open_of(connection, one.job, OPEN_AT_MOST)
            if run.cause.startswith(backfill_causes(one.id))
        ]
        asked = [ask(connection, desk.book, run.id, by, desk.now) for run in mine]
        return Done(f"done: {one.ticks:,} of {one.total:,} ticks had their runs", ended=[one.ended for one in asked])

    return act
