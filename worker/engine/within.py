"""Another schedule's instants, as far as the zone's clock shows them in what is open of each day (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from worker.engine.occurrences import Occurrences, Span
from worker.engine.wallclock import is_plain, midnight
from worker.model.portions import Openings, holds, whole

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_HORIZON = timedelta(days=10 * 366)


@dataclass(frozen=True)
class Within(Occurrences):
    """The instants of `inner` at which the zone's clock shows a time in one of the day's open portions."""

    inner: Occurrences
    openings: Openings
    zone: ZoneInfo
    words: str = ""

    def next_after(self, moment: datetime) -> datetime | None:
        """Returns the first instant strictly after `moment`; None if ten years bring none."""
        found = self.inner.next_after(moment)
        while found is not None and not self._is_open(found):
            if found > moment + _HORIZON:
                return None
            found = self.inner.next_after(max(self._opening(found) - _INSTANT, found))
        return found

    def span(self, since: datetime, until: datetime) -> Span | None:
        """Returns what lies after `since` up to and with `until`; what is open of a plain day is not walked."""
        first, last = (moment.astimezone(self.zone).date() for moment in (since, until))
        spans = [
            found
            for day in (first + n * _DAY for n in range(-1, (last - first).days + 2))
            for found in self._of_day(day, since, until)
        ]
        return Span(spans[0].first, spans[-1].last, sum(found.count for found in spans)) if spans else None

    def describe(self) -> str:
        """Returns the schedule in a few words."""
        return f"{self.inner.describe()}{self.words}"

    def _of_day(self, day: date, since: datetime, until: datetime) -> Iterator[Span]:
        """Yields the spans of what lies from a date's midnight to the next one's."""
        start, end = midnight(day, self.zone), midnight(day + _DAY, self.zone)
        if is_plain(day, self.zone):
            offset = start.replace(tzinfo=None) - whole(day)[0]
            pieces = [tuple((edge + offset).replace(tzinfo=UTC) for edge in open_) for open_ in self.openings(day)]
        else:
            pieces = [(start, end)]
        for begin, finish in pieces:
            found = self.inner.span(max(begin - _INSTANT, since), min(finish - _INSTANT, until))
            if found and not is_plain(day, self.zone):
                yield from (Span(at, at, 1) for at in self._open_ones(found))
            elif found:
                yield found

    def _open_ones(self, span: Span) -> Iterator[datetime]:
        at: datetime | None = span.first
        while at is not None and at <= span.last:
            if self._is_open(at):
                yield at
            at = self.inner.next_after(at)

    def _is_open(self, moment: datetime) -> bool:
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        return holds(self.openings(local.date()), local)

    def _opening(self, moment: datetime) -> datetime:
        """Returns where to look next after a moment that is not open: never beyond one that is."""
        local = moment.astimezone(self.zone)
        if not is_plain(local.date(), self.zone):
            return moment
        shown = local.replace(tzinfo=None)
        later = (start for start, _ in self.openings(shown.date()) if start > shown)
        opening = next(later, None)
        return moment + (opening - shown) if opening else midnight(shown.date() + _DAY, self.zone)
