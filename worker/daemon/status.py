"""How the daemon is, in one line: what `systemctl status` shows."""

from dataclasses import dataclass

from worker.model.moments import utc_now
from worker.wiring.build import Worker


@dataclass
class Status:
    """Tells; `note` stands behind the figures until it is taken away."""

    worker: Worker
    note: str = ""

    def __str__(self) -> str:
        """Returns the line."""
        pool, jobs = self.worker.pool, self.worker.live.book().jobs
        figures = f"{len(jobs)} jobs, {pool.busy} running, {pool.waiting} waiting, {self._upcoming()}"
        return f"{figures}; {self.note}" if self.note else figures

    def _upcoming(self) -> str:
        tick = self.worker.clock.next_tick()
        if tick is None:
            return "none is due by the clock"
        return f"next in {max((tick - utc_now()).total_seconds(), 0.0):.0f} s"
