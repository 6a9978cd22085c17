"""What every schedule that a clock drives can be asked."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Span:
    """Several instants in a row, told by the first, the last and their number."""

    first: datetime
    last: datetime
    count: int


class Occurrences(ABC):
    """The instants at which one schedule is due: UTC, strictly increasing; safe to share by threads."""

    @abstractmethod
    def next_after(self, moment: datetime) -> datetime | None:
        """Returns the first instant strictly after `moment`; None if there is no more."""

    @abstractmethod
    def describe(self) -> str:
        """Returns the schedule in a few words."""

    def between(self, since: datetime, until: datetime, limit: int) -> list[datetime]:
        """Returns the instants after `since` up to and with `until`, at most the first `limit` of them."""
        found: list[datetime] = []
        upcoming = self.next_after(since)
        while upcoming is not None and upcoming <= until and len(found) < limit:
            found.append(upcoming)
            upcoming = self.next_after(upcoming)
        return found

    def span(self, since: datetime, until: datetime) -> Span | None:
        """Returns what lies after `since` up to and with `until`, without a limit; None if nothing does."""
        first = last = self.next_after(since)
        if first is None or last is None or first > until:
            return None
        count = 1
        while (upcoming := self.next_after(last)) is not None and upcoming <= until:
            last, count = upcoming, count + 1
        return Span(first, last, count)
