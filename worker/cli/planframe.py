"""How a span of time is cut into columns that fit, and what is written above them."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from worker.runs.forecast import Frame

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_STEPS = (
    *(_MINUTE * number for number in (1, 2, 5, 10, 15, 20, 30)),
    *(_HOUR * number for number in (1, 2, 3, 4, 6, 12)),
    *(_DAY * number for number in (1, 2, 7, 14, 28)),
)
_GRID = (*(_HOUR * number for number in (1, 2, 3, 6, 12)), *(_DAY * number for number in (1, 2, 7, 14, 28, 56)))
_MONDAY = datetime(2024, 1, 1)  # noqa: DTZ001  where a wall clock's weeks are counted from
_LABEL = 7  # columns that a label needs, its distance to the next one included


def frame_of(now: datetime, days: float, room: int, zone: ZoneInfo) -> Frame:
    """Returns the span from now on in at most `room` columns of a neat length, as the zone's clock has it."""
    span = timedelta(days=days)
    step = next((step for step in _STEPS if span <= step * room), _STEPS[-1])
    local = now.astimezone(zone)
    midnight = datetime.combine(local.date(), time(), zone)
    passed = (local.replace(tzinfo=None) - midnight.replace(tzinfo=None)) // step * step
    return Frame((midnight + passed).astimezone(UTC), step, min(-(-span // step), room))


def labels(frame: Frame, zone: ZoneInfo) -> dict[int, str]:
    """Returns what stands above which column: a date where a day begins, else the time of day."""
    grid = next((step for step in _GRID if step >= frame.step * _LABEL), _GRID[-1])
    shown = [frame.edge(column).astimezone(zone).replace(tzinfo=None) for column in range(frame.columns)]
    return {
        column: _label(shown[column], shown[column - 1])
        for column in range(1, frame.columns)
        if (shown[column] - _MONDAY) // grid > (shown[column - 1] - _MONDAY) // grid
    }


def _label(local: datetime, before: datetime) -> str:
    if local.date() == before.date():
        return f"{local:%H:%M}"
    return f"{local:%a} {local.day}" if local - before <= _DAY else f"{local.day} {local:%b}"


def in_words(length: timedelta) -> str:
    """Returns `20 minutes`, `3 hours` or `1 day`."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if not length % unit:
            count = length // unit
            return f"{count} {name}" if count == 1 else f"{count} {name}s"
    return str(length)
