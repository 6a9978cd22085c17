"""Words for days and months.

Days: `mon`, `mon-fri`, `weekday`, `weekend`, `last fri`, `1st mon`, `business`, `3rd business`.
Months: `mar`, `oct-feb`.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_YEAR = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_GROUPS = {"weekday": "mon-fri", "weekend": "sat-sun"}
_DAY = "|".join(_WEEK)
_WORDS = re.compile(
    rf"(?:(?P<nth>last|\d{{1,2}}(?:st|nd|rd|th)) )?(?:(?P<day>{_DAY})|(?P<business>business)(?: day)?)"
    rf"|(?P<first>{_DAY})-(?P<last>{_DAY})"
)
_ENDINGS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}
_MOST_OF_MONTH, _MOST_BUSINESS_DAYS = 5, 23
_ONE_DAY = timedelta(days=1)
_WEEK_LONG = timedelta(days=7)
_SATURDAY = 5

BUSINESS = 7  # in the place of a weekday: any from Monday to Friday that is no holiday
DayRule = tuple[int, int]  # weekday (0 is Monday), and which of the month: from 1, -1 the last, 0 each


def weekday_of(word: str) -> int:
    """Returns 0 for `mon` to 6 for `sun`."""
    return _WEEK.index(word)


def read_days(words: str) -> frozenset[DayRule]:
    """Returns the rules the words stand for; raises ValueError that shows what may be written."""
    text = " ".join(words.lower().split())
    match = _WORDS.fullmatch(_GROUPS.get(text, text))
    nth = _nth(match["nth"], business=bool(match["business"])) if match else None
    if match is None or nth is None:
        known = "mon, mon-fri, weekday, last fri, 1st mon, business or last business"
        raise ValueError(f"expected days such as {known}, found {words!r}")
    if match["first"]:
        start = _WEEK.index(match["first"])
        length = (_WEEK.index(match["last"]) - start) % 7 + 1
        return frozenset(((start + n) % 7, 0) for n in range(length))
    return frozenset({(BUSINESS if match["business"] else _WEEK.index(match["day"]), nth)})


def _nth(word: str | None, *, business: bool) -> int | None:
    """Returns which of the month a word means, 0 without one; None for one that no month has."""
    if word is None:
        return 0
    if word == "last":
        return -1
    number, ending = int(word[:-2]), word[-2:]
    known = ending == _ENDINGS.get(number, "th")
    return number if known and 1 <= number <= (_MOST_BUSINESS_DAYS if business else _MOST_OF_MONTH) else None


def read_months(words: str) -> frozenset[int]:
    """Returns the numbers of the months the words stand for; raises ValueError that shows what may be written."""
    first, _, last = words.strip().lower().partition("-")
    if first not in _YEAR or (last or first) not in _YEAR:
        raise ValueError(f"expected months such as mar or oct-feb, found {words!r}")
    start = _YEAR.index(first)
    length = (_YEAR.index(last or first) - start) % 12 + 1
    return frozenset((start + n) % 12 + 1 for n in range(length))


def falls_on(day: date, rules: frozenset[DayRule], is_business: Callable[[date], bool]) -> bool:
    """Tells whether one of the rules means that date."""
    weekday = day.weekday()
    if (weekday, 0) in rules or (weekday, (day.day + 6) // 7) in rules:
        return True
    if (weekday, -1) in rules and (day + _WEEK_LONG).month != day.month:
        return True
    wanted = {nth for kind, nth in rules if kind == BUSINESS}
    return bool(wanted) and is_business(day) and not wanted.isdisjoint(_places(day, is_business))


def _places(day: date, is_business: Callable[[date], bool]) -> tuple[int, ...]:
    """Returns what a business day is called: each, the n-th, and the last where its month has no further one."""
    earlier = sum(1 for number in range(1, day.day) if is_business(day.replace(day=number)))
    later = day + _ONE_DAY
    while later.month == day.month and not is_business(later):
        later += _ONE_DAY
    return (0, earlier + 1) if later.month == day.month else (0, earlier + 1, -1)


def is_weekday(day: date) -> bool:
    """Tells whether a date lies between Monday and Friday."""
    return day.weekday() < _SATURDAY
