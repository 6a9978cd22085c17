"""Hands what is due to the clock's callbacks: in order, all that waits at once, until it is taken."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from worker.engine.schedule import Span
from worker.model.records import Tick

_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 5.0
_FULL = 10_000  # ticks; the clock pauses above this, so that a database that is away for days costs no memory

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gap:
    """More instants of one job fell due at once than are worth telling one by one."""

    job: str
    span: Span


@dataclass(frozen=True)
class Callbacks:
    """Who is told of due ticks, of ticks missed in a row, and of what failed (in words, and why)."""

    on_due: Callable[[Sequence[Tick]], None]
    on_gap: Callable[[str, Span], None]
    on_error: Callable[[str, Exception], None]

    def failed(self, what: str, error: Exception) -> None:
        """Tells `on_error`; logs where even that fails."""
        try:
            self.on_error(what, error)
        except Exception:  # noqa: BLE001  the clock outlives its listeners
            _log.exception("on_error failed", extra={"what": what})


class Handover:
    """A queue whose items leave it only after a callback returned."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._waiting: list[Tick | Gap] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="clock-handover", daemon=True)

    @property
    def waiting(self) -> int:
        """How much waits."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """True while so much waits that no more should come."""
        return self.waiting >= _FULL

    def put(self, due: Iterable[Tick | Gap]) -> None:
        """Adds what has fallen due."""
        with self._changed:
            self._waiting.extend(due)
            self._changed.notify()

    def start(self) -> None:
        """Starts the thread that hands over."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Offers once more what waits, and ends; returns whether the thread ended in time."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def once(self) -> int:
        """Hands over what waits now; at a failure the rest stays. Returns how many items were taken."""
        with self._changed:
            batch = list(self._waiting)
        taken = 0
        try:
            for gap, items in groupby(batch, key=_gap):
                group = list(items)
                self._give(gap, group)
                taken += len(group)
            self._failures = 0
        except Exception as error:  # noqa: BLE001  whatever it was, the ticks are kept and the listener is told
            self._failures += 1
            self._callbacks.failed(f"{len(batch) - taken} due ticks could not be handed over and are kept", error)
        with self._changed:
            del self._waiting[:taken]
        return taken

    def _give(self, gap: Gap | None, items: Sequence[Tick | Gap]) -> None:
        if gap is not None:
            self._callbacks.on_gap(gap.job, gap.span)
        else:
            self._callbacks.on_due([tick for tick in items if isinstance(tick, Tick)])

    def _work(self) -> None:
        while self._has_work():
            self.once()
        self.once()  # what fell due before the stop; what fails now, the next start computes as missed

    def _has_work(self) -> bool:
        """Waits for something to hand over, or for the pause after a failure; returns False once stopped."""
        with self._changed:
            if self._failures:
                pause_s = min(_FIRST_BACKOFF_S * 2 ** min(self._failures - 1, 10), _LONGEST_BACKOFF_S)
                self._changed.wait_for(lambda: self._stopping, pause_s)
            else:
                self._changed.wait_for(lambda: self._stopping or bool(self._waiting))
            return not self._stopping


def _gap(item: Tick | Gap) -> Gap | None:
    return item if isinstance(item, Gap) else None
