"""Somebody who listens to a clock, and a wall clock that a test turns."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from worker.engine.schedule import Span
from worker.model.records import Tick


class Listener:
    """Keeps what the clock tells; `refuse` makes it raise."""

    def __init__(self) -> None:
        self.batches: list[list[Tick]] = []
        self.gaps: list[tuple[str, Span]] = []
        self.errors: list[tuple[str, Exception]] = []
        self.refuse: Exception | None = None
        self.heard = threading.Event()

    @property
    def ticks(self) -> list[Tick]:
        """Every tick told, in order."""
        return [tick for batch in self.batches for tick in batch]

    def on_due(self, ticks: Sequence[Tick]) -> None:
        """Takes the ticks, or raises."""
        if self.refuse is not None:
            raise self.refuse
        self.batches.append(list(ticks))
        self.heard.set()

    def on_gap(self, job: str, span: Span) -> None:
        """Takes a gap, or raises."""
        if self.refuse is not None:
            raise self.refuse
        self.gaps.append((job, span))

    def on_error(self, what: str, error: Exception) -> None:
        """Takes an error."""
        self.errors.append((what, error))


class Hands:
    """The hands of an injected wall clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Returns the time shown."""
        return self.now

    def turn(self, seconds: float) -> datetime:
        """Moves the time, in either direction, and returns it."""
        self.now += timedelta(seconds=seconds)
        return self.now
