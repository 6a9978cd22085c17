"""Schedules to draw, and zones whose clocks do odd things."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from worker.engine.schedule import Occurrences, occurrences
from worker.model.schedules import At, Cron, Every, Monthly, Schedule

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis wants naive bounds
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2037, 12, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
# Both hemispheres; changes of half an hour and of two, at midnight, backwards in winter, and none at all
ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago",
    "America/Scoresbysund", "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Kathmandu",
    "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin", "Europe/Dublin",
    "Pacific/Apia", "Pacific/Chatham", "Pacific/Easter", "UTC",
)  # fmt: skip


def due(schedule: Schedule, zone: str = "UTC", name: str = "job") -> Occurrences:
    """Returns the occurrences of a schedule that a clock drives."""
    found = occurrences(schedule, ZoneInfo(zone), name)
    assert found is not None
    return found


def utc(text: str) -> datetime:
    """Returns an instant written without its zone."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@cache
def changes(zone: str) -> list[datetime]:
    """Returns days on which the zone's clocks change, or one ordinary day."""
    tz = ZoneInfo(zone)
    days = [START + n * DAY for n in range((END - START).days)]
    found = [day for day in days if day.astimezone(tz).utcoffset() != (day + DAY).astimezone(tz).utcoffset()]
    return found or [START]


def schedules() -> st.SearchStrategy[Schedule]:
    """Draws schedules of every form that a clock drives."""
    times = st.lists(st.times().map(lambda t: t.replace(microsecond=0)), min_size=1, max_size=3).map(tuple)
    words = st.sampled_from(["mon", "weekday", "last fri", "1st mon", "sat-mon"])
    every = st.floats(60, 200_000).map(lambda s: round(s, 3))
    return st.one_of(
        crons().map(Cron),
        every.map(lambda s: Every(every=s, offset=s / 3)),
        st.builds(At, at=times, days=st.lists(words, max_size=2).map(tuple)),
        st.builds(Monthly, at=times, monthly=st.sampled_from([(1, "last"), (31,), (13, 29), ("last",)])),
    )


def crons() -> st.SearchStrategy[str]:
    """Draws crons whose fields meet changes of clocks."""
    return st.tuples(
        st.sampled_from(["*", "*/15", "0", "30", "15,45", "0-10/5", "59", "H", "*/7"]),
        st.sampled_from(["*", "*/2", "0", "1", "2", "3", "23", "1-3", "22-2", "0,2,3", "0-23"]),
        st.sampled_from(["*", "*", "*", "1", "*/2", "28-31", "13"]),
        st.sampled_from(["*", "*", "*", "mar-may", "oct-apr"]),
        st.sampled_from(["*", "*", "sun", "mon-fri", "sat-mon", "0", "7", "5,sat"]),
    ).map(" ".join)
