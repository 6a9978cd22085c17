"""One column of a page: read, looked up, converted and judged, value by value.

The steps of a column work on all its values at once. A value that a step refuses gets a reason at its place and is null
from there on; the first reason stands.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence

from jobs.columns import ColumnOptions, TableLookup
from jobs.contract import BadRecord, Json
from jobs.convert import found, identity, text
from jobs.kinds import Kind
from jobs.paths import Getter, descent, getter, keys
from jobs.templates import json_of
from jobs.times import date_writer, moment_writer

Find = Callable[[TableLookup, Collection[Json]], Mapping[Json, Json]]
"""Answers a lookup in a table: distinct values to what stands beside them; those it does not know are left out."""

Reasons = dict[int, str]
Step = Callable[[list[Json], Reasons], list[Json]]
_NONE = type(None)
_PLAIN = frozenset({str, int, bool, _NONE})
_LONGEST = 200  # characters of the choices that are shown
_READY: dict[Kind | None, set[type]] = {  # what needs no conversion
    Kind.TEXT: {str},
    Kind.BOOLEAN: {bool},
    Kind.JSON: {str, int, float, bool, dict, list},
}


class Cells:
    """The values of one column."""

    def __init__(self, column: str, origin: str | ColumnOptions, find: Find | None) -> None:
        options = ColumnOptions.model_validate({"from": origin}) if isinstance(origin, str) else origin
        self._get = _getter(column, options)
        self._place = f"the column {column}"
        self._steps = [step for step in _steps(self._place, options, find) if step]

    def values(self, records: Sequence[Json]) -> tuple[list[Json], Reasons]:
        """Returns a value for each record, and by their place the reasons of those that have none."""
        reasons: Reasons = {}
        try:
            values = list(map(self._get, records))
        except BadRecord:
            values = self._read_each(records, reasons)
        for step in self._steps:
            values = step(values, reasons)
        return values, reasons

    def _read_each(self, records: Sequence[Json], reasons: Reasons) -> list[Json]:
        values: list[Json] = []
        for place, record in enumerate(records):
            try:
                values.append(self._get(record))
            except BadRecord as error:
                values.append(None)
                reasons[place] = f"{self._place}: {error}"
        return values


def _getter(column: str, options: ColumnOptions) -> Getter:
    if options.is_constant:
        constant = None if options.constant is None else options.plain.convert(options.constant)
        return lambda _: constant
    if not options.path:
        return descent((column,))
    return getter(options.path) if keys(options.path) else _sound(options.path)


def _sound(path: str) -> Getter:
    """Returns what reads a path whose functions may make what JSON cannot hold, such as to_number of the text nan."""
    get = getter(path)

    def read(record: Json) -> Json:
        value = get(record)
        if type(value) not in _PLAIN:
            json_of(value, f"what the path {path!r} gives")
        return value

    return read


def _steps(place: str, options: ColumnOptions, find: Find | None) -> list[Step | None]:
    """Returns what happens to a column's values, in this order."""
    if options.is_constant:
        return [_output(options) if options.output else None]
    return [
        None if options.keeps_empty else _without_empty,
        _lookup(place, options, find) if options.lookup is not None else None,
        None if options.keeps_empty or options.lookup is None else _without_empty,
        _conversion(place, options) if options.kind else None,
        _default(options) if options.default is not None else None,
        _choices(place, options) if options.choices else None,
        _required(place, options) if options.required else None,
        _output(options) if options.output else None,
    ]


def _without_empty(values: list[Json], _: Reasons) -> list[Json]:
    return [None if value == "" else value for value in values] if "" in values else values


def _conversion(place: str, options: ColumnOptions) -> Step:
    kind, conversion = options.kind, options.conversion

    def step(values: list[Json], reasons: Reasons) -> list[Json]:
        if _is_ready(kind, values):
            return values
        return _each(conversion.convert, values, reasons, lambda value: f"{place}: {conversion.complaint(value)}")

    return step


