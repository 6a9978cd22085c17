"""Lengths of time in words."""

from datetime import timedelta

_UNITS = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}


def in_words(length: timedelta) -> str:
    """Returns `15 minutes`, `1 hour` or `1.5 seconds`: in the largest unit that divides the length."""
    name, unit = next((pair for pair in _UNITS.items() if not length % pair[1]), ("second", _UNITS["second"]))
    count = length / unit
    return f"{count:g} {name}" if count == 1 else f"{count:g} {name}s"
