"""How moments, lengths of time and numbers are told to people."""

from datetime import UTC, datetime

_TENTHS_BELOW_S = 10.0


def clock(moment: datetime) -> str:
    """Returns a moment in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(seconds: float) -> str:
    """Returns a length of time in its largest fitting unit."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < _TENTHS_BELOW_S else whole(seconds)


def whole(seconds: float) -> str:
    """Returns a length of time as a whole number of its largest fitting unit."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds / 86_400:.0f}d"


def many(count: int, noun: str) -> str:
    """Returns a count with its noun."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
