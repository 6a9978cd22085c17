"""A lock that is given in the order it was asked for; one for each SQLite file in this process.

SQLite itself hands its write lock to whoever polls at the right moment: behind page transactions the ledger's
writer then waits seconds. In order, its wait is bounded by the transactions already queued.
"""

import threading
from collections import deque
from types import TracebackType
from weakref import WeakValueDictionary

from worker.model.errors import StoreError


class Turnstile:
    """A first-come-first-served lock; a thread that enters it twice gets StoreError instead of hanging."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._gates: deque[threading.Lock] = deque()
        self._taken = False
        self._owner: int | None = None

    @property
    def waiting(self) -> int:
        """How many threads stand in line."""
        return len(self._gates)

    def __enter__(self) -> None:
        if self._owner == threading.get_ident():
            raise StoreError(
                "A write transaction was asked for inside another one of the same thread; use the connection at hand."
            )
        self._pass(self._queue())
        self._owner = threading.get_ident()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hand_on()

    def _queue(self) -> threading.Lock:
        """Returns the gate to pass: open where the lock was free, else opened by whoever leaves before us."""
        gate = threading.Lock()
        with self._mutex:
            if self._taken:
                gate.acquire()
                self._gates.append(gate)
            self._taken = True
        return gate

    def _pass(self, gate: threading.Lock) -> None:
        try:
            gate.acquire()
        except BaseException:  # an interrupt: leave the line, or pass on what was just handed to us
            with self._mutex:
                queued = gate in self._gates
                if queued:
                    self._gates.remove(gate)
            if not queued:
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        with self._mutex:
            self._owner = None
            if self._gates:
                self._gates.popleft().release()  # stays taken: it is the next one's now
            else:
                self._taken = False


_turnstiles: WeakValueDictionary[str, Turnstile] = WeakValueDictionary()
_registry = threading.Lock()


def turnstile_of(path: str) -> Turnstile:
    """Returns the one turnstile of this file in this process; `path` is a real path."""
    with _registry:
        return _turnstiles.setdefault(path, Turnstile())
