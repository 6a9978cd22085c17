"""What a wall clock that is set back brings once more: the rule of docs/operations.md, for the checker (pure)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.model.records import AGAIN

_OFTEN = 2  # ticks in the time that comes again; a job that is due once in it waits


@dataclass(frozen=True)
class StepBack:
    """The wall clock was set back to `now`; `shown` is the latest that it had shown until then."""

    shown: datetime
    now: datetime

    def again(self, due: Sequence[datetime]) -> set[tuple[datetime, datetime]]:
        """Returns the ticks of a job that come again, each with the first one that was not told before."""
        start, stop = bisect_right(due, self.now), bisect_right(due, self.shown)
        if stop - start < _OFTEN or stop == len(due):
            return set()
        return {(tick, due[stop]) for tick in due[start:stop]}

    def showed_twice(self, moment: datetime) -> bool:
        """Tells whether the wall clock showed a moment before and after."""
        return self.now <= moment <= self.shown


def until_of(cause: str) -> datetime | None:
    """Returns up to where ticks come again, where a run's cause says that its tick does: `tick:T/UNTIL`."""
    _, mark, until = cause.partition(AGAIN)
    return datetime.fromisoformat(until) if mark else None
