"""Time and ids: one way to ask for each."""

import itertools
import random
import threading
import time
from datetime import UTC, datetime

from jobs.ids import EPOCH_MS, SEQUENCE_BITS

FIRST_YEAR, LAST_YEAR = 1900, 9000  # of what people ask for; zones reach beyond the ends of the calendar, 1 and 9999


def utc_now() -> datetime:
    """Returns the wall clock's time, aware, in UTC."""
    return datetime.now(UTC)


def elapsed_s() -> float:
    """Returns seconds of a clock that never jumps and that counts a suspended machine's sleep (CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class IdMaker:
    """Makes 63-bit ids that grow with time, unique here and, by a random start each millisecond, elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._sequence = itertools.count()
        self._chance = random.Random()  # noqa: S311  seeded by the system once; an id is no secret

    def __call__(self) -> int:
        """Returns a new id."""
        with self._lock:
            now_ms = time.time_ns() // 1_000_000
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                self._sequence = itertools.count(self._chance.getrandbits(SEQUENCE_BITS - 1))
            return (self._last_ms - EPOCH_MS << SEQUENCE_BITS) + next(self._sequence)


new_id = IdMaker()
