"""Kinds of columns: which one fits the values of a page, and how a value is stored in it; pure.

Text with date, time and zone in ISO 8601 (`2026-01-31T08:00:00Z`) is a timestamp and kept in UTC, to the
microsecond; anything doubtful, a time without a zone first of all, stays text. Decimals are what JSON makes of
them: floats. Integers beyond 64 bits are text. Objects and lists are JSON with sorted keys. Exact decimals and dates
are never inferred: a map declares them, or the table has them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from jobs.contract import BadRecord, Json
from jobs.convert import found
from jobs.kinds import Kind
from jobs.numerals import decimal_text
from jobs.stamps import whole_seconds, with_microseconds
from jobs.times import whole_day

_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
_EXACT = 2**53  # integers up to here are exact as floats
_NONE = type(None)


@dataclass(frozen=True)
class Column:
    """A column of a destination table; `bits` bounds integers."""

    name: str
    kind: Kind
    bits: int = 64
    strict: bool = False  # the database takes nothing but values of the kind
    whole: bool = False  # written by this worker only: a record that lacks it makes it null
    exact: bool = True  # its type is the kind's own: it keeps each value as it is handed over


def infer(values: Sequence[Json]) -> Kind | None:
    """Returns the kind that holds all the values; None where all are null, which says nothing."""
    types = set(map(type, values)) - {_NONE}
    if not types:
        return None
    if types == {str}:
        texts = [value for value in values if value]
        return Kind.TIMESTAMP if texts and all(map(_is_stamp, texts)) else Kind.TEXT
    if types <= {int, float}:
        return _number(values, types)
    return Kind.BOOLEAN if types == {bool} else Kind.JSON if types <= {dict, list} else Kind.TEXT


def _number(values: Sequence[Json], types: set[type]) -> Kind:
    integers = [value for value in values if type(value) is int]
    if float in types:
        return Kind.FLOAT if all(abs(value) <= _EXACT for value in integers) else Kind.TEXT
    return Kind.INTEGER if min(integers) >= -(2**63) and max(integers) < 2**63 else Kind.TEXT


def _is_stamp(text: str) -> bool:
    try:
        utc_text(text)
    except (ValueError, OverflowError):
        return False
    return True


def utc_text(text: str) -> str:
    """Returns a time with a zone as `YYYY-MM-DDTHH:MM:SS.ffffffZ`; raises ValueError or OverflowError."""
    if len(text) == 20 and text[10] == "T" and text[19] == "Z" and text[7] == "-" and text[13] == ":":  # noqa: PLR2004 - places in the form that nearly all have
        datetime.fromisoformat(text)  # refuses what is no time
        return f"{text[:19]}.000000Z"
    if not _STAMP.fullmatch(text):
        raise ValueError(f"expected a time with a zone in ISO 8601, found {text!r:.60}")
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


_READY: dict[Kind, set[type]] = {  # what is stored as it is
    Kind.TEXT: {str, _NONE},
    Kind.FLOAT: {float, _NONE},
    Kind.BOOLEAN: {bool, _NONE},
    Kind.OTHER: {str, int, float, bool, _NONE},
}


def fit(column: Column, values: Sequence[Json]) -> tuple[Sequence[Json], dict[int, str]]:
    """Returns the values as they are stored, and by their place the reasons of those that do not fit."""
    types = set(map(type, values))
    if types <= _READY.get(column.kind, {_NONE}) or (column.kind is Kind.INTEGER and _within(column, values, types)):
        return values, {}
    convert = _CONVERT[column.kind]
    try:
        if column.kind is Kind.TIMESTAMP and types == {str}:  # nearly every column of times
            return with_microseconds(values) if whole_seconds(values) else list(map(utc_text, values)), {}
        return [None if value is None else convert(column, value) for value in values], {}
    except (BadRecord, ValueError, OverflowError, TypeError):
        return _fit_each(column, values)


def _within(column: Column, values: Sequence[Json], types: set[type]) -> bool:
    if not types <= {int, _NONE}:
        return False
    bound = 2 ** (column.bits - 1)
    integers = [value for value in values if value is not None] if _NONE in types else values
    return bool(-bound <= min(integers) and max(integers) < bound)


def _fit_each(column: Column, values: Sequence[Json]) -> tuple[Sequence[Json], dict[int, str]]:
    stored, reasons = list[Json](), dict[int, str]()
    for place, value in enumerate(values):
        try:
            stored.append(None if value is None else _CONVERT[column.kind](column, value))
        except (BadRecord, ValueError, OverflowError, TypeError):
            stored.append(None)
            reasons[place] = f"{column.name} is a column of the kind {column.kind}, which cannot hold {found(value)}"
    return stored, reasons


def _text(column: Column, value: Json) -> Json:
    return value if type(value) is str else _json(column, value)


def _json(column: Column, value: Json) -> Json:  # noqa: ARG001 - one form for all kinds
    return str(value) if type(value) is int else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _other(column: Column, value: Json) -> Json:
    return _json(column, value) if isinstance(value, dict | list) else value


def _integer(column: Column, value: Json) -> Json:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int:
        if -(2 ** (column.bits - 1)) <= value < 2 ** (column.bits - 1):
            return value
        raise BadRecord("too large")
    return _loose(column, value)


def _float(column: Column, value: Json) -> Json:
    if type(value) is float or (type(value) is int and abs(value) <= _EXACT):
        return value
    if type(value) is int:
        raise BadRecord("not exact as a float")
    return _loose(column, value)


def _boolean(column: Column, value: Json) -> Json:
    return value if type(value) is bool else _loose(column, value)


def _timestamp(column: Column, value: Json) -> Json:
    if value == "":
        return None
    try:
        return utc_text(value)
    except (ValueError, OverflowError, TypeError):
        if column.strict:
            raise
    return _text(column, value)


def _decimal(column: Column, value: Json) -> Json:
    return _declared(column, value, decimal_text)


def _date(column: Column, value: Json) -> Json:
    return _declared(column, value, whole_day)


def _declared(column: Column, value: Json, convert: Callable[[Json], str]) -> Json:
    if value == "":
        return None
    try:
        return convert(value)
    except ValueError:
        if column.strict:
            raise
    return _text(column, value)


def _naive(column: Column, value: Json) -> Json:
    return utc_text(value) if isinstance(value, str) and _is_stamp(value) else _other(column, value)


def _loose(column: Column, value: Json) -> Json:
    """Returns a value of another kind as SQLite keeps it; raises BadRecord where it would change it."""
    if column.strict:
        raise BadRecord("of another kind")
    if isinstance(value, str):
        _refuse_digits(value)
    return _other(column, value)


def _refuse_digits(text: str) -> None:
    try:
        float(text)
    except ValueError:
        return
    raise BadRecord("SQLite would make a number of it")


_CONVERT: dict[Kind, Callable[[Column, Json], Json]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.DECIMAL: _decimal,
    Kind.TIMESTAMP: _timestamp,
    Kind.DATE: _date,
    Kind.JSON: _json,
    Kind.NAIVE: _naive,
    Kind.OTHER: _other,
}
