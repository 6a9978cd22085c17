"""How far the runs of this node have got, told while they work."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.model.events import RunProgress
from worker.model.listening import Events
from worker.model.moments import elapsed_s
from worker.runs.executor import Underway

TELL_S = 10.0  # between two lines about the same run


@dataclass
class Progress:
    """Tells of each run underway that moved on since it was told of."""

    underway: Callable[[], list[Underway]]
    events: Events
    now_s: Callable[[], float] = elapsed_s
    _told: dict[tuple[int, int], int] = field(default_factory=dict)  # pages by run and attempt

    def once(self) -> None:
        """Makes one round."""
        told = self._told
        self._told = {}
        for one in self.underway():
            run, counts = one.started.run, one.context.counts
            self._told[run.id, run.attempt] = counts.pages
            if counts.pages > told.get((run.id, run.attempt), 0):
                self.events.emit(_line(one, self.now_s() - one.began_s))


def _line(one: Underway, took_s: float) -> RunProgress:
    run, counts = one.started.run, one.context.counts
    per_s = counts.read / took_s if took_s > 0 else 0.0
    left = max(counts.expected - counts.read, 0) if counts.expected is not None else None
    return RunProgress(
        run.job,
        run.id,
        run.attempt,
        round(took_s, 3),
        counts.pages,
        counts.read,
        counts.written,
        counts.rejected,
        round(per_s, 1),
        counts.expected,
        round(left / per_s, 1) if left is not None and per_s else None,
    )
