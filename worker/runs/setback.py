"""A wall clock that is set back: runs that wait for a time would wait for what it showed before."""

from collections.abc import Callable
from datetime import datetime, timedelta

from worker.store import openruns
from worker.store.writer import Writer

LOOK_S = 1.0
_STEP = timedelta(seconds=5)  # by less, runs wait a little longer


class Setback:
    """Looks at the wall clock; `once` is one look."""

    def __init__(self, writer: Writer, now: Callable[[], datetime]) -> None:
        self._writer, self._now = writer, now
        self._shown = now()

    def once(self) -> int:
        """Lets waiting runs come earlier by what the clock went back, and returns how many; raises StoreError."""
        now, back, moved = self._now(), self._shown - self._now(), 0
        if back > _STEP:
            moved = self._writer.call(lambda connection: openruns.bring_forward(connection, back, now))
        self._shown = now
        return moved
