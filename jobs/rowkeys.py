"""Which record a record is a newer state of: its key, read before anything is made of it."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence

import orjson

from jobs.columns import ColumnOptions
from jobs.contract import BadRecord, Json
from jobs.paths import descent, getter

_LONGEST = 1000  # bytes; an index of PostgreSQL takes 2,700 in all
_EXACT = 2**53  # a whole number of JSON beyond 64 bits is read as a float, which has so many

KeyOf = Callable[[Json], str | None]
"""Returns a record's key as JSON, a long one as its SHA-256; None where nobody can tell."""


def why_no_key(column: str, value: Json) -> str | None:
    """Returns why a value cannot tell one row from another; None where it can."""
    if value is None:
        return f"the record has no {column}, which is its key"
    if type(value) is float and _EXACT <= abs(value) < math.inf:
        return (
            f"the key {column} is {value}, a number that was read with its first digits only: others would be taken "
            "for it; have the source send it as text"
        )
    return None


def key_reader(key: Sequence[str], columns: Mapping[str, str | ColumnOptions] | None) -> KeyOf:
    """Returns what reads the columns of a key from records, as the source has their values."""
    gets = [_getter(column, columns[column] if columns is not None else column) for column in key]

    def read(record: Json) -> str | None:
        try:
            values = [get(record) for get in gets]
            return None if not values or None in values else _bounded(orjson.dumps(values, option=orjson.OPT_SORT_KEYS))
        except (BadRecord, TypeError):
            return None

    return read


def _bounded(key: bytes) -> str:
    return key.decode() if len(key) <= _LONGEST else hashlib.sha256(key).hexdigest()


def _getter(column: str, origin: str | ColumnOptions) -> Callable[[Json], Json]:
    if isinstance(origin, ColumnOptions):
        origin = origin.path or column
    return descent((column,)) if origin == column else getter(origin)
