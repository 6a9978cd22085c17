"""How fast one account may call: a token bucket, and a pause that all its callers share.

The bucket is this process's: several workers on one database each have their own.
"""

import threading
from collections.abc import Callable

from worker.model.moments import elapsed_s
from worker.model.values import RateLimit

_BURST = 5  # calls that may leave at once after a quiet while, at most
_BURST_SHARE = 10  # and at most a tenth of the limit


class TooLong(Exception):
    """The wait passes the caller's limit; nothing was reserved."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"{wait_s:.0f} s")
        self.wait_s = wait_s


class Limiter:
    """Gives each call a turn, first come, first served; never more calls than the limit in any span of its length.

    Kept as the time of the next free turn (the generic cell rate algorithm): a burst may run ahead of it, and the turns
    behind are so much further apart that burst and turns together stay within the limit.
    """

    def __init__(self, rate: RateLimit | None, clock: Callable[[], float] = elapsed_s) -> None:
        calls = rate.calls if rate else 1
        burst = min(_BURST, max(1, calls // _BURST_SHARE))
        self._gap_s = rate.per_s / (calls - burst + 1) if rate else 0.0
        self._ahead_s = (burst - 1) * self._gap_s
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0
        self._paused_until = 0.0
        self._pauses = 0

    def take(self, wait: Callable[[float], None], limit_s: float) -> None:
        """Returns at the caller's turn, waiting by `wait(seconds)`; raises TooLong where that would pass `limit_s`."""
        while True:
            wait_s, pauses = self._reserve(limit_s)
            if wait_s <= 0:
                return
            wait(wait_s)
            if pauses == self._pauses:  # else a pause began meanwhile, and this turn lies in it
                return

    def pause(self, seconds: float) -> None:
        """Holds every caller back for so many seconds from now; afterwards turns come one by one."""
        with self._lock:
            until = self._clock() + seconds
            if until > self._paused_until:
                self._paused_until = until
                self._next = max(self._next, until + self._ahead_s)
                self._pauses += 1

    def _reserve(self, limit_s: float) -> tuple[float, int]:
        with self._lock:
            now = self._clock()
            turn = max(now, self._next - self._ahead_s, self._paused_until)
            if turn - now > limit_s:
                raise TooLong(turn - now)
            self._next = max(self._next, turn) + self._gap_s
            return turn - now, self._pauses
