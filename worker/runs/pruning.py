"""History within its bounds: what the retention lets go is deleted, a little at a time."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from jobs.ids import id_at
from worker.model.events import HistoryPruned
from worker.model.listening import Events
from worker.model.options import RetentionOptions
from worker.store import retention
from worker.store.database import Database
from worker.store.retention import Part

PRUNE_S = 3600.0  # between two passes
PRUNE_AFTER_S = 60.0  # a start has other things to do
_AT_ONCE = 100  # rows in one transaction: SQLite's one write lock is held for some milliseconds
_LOOKED_AT = 1000  # runs in one look
_ASKED = 200  # jobs in one question for how many runs they have
_SILENT = timedelta(days=1)  # a node whose heart has not beaten for so long is not only slow


@dataclass(frozen=True)
class Pruned:
    """How many rows of each kind went, or would go."""

    runs: int = 0
    attempts: int = 0
    calls: int = 0
    rejects: int = 0
    commands: int = 0  # backfills included
    nodes: int = 0


@dataclass(frozen=True)
class Pruner:
    """Deletes what is older than the retention keeps; `once` is one pass.

    `write` runs one function in one transaction; each is short, so that others get their turn between two.
    """

    database: Database
    write: Callable[[Callable[[sa.Connection], int]], int]
    options: Callable[[], RetentionOptions]
    now: Callable[[], datetime]

    def once(self) -> Pruned:
        """Makes one pass and returns what went; raises StoreError where the database cannot be reached."""
        return self._pass(delete=True)

    def count(self) -> Pruned:
        """Returns what a pass would delete; attempts are not counted."""
        return self._pass(delete=False)

    def _pass(self, *, delete: bool) -> Pruned:
        gone: Counter[str] = Counter()
        for doomed in self._doomed_runs():
            gone.update(self._drop_runs(doomed) if delete else {"runs": len(doomed)})
        for table in retention.BY_ID:
            kind = "commands" if table == "backfills" else table
            gone[kind] += self._drop(table) if delete else self._count(table)
        gone["nodes"] = self._nodes(delete=delete)
        return Pruned(**gone)

    def _before(self, kind: str) -> int:
        """Returns the id below which rows of a kind are old."""
        options = self.options()
        kept_s = {"calls": options.calls, "rejects": options.rejects}.get(kind, options.runs)
        return id_at(self.now() - timedelta(seconds=kept_s))

    def _doomed_runs(self) -> Iterator[list[int]]:
        """Yields the runs that are old, then those of which a job has too many, in parts for one transaction each."""
        old = self._before("runs")
        yield from self._parts(lambda connection, after: retention.old_runs(connection, old, after, _LOOKED_AT))
        for job, oldest in self._oldest_kept():
            if oldest is not None:
                yield from self._surplus(job, oldest, old)

    def _oldest_kept(self) -> Iterator[tuple[str, int | None]]:
        keep, after = self.options().runs_per_job, ""
        while True:
            with self.database.read() as connection:
                found = retention.oldest_kept(connection, keep, after, _ASKED)
            yield from found
            if len(found) < _ASKED:
                return
            after = found[-1][0]

    def _surplus(self, job: str, oldest: int, old: int) -> Iterator[list[int]]:
        return self._parts(
            lambda connection, after: retention.surplus_runs(connection, job, oldest, after, _LOOKED_AT), old - 1
        )

    def _parts(self, look: Callable[[sa.Connection, int], Part], after: int = -1) -> Iterator[list[int]]:
        last: int | None = after
        while last is not None:
            with self.database.read() as connection:
                part = look(connection, last)
            for start in range(0, len(part.doomed), _AT_ONCE):
                yield list(part.doomed[start : start + _AT_ONCE])
            last = part.last

    def _drop_runs(self, doomed: list[int]) -> dict[str, int]:
        tried: list[int] = []

        def drop(connection: sa.Connection) -> int:
            runs, attempts = retention.drop_runs(connection, doomed)
            tried[:] = [attempts]
            return runs

        return {"runs": self.write(drop), "attempts": sum(tried)}

    def _drop(self, table: str) -> int:
        before, total = self._before(table), 0
        while gone := self.write(lambda connection: retention.drop(connection, table, before, _AT_ONCE)):
            total += gone
        return total

    def _count(self, table: str) -> int:
        with self.database.read() as connection:
            return retention.count(connection, table, self._before(table))

    def _nodes(self, *, delete: bool) -> int:
        with self.database.read() as connection:
            silent = self.database.lease_now(connection) - _SILENT
            doomed = retention.dead_nodes(connection, self._before("nodes"), silent)
        return self.write(lambda connection: retention.drop_nodes(connection, doomed)) if delete else len(doomed)


def told(pruner: Pruner, events: Events) -> None:
    """Makes one pass and tells what went, if anything did."""
    pruned = asdict(pruner.once())
    if any(pruned.values()):
        events.emit(HistoryPruned(**pruned))
