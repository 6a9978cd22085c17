"""Hours of the day in which a job may start: `06:00-20:00`, and over midnight `22:00-06:00`."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from worker.model.portions import Portion, Portions, clipped, joined

_WORDS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class DayHours:
    """From `first` up to, and without, `end`; an end at midnight is the end of the day."""

    first: time
    end: time

    def __contains__(self, at: time) -> bool:
        if self.first < self.end:
            return self.first <= at < self.end
        return at >= self.first or at < self.end

    def of(self, day: date) -> Portions:
        """Returns the hours of one date."""
        spans = (self.span(day - _DAY), self.span(day))
        return joined(part for start, end in spans for part in clipped(start, end, day))

    def span(self, day: date) -> Portion:
        """Returns the hours that begin on a date; their end may lie on the next."""
        end = datetime.combine(day, self.end)
        return datetime.combine(day, self.first), end if self.first < self.end else end + _DAY

    def __str__(self) -> str:
        """Returns the words it is written in."""
        return f"{self.first:%H:%M}-{'24:00' if self.end == time() else f'{self.end:%H:%M}'}"


def read_hours(value: object) -> DayHours:
    """Returns the hours that a text such as `06:00-20:00` means; raises ValueError."""
    if isinstance(value, DayHours):
        return value
    match = _WORDS.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'expected hours of the day such as "06:00-20:00" or "22:00-06:00", found {value!r}')
    first, end = time(int(match[1]), int(match[2])), time(int(match[3] or 0), int(match[4] or 0))
    if first == end:
        raise ValueError(f"expected hours that end at another time than they begin, found {value!r}")
    return DayHours(first, end)


Hours = Annotated[
    DayHours,
    BeforeValidator(read_hours),
    WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d-\d\d:\d\d$", "examples": ["06:00-20:00"]}),
]
"""A span of the day in the job's zone."""
