"""Words for days: `mon`, `mon-fri`, `weekday`, `weekend`, `last fri`, `1st mon` to `5th mon`."""

import re
from datetime import date, timedelta

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_GROUPS = {"weekday": "mon-fri", "weekend": "sat-sun"}
_NTH = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "last": -1}
_WORDS = re.compile(rf"(?:({'|'.join(_NTH)}) )?({'|'.join(_WEEK)})|({'|'.join(_WEEK)})-({'|'.join(_WEEK)})")
_WEEK_LONG = timedelta(days=7)

DayRule = tuple[int, int]  # weekday (0 is Monday), and which of the month: 1 to 5, -1 the last, 0 each


def read_days(words: str) -> frozenset[DayRule]:
    """Returns the rules the words stand for; raises ValueError that shows what may be written."""
    text = " ".join(words.lower().split())
    match = _WORDS.fullmatch(_GROUPS.get(text, text))
    if match is None:
        raise ValueError(f"expected days such as mon, mon-fri, weekday, last fri or 1st mon, found {words!r}")
    nth, day, first, last = match.groups()
    if day:
        return frozenset({(_WEEK.index(day), _NTH[nth] if nth else 0)})
    start = _WEEK.index(first)
    length = (_WEEK.index(last) - start) % 7 + 1
    return frozenset(((start + n) % 7, 0) for n in range(length))


def falls_on(day: date, rules: frozenset[DayRule]) -> bool:
    """Tells whether one of the rules means that date."""
    weekday = day.weekday()
    if (weekday, 0) in rules or (weekday, (day.day + 6) // 7) in rules:
        return True
    return (weekday, -1) in rules and (day + _WEEK_LONG).month != day.month
