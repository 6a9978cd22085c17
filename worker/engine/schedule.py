"""When a schedule is due: from a configured form to instants in UTC (pure).

Wall-clock forms keep the rule of `wallclock` over a change of clocks; `every` and `once` know no zone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from worker.engine.occurrences import Occurrences, Span
from worker.engine.shut import Entries, business_days
from worker.engine.wallclock import Rule, WallClock
from worker.engine.within import Within
from worker.model.cron import read_cron
from worker.model.days import falls_on, read_days, read_months
from worker.model.lengths import in_words
from worker.model.options import JobOptions
from worker.model.schedules import At, Cron, DayOfMonth, Dst, Every, Monthly, Once, Schedule

__all__ = ["Occurrences", "Span", "occurrences", "of_job", "wall_clock"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_LONGEST_HOLIDAY_DAYS = 60  # over which a day of the month is put off


def occurrences(
    schedule: Schedule, zone: ZoneInfo, name: str, dst: Dst = "once", holidays: Entries = ()
) -> Occurrences | None:
    """Returns when `schedule` is due for the job `name`; None for a schedule that no clock drives."""
    if isinstance(schedule, Every):
        return _Every(timedelta(seconds=schedule.every), timedelta(seconds=schedule.offset))
    if isinstance(schedule, Once):
        return _Once(schedule.once.astimezone(UTC))
    if isinstance(schedule, Cron):
        return _cron(read_cron(schedule.root, name).fields, zone, dst)
    if isinstance(schedule, At):
        return _at(schedule, zone, dst, holidays)
    return _monthly(schedule, zone, dst, holidays) if isinstance(schedule, Monthly) else None


def of_job(policy: JobOptions, zone: ZoneInfo, name: str) -> Occurrences | None:
    """Returns when a job is due, `zone` where it names none; None where no clock drives it.

    Ticks in its blackouts are among them: those are skipped with that reason, not left out (`shut.outside`).
    """
    own = policy.timezone or zone
    found = occurrences(policy.schedule, own, name, policy.dst, policy.holidays)
    hours = policy.hours
    return Within(found, hours.of, own, f", within {hours}") if found and hours else found


def wall_clock(policy: JobOptions, zone: ZoneInfo, name: str) -> WallClock | None:
    """Returns the clock of a job that is due by times of day, its hours left out of account; None for another."""
    found = occurrences(policy.schedule, policy.timezone or zone, name, policy.dst, policy.holidays)
    return found.clock if isinstance(found, _OnTheWall) else None


@dataclass(frozen=True)
class _Every(Occurrences):
    every: timedelta
    offset: timedelta

    def next_after(self, moment: datetime) -> datetime:
        start = _EPOCH + self.offset
        return start + ((moment - start) // self.every + 1) * self.every

    def span(self, since: datetime, until: datetime) -> Span | None:
        first = self.next_after(since)
        last = self.next_after(until) - self.every
        return Span(first, last, (last - first) // self.every + 1) if first <= until else None

    def describe(self) -> str:
        shift = f", {in_words(self.offset)} past" if self.offset else ""
        return f"every {in_words(self.every).removeprefix('1 ')}{shift}"


@dataclass(frozen=True)
class _Once(Occurrences):
    at: datetime

    def next_after(self, moment: datetime) -> datetime | None:
        return self.at if moment < self.at else None

    def describe(self) -> str:
        return f"once at {self.at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True)
class _OnTheWall(Occurrences):
    clock: WallClock
    words: str

    def next_after(self, moment: datetime) -> datetime | None:
        return self.clock.next_after(moment)

    def span(self, since: datetime, until: datetime) -> Span | None:
        first, last = self.clock.next_after(since), self.clock.last_until(until)
        if first is None or last is None or first > until:
            return None
        return Span(first, last, self.clock.count(since, until))

    def describe(self) -> str:
        return self.words


@lru_cache(maxsize=4096)
def _cron(fields: str, zone: ZoneInfo, dst: Dst) -> Occurrences:
    cron = read_cron(fields)
    return _OnTheWall(WallClock(Rule(cron.times, cron.on, cron.wild, dst), zone), f"{cron.describe()}, {zone}")


@lru_cache(maxsize=4096)
def _at(schedule: At, zone: ZoneInfo, dst: Dst, holidays: Entries) -> Occurrences:
    rules = frozenset(rule for words in schedule.days or ("mon-sun",) for rule in read_days(words))
    days = f"on {', '.join(schedule.days)}" if schedule.days else "every day"
    is_business, months = business_days(holidays, zone), _months(schedule.months)
    rule = Rule(schedule.at, lambda day: day.month in months and falls_on(day, rules, is_business), dst=dst)
    return _OnTheWall(WallClock(rule, zone), f"{_times(schedule.at, zone)} {days}{_of_year(schedule.months)}")


def _months(words: tuple[str, ...]) -> frozenset[int]:
    return frozenset(month for word in words or ("jan-dec",) for month in read_months(word))


def _of_year(months: tuple[str, ...]) -> str:
    return f" in {', '.join(months)}" if months else ""


@lru_cache(maxsize=4096)
def _monthly(schedule: Monthly, zone: ZoneInfo, dst: Dst, holidays: Entries) -> Occurrences:
    days = ", ".join(str(day) for day in schedule.monthly)
    rolled = f", or the {schedule.roll}" if schedule.roll else ""
    clock = WallClock(Rule(schedule.at, _monthly_rule(schedule, business_days(holidays, zone)), dst=dst), zone)
    of_months = _of_year(schedule.months) or " of each month"
    return _OnTheWall(clock, f"{_times(schedule.at, zone)} on day {days}{of_months}{rolled}")


def _monthly_rule(schedule: Monthly, is_business: Callable[[date], bool]) -> Callable[[date], bool]:
    """Returns what tells whether one of the schedule's days is a date, or was put off to it."""
    months = _months(schedule.months)
    back = -_DAY if schedule.roll == "next business day" else _DAY

    def is_named(day: date) -> bool:
        return day.month in months and _in_month(day, schedule.monthly)

    def falls(day: date) -> bool:
        if not is_business(day):
            return False
        named = is_named(day)
        for wanted in (day + n * back for n in range(1, _LONGEST_HOLIDAY_DAYS)):
            if named or is_business(wanted):
                break
            named = is_named(wanted)
        return named

    return falls if schedule.roll else is_named


def _in_month(day: date, days: tuple[DayOfMonth, ...]) -> bool:
    if day.day in days:
        return True
    ends = (day + _DAY).month != day.month
    return ends and any(wanted == "last" or wanted > day.day for wanted in days)


def _times(times: tuple[time, ...], zone: ZoneInfo) -> str:
    shown = (f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}" for at in times)
    return f"at {', '.join(shown)} {zone}"
