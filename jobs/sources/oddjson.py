"""What others write as JSON, and it is none: NaN, numbers that no float holds, halves of characters.

Python's decoder reads it, so that one such record need not cost the page that it came in.
"""

import json

from jobs.contract import BadAnswer, Json

ODD = "it holds what JSON cannot: NaN, infinity, a number that no float holds, or half of a character"


def leniently(body: bytes, place: str) -> Json:
    """Returns what a body holds; raises json.JSONDecodeError, and BadAnswer where it is no text."""
    try:
        return json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise BadAnswer(
            f"{place} has a byte 0x{body[error.start]:02x} that is no UTF-8, as JSON is (RFC 8259 section 8.1), "
            f"at offset {error.start}; have the API send UTF-8."
        ) from None
    except RecursionError:
        raise json.JSONDecodeError("nested too deep", "", 0) from None


def is_odd(record: Json) -> bool:
    """Tells whether a record holds what no other reader of JSON takes."""
    try:
        json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:  # half a character is one, too
        return True
    return False
