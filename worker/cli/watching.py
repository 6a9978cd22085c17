"""A run watched from the request to its end, with live progress on a terminal."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from jobs.contract import Counts, WorkerError
from worker.cli.opening import is_daemon_alive
from worker.cli.output import err, many, span, warn
from worker.model.moments import utc_now
from worker.model.records import Attempt, Run, RunState
from worker.store import attempts, commands, runs
from worker.store.database import Database

_LOOK_EVERY_S = 0.2
_BAR_WIDTH = 20


@dataclass(frozen=True)
class View:
    """What one look at the database saw; no run until the daemon took the request."""

    run: Run | None
    attempt: Attempt | None
    alive: bool

    @property
    def counts(self) -> Counts:
        """What the running attempt has done so far."""
        return self.attempt.counts if self.attempt else Counts()


@dataclass(frozen=True)
class Watch:
    """Follows the run that a request becomes; `cause` is the run's, by default that of a request for a job."""

    database: Database
    job: str
    request: int
    cause: str = ""

    def found(self) -> Run | None:
        """Returns the run as it stands; None until the daemon took the request."""
        with self.database.read() as connection:
            return runs.by_cause(connection, self.job, self.cause or f"manual:{self.request}")

    def until_ended(self) -> Run:
        """Returns the run once it ended; raises WorkerError where the daemon refused the request."""
        with _display() as display:
            task = display.add_task(self.job, total=None, words="waits for the daemon")
            for view in self._views():
                if view.run is not None:
                    counts, words = view.counts, _words(view.run, view)
                    display.update(task, completed=counts.read, total=counts.expected, words=words)
                    if view.run.state.ended:
                        return view.run
        raise AssertionError("the views of a run end with the run")

    def _views(self) -> Iterator[View]:
        """Yields one look after the other, and warns once where nobody works."""
        warned = False
        while True:
            view = self._look()
            yield view
            if not view.alive and not warned:
                warned = True
                warn("no daemon works on this database; the run goes on when `worker run` is started")
            time.sleep(_LOOK_EVERY_S)

    def _look(self) -> View:
        with self.database.read() as connection:
            command = commands.get(connection, self.request)
            run = runs.by_cause(connection, self.job, self.cause or f"manual:{self.request}")
            tried = attempts.of_run(connection, run.id) if run else []
            alive = is_daemon_alive(self.database, connection)
        if command is not None and command.outcome not in (None, "done"):
            raise WorkerError(str(command.outcome))
        return View(run, tried[-1] if tried else None, alive)


def _words(run: Run, view: View) -> str:
    """Returns how far a run has got, in words."""
    if run.state is RunState.QUEUED:
        again = f"attempt {run.attempt + 1} " if run.attempt else ""
        return f"{again}waits ({run.reason})" if run.reason else f"{again}waits for its turn"
    counts = view.counts
    rejected = f", {counts.rejected:,} rejected" if counts.rejected else ""
    return f"{many(counts.pages, 'page')}, {counts.read:,} read{_rate(view)}{rejected}"


def _rate(view: View) -> str:
    if view.attempt is None or not view.counts.read:
        return ""
    seconds = ((view.attempt.ended_at or utc_now()) - view.attempt.started_at).total_seconds()
    return f" ({view.counts.read / seconds:,.0f}/s)" if seconds > 0 else ""


class _TimeLeft(TimeRemainingColumn):
    """The time left, where the far end said how much there is."""

    def render(self, task: Task) -> Text:
        """Returns a text, empty where nothing is known."""
        left = task.time_remaining if task.total is not None else None
        return Text(f"{span(left)} left" if left else "", style="cyan")


def _display() -> Progress:
    words = TextColumn("{task.fields[words]}")
    columns = (SpinnerColumn(), TextColumn("[bold]{task.description}"), BarColumn(bar_width=_BAR_WIDTH), words)
    return Progress(*columns, TimeElapsedColumn(), _TimeLeft(), console=err, transient=True)
