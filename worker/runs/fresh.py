"""Runs as this node recorded them a moment ago: who starts one soon need not read its row."""

import threading
from collections import OrderedDict

from worker.model.records import Run

_MOST = 10_000  # runs, of half a kilobyte each


class Fresh:
    """Keeps runs from their claim to their start, the newest of them; safe for any number of threads.

    Until its first attempt nothing of a queued run changes but its state, which its start asks for.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._runs: OrderedDict[int, Run] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, run: Run) -> None:
        """Keeps a run that was recorded as queued."""
        with self._lock:
            self._runs[run.id] = run
            if len(self._runs) > self._most:
                self._runs.popitem(last=False)

    def take(self, run_id: int) -> Run | None:
        """Returns the run, which is kept no longer; None where its row is to be read."""
        with self._lock:
            return self._runs.pop(run_id, None)
