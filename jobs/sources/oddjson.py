"""What others write as JSON, and it is none: NaN, numbers that no float holds, halves of characters.

Python's decoder reads it, so that one such record need not cost the page that it came in.
"""

import json
import math

from jobs.contract import BadAnswer, Json
from jobs.flow import Refused

_ODD = "it holds what JSON cannot: NaN, infinity, a number that no float holds, or half of a character"
_CONSTANTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # one object each: NaN equals itself alone
_LONGEST = 20  # characters of an integer of 64 bits


def leniently(body: bytes, place: str) -> Json:
    """Returns what a body holds; raises ValueError where it is cut off or broken, BadAnswer where it is no text."""
    try:
        return json.loads(body.decode(), parse_int=_whole, parse_constant=_CONSTANTS.__getitem__)
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise
        raise BadAnswer(
            f"{place} has a byte 0x{body[error.start]:02x} that is no UTF-8, as JSON is (RFC 8259 section 8.1), "
            f"at offset {error.start}; have the API send UTF-8."
        ) from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def _whole(digits: str) -> int | float:
    """Returns a whole number as orjson has it: a float beyond 64 bits."""
    number = int(digits) if len(digits) <= _LONGEST else math.inf
    return int(number) if -(2**63) <= number < 2**64 else float(digits)


def without_odd(records: list[Json]) -> tuple[list[Json], list[Refused]]:
    """Returns the records that JSON can hold, and apart from them the others with the reason."""
    sound, odd = list[Json](), list[Refused]()
    for record in records:
        if is_odd(record):
            odd.append((record, _ODD))
        else:
            sound.append(record)
    return sound, odd


def is_odd(record: Json) -> bool:
    """Tells whether a record holds what no other reader of JSON takes."""
    try:
        json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:  # half a character is one, too
        return True
    return False