def _is_ready(kind: Kind | None, values: list[Json]) -> bool:
    """Tells whether the values are what a conversion would make of them, as far as that is quickly told."""
    types = set(map(type, values)) - {_NONE}
    if kind is Kind.INTEGER and types == {int}:
        numbers = [value for value in values if value is not None]
        return bool(min(numbers) >= -(2**63) and max(numbers) < 2**63)
    if kind is Kind.FLOAT and types == {float}:
        return math.isfinite(sum(value for value in values if value is not None))
    return types <= _READY.get(kind, set())


def _each(
    convert: Callable[[Json], Json], values: list[Json], reasons: Reasons, complaint: Callable[[Json], str]
) -> list[Json]:
    """Returns the values converted; those that cannot be are null, with their reasons."""
    try:
        return [None if value is None else convert(value) for value in values]
    except (ValueError, OverflowError):
        pass  # look for each by itself
    converted: list[Json] = []
    for place, value in enumerate(values):
        try:
            converted.append(None if value is None else convert(value))
        except (ValueError, OverflowError):
            converted.append(None)
            reasons.setdefault(place, complaint(value))
    return converted


def _default(options: ColumnOptions) -> Step:
    default = options.plain.convert(options.default)
    return lambda values, _: [default if value is None else value for value in values]


def _choices(place: str, options: ColumnOptions) -> Step:
    listed = [options.plain.convert(choice) for choice in options.choices or ()]
    shown = ", ".join(map(text, listed))[:_LONGEST]
    choices = frozenset(map(identity, listed))

    def chosen(value: Json) -> Json:
        if identity(value) not in choices:
            raise ValueError("none of the choices")
        return value

    def step(values: list[Json], reasons: Reasons) -> list[Json]:
        return _each(chosen, values, reasons, lambda value: f"{place}: expected one of {shown}, found {found(value)}")

    return step


def _required(place: str, options: ColumnOptions) -> Step:
    source = f"the path {options.path!r}" if options.path else "the field of that name"

    def step(values: list[Json], reasons: Reasons) -> list[Json]:
        for index, value in enumerate(values):
            if value is None:
                reasons.setdefault(index, f"{place} is required, and {source} gives nothing")
        return values

    return step


def _output(options: ColumnOptions) -> Step:
    written = (date_writer if options.kind is Kind.DATE else moment_writer)(options.output or "iso")
    return lambda values, _: [None if value is None else written(value) for value in values]


def _lookup(place: str, options: ColumnOptions, find: Find | None) -> Step:
    """Returns the step that puts another value in each one's stead."""
    lookup, missing = options.lookup, options.missing
    answering = _by_table(place, lookup, find) if isinstance(lookup, TableLookup) else _by_words(lookup or {})

    def complaint(value: Json) -> str:
        where = (
            f"of {lookup.key} in the table {lookup.table}" if isinstance(lookup, TableLookup) else "the lookup knows"
        )
        return f"{place}: expected a value {where}, found {found(value)}"

    def step(values: list[Json], reasons: Reasons) -> list[Json]:
        answer = answering(values)

        def answered(value: Json) -> Json:
            try:
                return answer(value)
            except (LookupError, TypeError):  # unknown, or nothing that can be looked up
                if missing == "reject":
                    raise ValueError("unknown") from None
                return value if missing == "keep" else None

        return _each(answered, values, reasons, complaint)

    return step


def _by_table(place: str, lookup: TableLookup, find: Find | None) -> Callable[[list[Json]], Callable[[Json], Json]]:
    if find is None:
        raise ValueError(f"{place}: nobody answers lookups in tables here")

    def answering(values: list[Json]) -> Callable[[Json], Json]:
        distinct = {value for value in values if value is not None and not isinstance(value, dict | list)}
        return (find(lookup, distinct) if distinct else {}).__getitem__

    return answering


def _by_words(words: Mapping[str, Json]) -> Callable[[list[Json]], Callable[[Json], Json]]:
    def answering(values: list[Json]) -> Callable[[Json], Json]:
        return words.__getitem__ if set(map(type, values)) <= {str, _NONE} else lambda value: words[_word(value)]

    return answering


def _word(value: Json) -> str:
    """Returns a value as it stands for a key in TOML, 1.0 as "1"; raises ValueError."""
    return str(int(value)) if type(value) is float and value.is_integer() else text(value)
