"""The changes of a zone's clocks: when, and which local times they leave out or bring twice (pure)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from worker.engine.wallclock import is_plain, midnight

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class ClockChange:
    """One change: the instant, and what a clock on the wall is ahead of UTC before and after it."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def leaves_out(self) -> bool:
        """True where clocks go forward."""
        return self.after > self.before

    @property
    def odd(self) -> tuple[datetime, datetime]:
        """The local times, from and up to, that do not exist or come twice."""
        shown = self.at.replace(tzinfo=None)
        return shown + min(self.before, self.after), shown + max(self.before, self.after)


@lru_cache(maxsize=1024)
def changes(zone: ZoneInfo, since: datetime, until: datetime) -> tuple[ClockChange, ...]:
    """Returns the changes after `since` up to `until`, in order."""
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    days = (first + n * _DAY for n in range((last - first).days + 1))
    found = (_of(zone, midnight(day, zone), midnight(day + _DAY, zone)) for day in days if not is_plain(day, zone))
    return tuple(change for change in found if change and since < change.at <= until)


def _of(zone: ZoneInfo, early: datetime, late: datetime) -> ClockChange | None:
    """Returns the change between two instants, to the second."""
    before, after = _offset(zone, early), _offset(zone, late)
    if before == after:
        return None
    while late - early > _SECOND:
        middle = early + (late - early) // 2 // _SECOND * _SECOND
        early, late = (middle, late) if _offset(zone, middle) == before else (early, middle)
    return ClockChange(late, before, after)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).replace(tzinfo=UTC) - moment.astimezone(UTC)
