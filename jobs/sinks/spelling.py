"""How rows are handed to PostgreSQL: as CSV to COPY, as arrays to a statement; orjson writes both.

JSON's text of a value is PostgreSQL's too, but for line ends and control characters; psycopg writes what holds such,
at a fifth of the speed.
"""

import math
from collections.abc import Iterable, Sequence

import orjson

from jobs.contract import Json
from jobs.kinds import Kind
from jobs.sinks.kinds import Column

CSV = "FORMAT csv, NULL 'null', ESCAPE '\\', ENCODING 'UTF8'"
"""The options of a COPY that takes `csv`."""


def csv(columns: Iterable[Column], rows: Sequence[Sequence[Json]], ends: Sequence[Json]) -> bytes | None:
    """Returns the rows, each with the same ends; None where JSON would not say the same."""
    if not all(_is_plain(column, [row[place] for row in rows]) for place, column in enumerate(columns)):
        return None
    try:
        body, end = orjson.dumps(rows), orjson.dumps(ends)[1:-1]
    except orjson.JSONEncodeError:
        return None
    if body.count(b"],[") != len(rows) - 1 or _is_escaped(body):
        return None
    line_end = b"," + end + b"\n" if ends else b"\n"
    return body[2:-2].replace(b"],[", line_end) + line_end


def array(column: Column, values: Sequence[Json]) -> str | list[Json]:
    """Returns a column's values as the driver takes an array."""
    if _is_plain(column, values):
        try:
            body = orjson.dumps(values)
        except orjson.JSONEncodeError:
            return list(values)
        if not _is_escaped(body):
            return f"{{{body[1:-1].decode()}}}"
    return list(values)


def _is_plain(column: Column, values: Sequence[Json]) -> bool:
    """Tells whether JSON has these values; it writes null for a float that is no number."""
    if column.kind is Kind.FLOAT:
        return math.isfinite(sum(filter(None, values)))
    return column.kind is not Kind.OTHER


def _is_escaped(body: bytes) -> bool:
    """Tells whether JSON escapes more than quotes and backslashes: line ends, control characters."""
    return b"\\" in body and b"\\" in body.replace(b"\\\\", b"").replace(b'\\"', b"")
