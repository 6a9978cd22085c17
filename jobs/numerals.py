"""Numbers as sources write them: read exactly, or refused."""

import math
import re
from decimal import Decimal

from jobs.contract import Json

_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,30})(?:\.0*)?\s*")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?\s*")
_CANONICAL = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DIGITS = 1000  # before and after the point; PostgreSQL's numeric takes more
_BITS = 63


def integer(value: Json) -> int:
    """Returns a whole number of 64 bits, from numbers without a fraction and their texts; raises ValueError."""
    if type(value) is str:
        match = _INTEGER.fullmatch(value)
        number = int(match[1]) if match else None
    elif type(value) is float:
        number = int(value) if value.is_integer() else None
    else:
        number = value if type(value) is int else None
    if number is None or not -(2**_BITS) <= number < 2**_BITS:
        raise ValueError("no whole number of 64 bits")
    return number


def floating(value: Json) -> float:
    """Returns the nearest finite float of a number or its text; raises ValueError or OverflowError."""
    if type(value) is str and not _NUMBER.fullmatch(value):
        raise ValueError("no number")
    if type(value) not in (str, int, float):
        raise ValueError("no number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def decimal(value: Json) -> Decimal:
    """Returns a decimal exactly as it is written, 0.1 as 0.1; raises ValueError."""
    if type(value) in (int, float) and (type(value) is int or math.isfinite(value)):
        number = Decimal(repr(value))
    elif type(value) is str and len(value) <= 3 * _DIGITS and _NUMBER.fullmatch(value):
        number = Decimal(value.strip())
    else:
        raise ValueError("no decimal")
    exponent = number.as_tuple().exponent
    if number.adjusted() >= _DIGITS or not isinstance(exponent, int) or exponent < -_DIGITS:
        raise ValueError("too many digits")
    return number


def decimal_text(value: Json) -> str:
    """Returns a decimal as text without an exponent, its zeros kept: 12.50; raises ValueError."""
    written = value if type(value) is str else repr(value) if type(value) is float else ""
    if len(written) <= _DIGITS and _CANONICAL.fullmatch(written):  # nearly all are: four times as fast
        return written
    number = decimal(value)
    return format(number.copy_abs() if number.is_zero() else number, "f")


def shortest(value: Json) -> str:
    """Returns the one text that all spellings of a decimal share, 1 for 1.0; raises ValueError."""
    written = decimal_text(value)
    return written.rstrip("0").rstrip(".") if "." in written else written
