"""What the demo shows while it runs: each run as it ends, with the account's token generations."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.text import Text

from worker.cli.output import many, out, span
from worker.cli.tables import STYLES
from worker.model.moments import utc_now
from worker.model.records import Run, RunState
from worker.store import pastruns, tokens
from worker.store.database import Database


class Progress:
    """Follows the ledger; `show_news` prints what ended since the last look."""

    def __init__(self, database: Database, jobs: Mapping[str, Sequence[str]]) -> None:
        """Takes the jobs, each with those that it runs after."""
        self._database = database
        self._jobs = jobs
        self._told: set[int] = set()
        self._generations: dict[str, int] = {}
        self.ended: list[Run] = []
        self._look()

    def _look(self) -> tuple[list[Run], dict[str, int]]:
        with self._database.read() as connection:
            found = pastruns.listing(connection, limit=500)
            generations = {row.account: row.generation for row in tokens.listing(connection)}
        return [run for run in reversed(found) if run.state.ended], generations

    def show_news(self) -> None:
        """Prints runs that ended and tokens that were renewed since the last look."""
        ended, generations = self._look()
        for account, generation in sorted(generations.items()):
            if generation != self._generations.get(account, 0):
                out.print(Text(f"  {account:<20}  token      generation {generation}", style="cyan"))
        self._generations = generations
        for run in ended:
            if run.id not in self._told:
                self._told.add(run.id)
                out.print(_line(run), soft_wrap=True)
        self.ended = ended

    def quiet_since(self) -> datetime:
        """Returns now: runs that start from here on see a far end that no longer changes."""
        return utc_now()

    def all_succeeded_since(self, moment: datetime) -> bool:
        """Tells whether every job has a successful run that began after `moment`, and after those it waits for."""
        return all(self._settled(job, moment) for job in self._jobs)

    def _settled(self, job: str, moment: datetime) -> datetime | None:
        """Returns when the first such run of a job ended; None where there is none yet."""
        before = [self._settled(other, moment) for other in self._jobs[job]]
        begin = [moment, *(end for end in before if end is not None)]
        if len(begin) <= len(before):
            return None
        ends = (
            run.finished_at
            for run in self.ended
            if (run.job, run.state) == (job, RunState.SUCCEEDED) and run.started_at and run.started_at > max(begin)
        )
        return next(ends, None)

    def outcomes(self) -> Counter[tuple[str, RunState]]:
        """Returns how many runs of each job ended in each state."""
        return Counter((run.job, run.state) for run in self.ended)


def _line(run: Run) -> Text:
    """Returns one run on one line of 80 columns."""
    text = Text(f"  {run.job:<20}  ") + Text(f"{run.state:<9}", style=STYLES.get(run.state, ""))
    if not run.started_at or not run.finished_at:
        return text + Text(f"  {run.reason or ''}")
    took = span((run.finished_at - run.started_at).total_seconds())
    counts = run.counts
    text += Text(f"{counts.read:>6,} read {counts.written:>5,} written ")
    rejected = Text(f"{counts.rejected:>2,} rejected", "yellow")
    text += rejected if counts.rejected else Text(f"{many(run.calls, 'call'):>11}")
    return text + Text(f" {took:>7}") + Text(f"  {run.error}" if run.error else "", style="red")
