"""What the demo shows while it runs: each run as it ends, with the account's token generations."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from worker.cli.output import many, out, span
from worker.cli.tables import STYLES
from worker.model.moments import utc_now
from worker.model.records import Run, RunState
from worker.store import runs, tokens
from worker.store.database import Database


class Progress:
    """Follows the ledger; `show_news` prints what ended since the last look."""

    def __init__(self, database: Database, jobs: Sequence[str]) -> None:
        self._database = database
        self._jobs = jobs
        self._told: set[int] = set()
        self._generations: dict[str, int] = {}
        self.ended: list[Run] = []
        self._look()

    def _look(self) -> tuple[list[Run], dict[str, int]]:
        with self._database.read() as connection:
            found = runs.listing(connection, limit=500)
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
        """Tells whether every job has a successful run that began after `moment`."""
        done = {
            run.job
            for run in self.ended
            if run.state is RunState.SUCCEEDED and run.started_at is not None and run.started_at > moment
        }
        return done >= set(self._jobs)

    def outcomes(self) -> Counter[tuple[str, RunState]]:
        """Returns how many runs of each job ended in each state."""
        return Counter((run.job, run.state) for run in self.ended)


def _line(run: Run) -> Text:
    """Returns one run on one line of 80 columns."""
    text = Text(f"  {run.job:<20}  ") + Text(f"{run.state:<9}", style=STYLES.get(run.state, ""))
    if not run.started_at or not run.finished_at:
        return text + Text(f"  {run.reason or ''}")
    took = span((run.finished_at - run.started_at).total_seconds())
    counts = f"{run.counts.read:>7,} read {run.counts.written:>6,} written {many(run.calls, 'call'):>9} {took:>7}"
    return text + Text(counts) + Text(f"  {run.error}" if run.error else "", style="red")
