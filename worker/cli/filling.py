"""How far backfills have got: as a list, and watched to the end."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jobs.contract import WorkerError
from worker.cli.opening import is_daemon_alive, known
from worker.cli.output import ago, clock, err, out, span, warn
from worker.cli.tables import Column, listing
from worker.config.load import Configuration
from worker.model.moments import utc_now
from worker.model.records import Backfill, RunState
from worker.runs.backfilling import why_held
from worker.runs.candidates import backfill_causes
from worker.store import backfills, jobs, pastruns
from worker.store.database import Database

_BAR = 10  # columns
_LOOK_EVERY_S = 0.5
_INTERRUPTED = 130  # 128 + INT, as a shell says it

_COLUMNS = [
    Column("id", "backfill", right=True),
    Column("job"),
    Column("since", "from", clock, rank=4),
    Column("until", "to", clock, rank=3),
    Column("bar", "ticks", rank=5),
    Column("progress", "done", right=True),
    Column("failed", right=True, rank=2),
    Column("left_s", "left", span, right=True, rank=1),
    Column("at", "asked", ago, rank=6),
    Column("status", long=True),
]


@dataclass(frozen=True)
class BackfillProgress:
    """One backfill, and what became of its ticks so far."""

    backfill: Backfill
    states: Mapping[RunState, int]
    held: str  # why it waits; empty where it does not

    @property
    def done(self) -> int:
        """Ticks whose runs have ended."""
        return self.backfill.ticks - sum(count for state, count in self.states.items() if not state.ended)

    @property
    def failed(self) -> int:
        """Ticks whose runs did not succeed."""
        return sum(count for state, count in self.states.items() if state.ended) - self.states.get(
            RunState.SUCCEEDED, 0
        )

    def left_s(self, now: datetime) -> float | None:
        """Returns the seconds left at the pace so far; None where nothing tells."""
        if self.backfill.ended_at is not None or not self.done or self.held:
            return None
        took = (now - self.backfill.at).total_seconds()
        return took / self.done * (self.backfill.total - self.done)

    def row(self, now: datetime) -> dict[str, Any]:
        """Returns it as one row of a listing."""
        one, whole = self.backfill, self.backfill.total or 1
        full = round(_BAR * min(self.done / whole, 1.0))
        return {
            **asdict(one),
            "done": self.done,
            "failed": self.failed or None,
            "states": {str(state): count for state, count in self.states.items()},
            "left_s": self.left_s(now),
            "bar": "█" * full + "░" * (_BAR - full),
            "progress": f"{self.done:,}/{one.total:,}",
            "status": one.outcome or (f"waits: {self.held}" if self.held else "underway"),
        }


def listed(configuration: Configuration, database: Database, job: str | None, limit: int, *, as_json: bool) -> None:
    """Prints backfills, newest first; raises BadParameter for a job that is not configured and never had one."""
    with database.read() as connection:
        found = backfills.listing(connection, job, limit)
        alive = is_daemon_alive(database, connection)
    if job is not None and not found:
        known(job, configuration.jobs, "job")
    rows = [_standing(database, one, configuration).row(utc_now()) for one in found]
    if as_json:
        rows = [{key: value for key, value in row.items() if key not in ("bar", "progress")} for row in rows]
    listing(rows, _COLUMNS, as_json=as_json, empty="No backfill was asked for." if job is None else "No such backfill.")
    if not alive and any(one.ended_at is None for one in found):
        warn("no daemon works on this database; backfills go on when `worker run` is started")


def _standing(database: Database, one: Backfill, configuration: Configuration | None = None) -> BackfillProgress:
    definition = configuration.jobs.get(one.job) if configuration and one.ended_at is None else None
    with database.read() as connection:
        states = pastruns.states_of(connection, one.job, backfill_causes(one.id))
        row = jobs.get(connection, one.job) if definition else None
        held = why_held(connection, definition, row, utc_now()) if definition else ""
    return BackfillProgress(one, states, held)


def until_ended(database: Database, backfill_id: int) -> None:
    """Watches a backfill to its end; raises WorkerError where one of its runs did not succeed."""
    try:
        ended = _watched(database, backfill_id)
    except KeyboardInterrupt:
        warn("no longer watching; the backfill goes on, and `worker backfill` shows how far it has got")
        raise typer.Exit(_INTERRUPTED) from None
    if not str(ended.outcome).startswith("done"):
        raise WorkerError(f"backfill {backfill_id} {ended.outcome}; `worker history {ended.job}` tells more")
    out.print(f"backfill {backfill_id} {ended.outcome}", soft_wrap=True)


def _watched(database: Database, backfill_id: int) -> Backfill:
    columns = (TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as display:
        task = display.add_task("backfill", total=None)
        while True:
            with database.read() as connection:
                one = backfills.get(connection, backfill_id)
            if one is None:
                raise WorkerError(f"backfill {backfill_id} is gone")
            display.update(task, description=one.job, total=one.total, completed=_standing(database, one).done)
            if one.ended_at is not None:
                return one
            time.sleep(_LOOK_EVERY_S)
