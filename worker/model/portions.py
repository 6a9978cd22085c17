"""Portions of one date, as a clock on the wall shows them: joined, turned round, asked (pure)."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta

Portion = tuple[datetime, datetime]
"""From a local time up to, and without, another one of the same date or its end; both without a zone."""

Portions = tuple[Portion, ...]
"""Of one date, in order; no two meet."""

Openings = Callable[[date], Portions]

_DAY = timedelta(days=1)


def whole(day: date) -> Portion:
    """Returns the date from midnight to midnight."""
    start = datetime.combine(day, time())
    return start, start + _DAY


def clipped(start: datetime, end: datetime, day: date) -> Portions:
    """Returns what of a span of local time lies on a date."""
    first, last = whole(day)
    start, end = max(start, first), min(end, last)
    return ((start, end),) if start < end else ()


def joined(portions: Iterable[Portion]) -> Portions:
    """Returns portions of one date in order; those that overlap or meet become one."""
    found: list[Portion] = []
    for start, end in sorted(portions):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def others(portions: Portions, day: date) -> Portions:
    """Returns what the portions leave of their date."""
    first, last = whole(day)
    edges = [first, *(edge for portion in portions for edge in portion), last]
    return tuple((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end)


def holds(portions: Portions, local: datetime) -> bool:
    """Tells whether a local time lies in one of the portions."""
    return any(start <= local < end for start, end in portions)
