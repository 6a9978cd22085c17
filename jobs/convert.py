"""Values of a source into what a column holds: one conversion for each kind, and what it says of a bad value.

What comes out is JSON again, and converting it once more changes nothing.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import orjson

from jobs.contract import Json
from jobs.kinds import Kind
from jobs.numerals import decimal_text, floating, integer
from jobs.times import dates, timestamps

YES = ("true", "yes", "1")
NO = ("false", "no", "0")
_LONGEST = 60  # characters of a value that are shown
_LONGEST_BITS = 199  # of a number with as many digits

Convert = Callable[[Json], Json]


@dataclass(frozen=True)
class Words:
    """The texts of a truth, in lower case."""

    true: tuple[str, ...] = YES
    false: tuple[str, ...] = NO

    def truth(self, value: Json) -> bool:
        """Returns the truth of true, false and their words, 1 and 0 among them; raises ValueError."""
        if type(value) is bool:
            return value
        word = str(value).strip().casefold() if type(value) in (str, int) else ""
        if word in self.true:
            return True
        if word in self.false:
            return False
        raise ValueError("no truth")


@dataclass(frozen=True)
class Conversion:
    """How a column's values are made; `convert` raises ValueError or OverflowError, null it is never asked for."""

    convert: Convert
    expected: str

    @classmethod
    def of(
        cls, kind: Kind | None, *, words: Words | None = None, pattern: str = "iso", zone: str = "UTC"
    ) -> "Conversion":
        """Returns the conversion of a kind; one that leaves all as it is where the kind is not declared."""
        words = words or Words()
        if kind is Kind.BOOLEAN:
            return cls(words.truth, f"true or false ({', '.join((*words.true, *words.false))})")
        if kind is Kind.TIMESTAMP:
            return cls(timestamps(pattern, zone), f"a time {_TIMES.get(pattern, f'of the form {pattern}')}")
        if kind is Kind.DATE:
            return cls(dates(pattern, zone), f"a date {_DATES.get(pattern, f'of the form {pattern}')}")
        return _SIMPLE.get(kind, _AS_IT_IS)

    def complaint(self, value: Json) -> str:
        """Returns what was expected, and what was found."""
        return f"expected {self.expected}, found {found(value)}"


def text(value: Json) -> str:
    """Returns text as it is, everything else as JSON writes it, with sorted keys; raises ValueError."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)  # beyond 64 bits, too
    if type(value) is float and not math.isfinite(value):
        raise ValueError("no JSON")  # orjson would write null
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        raise ValueError("no JSON") from None  # too deep


def identity(value: Json) -> Hashable:
    """Returns what two values share only where JSON has them as one: 1, true and 1.0 are three; raises ValueError."""
    return type(value), text(value) if isinstance(value, dict | list) else value


def found(value: Json) -> str:
    """Returns a value in words, cut to 60 characters."""
    if isinstance(value, str):
        return f"the text {value[: _LONGEST + 1]!r:.{_LONGEST}}" if value else "an empty text"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, int) and value.bit_length() > _LONGEST_BITS:
        return f"a number of more than {_LONGEST} digits"  # Python writes no endless ones
    return f"the number {value}"


def _same(value: Json) -> Json:
    return value


_EPOCHS = {"epoch": "in seconds since 1970", "epoch_ms": "in milliseconds since 1970"}
_TIMES = {"iso": "in ISO 8601 such as 2026-01-31T08:00:00Z", "servicenow": "such as 2026-01-31 08:00:00"} | _EPOCHS
_DATES = {"iso": "in ISO 8601 such as 2026-01-31", "servicenow": "such as 2026-01-31"} | _EPOCHS
_AS_IT_IS = Conversion(_same, "any value")
_SIMPLE: Mapping[Kind | None, Conversion] = {
    Kind.TEXT: Conversion(text, "a text"),
    Kind.INTEGER: Conversion(integer, "a whole number of at most 64 bits"),
    Kind.DECIMAL: Conversion(decimal_text, "a decimal such as 12.50"),
    Kind.FLOAT: Conversion(floating, "a number"),
}
