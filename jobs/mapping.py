"""One record to another: a row's columns from a record's fields; pure, but for lookups in tables.

Without a map each field becomes a column of its name, nested objects as they are (the sink keeps them as JSON) or, on
wish, flattened: `{"a": {"b": 1}}` becomes the column a_b. With a map each column is read by its JMESPath, and a path
that finds nothing gives null. A record that cannot be mapped or typed is a reject; the others go on.
"""

import collections.abc
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from operator import itemgetter
from typing import Protocol

from jobs.cells import Cells, Find, Reasons
from jobs.columns import ColumnOptions
from jobs.contract import Json, Record
from jobs.convert import found
from jobs.flow import Refused
from jobs.kinds import Kind
from jobs.paths import keys

_LONGEST = 63  # bytes, PostgreSQL's bound for a name

Field = str | tuple[str, ...]  # flattened: the fields on the way to it


@dataclass(frozen=True)
class Mapped:
    """Rows, and the records they were made from in the same order; beside them the rejects with their reasons."""

    rows: list[Record]
    records: list[Json]
    rejects: list[Refused] = field(default_factory=list)


class Mapping(Protocol):
    """How records become rows."""

    @property
    def kinds(self) -> dict[str, Kind]:
        """What columns are declared to hold; the others hold what their values are."""

    @property
    def required(self) -> frozenset[str]:
        """The columns that are never null."""

    def rows(self, records: list[Json]) -> Mapped:
        """Returns what becomes of the records: each is a row or a reject; rows keep the records' order."""


def column_name(name: str) -> str:
    """Returns a field's name as a column: letters, digits and underscores, at most 63 bytes, case kept."""
    name = re.sub(r"\W", "_", name) or "_"
    name = f"_{name}" if name[0].isdigit() else name
    return name.encode()[:_LONGEST].decode(errors="ignore")


class AllFields:
    """Each field becomes a column; a field whose column is taken by another one makes its record a reject."""

    def __init__(self, reserved: Collection[str] = (), *, flatten: bool = False) -> None:
        self.kinds: dict[str, Kind] = {}
        self.required: frozenset[str] = frozenset()
        self._flatten = flatten
        self._columns: dict[Field, str] = {}
        self._owners: dict[str, Field] = {name.casefold(): "" for name in reserved}  # SQLite's columns know no case
        self._clashes: dict[Field, str] = {}  # field to reason

    def rows(self, records: list[Json]) -> Mapped:
        """Returns what becomes of the records: each is a row or a reject; rows keep the records' order."""
        records, rejects = _objects(records)
        flat: list[dict[Field, Json]] = list(map(_flattened, records)) if self._flatten else records
        fields = dict.fromkeys(chain.from_iterable(flat))
        self._name(name for name in fields if name not in self._columns)
        if any(name in self._clashes for name in fields):
            reasons = {place: reason for place, record in enumerate(flat) if (reason := self._reason(record))}
            flat = _without(flat, reasons)
            records, rejects = _without(records, reasons), [*rejects, *_refused(records, reasons)]
        renamed = {name: self._columns[name] for name in fields if self._columns[name] != name}
        if not renamed:
            return Mapped(flat, records, rejects)  # type: ignore[arg-type]  # every field is its column's name
        rows = [{renamed.get(name, name): value for name, value in record.items()} for record in flat]
        return Mapped(rows, records, rejects)  # type: ignore[arg-type]  # a field of several parts is always renamed

    def _name(self, fields: Iterable[Field]) -> None:
        for name in fields:
            column = self._columns[name] = column_name(name if isinstance(name, str) else "_".join(name))
            owner = self._owners.setdefault(column.casefold(), name)
            if owner != name:
                taken = f"the field {_shown(owner)}" if owner else "the worker"
                self._clashes[name] = (
                    f"the field {_shown(name)} would become the column {column}, which is taken by {taken}; "
                    "name the columns in map"
                )

    def _reason(self, record: Iterable[Field]) -> str:
        return next((self._clashes[name] for name in record if name in self._clashes), "")


def _shown(name: Field) -> str:
    return repr(name if isinstance(name, str) else ".".join(name))


def _flattened(record: dict[Field, Json]) -> dict[Field, Json]:
    """Returns a record whose objects stand as fields of their own, level by level; an empty one is null."""
    while any(isinstance(value, dict) for value in record.values()):
        record = dict(chain.from_iterable(map(_spread, record.items())))
    return record


def _spread(item: tuple[Field, Json]) -> Iterable[tuple[Field, Json]]:
    name, value = item
    if not isinstance(value, dict):
        return (item,)
    parts = (name,) if isinstance(name, str) else name
    return [((*parts, key), inner) for key, inner in value.items()] or ((name, None),)


class MappedFields:
    """Each column is read by its path, and made what its options say."""

    def __init__(self, columns: collections.abc.Mapping[str, str | ColumnOptions], find: Find | None = None) -> None:
        options = {column: origin for column, origin in columns.items() if isinstance(origin, ColumnOptions)}
        self.kinds = {column: kind for column, made in options.items() if (kind := made.stored)}
        self.required = frozenset(column for column, made in options.items() if made.required)
        plain = {column: path for column, path in columns.items() if isinstance(path, str) and len(keys(path)) == 1}
        self._columns, self._plain = tuple(columns), plain
        all_plain = len(columns) == len(plain) > 1  # itemgetter gives tuples for two and more
        self._pick: Callable[[Record], Iterable[Json]] | None = itemgetter(*plain.values()) if all_plain else None
        self._made = {column: Cells(column, columns[column], find) for column in columns if column not in plain}

    def rows(self, records: list[Json]) -> Mapped:
        """Returns what becomes of the records: each is a row or a reject; rows keep the records' order."""
        records, rejects = _objects(records)
        reasons: Reasons = {}
        rows = self._picked(records) or self._by_column(records, reasons)
        if not reasons:
            return Mapped(rows, records, rejects)
        return Mapped(_without(rows, reasons), _without(records, reasons), [*rejects, *_refused(records, reasons)])

    def _picked(self, records: list[Record]) -> list[Record]:
        """Returns rows by the shortest way; none where a column is made, or a field missing."""
        if self._pick is None:
            return []
        try:
            return self._joined(map(self._pick, records))
        except KeyError:
            return []

    def _by_column(self, records: list[Record], reasons: Reasons) -> list[Record]:
        if not self._columns:
            return [{} for _ in records]
        values = [self._values(column, records, reasons) for column in self._columns]
        return self._joined(zip(*values, strict=True))

    def _joined(self, rows: Iterable[Iterable[Json]]) -> list[Record]:
        return list(map(dict, map(zip, repeat(self._columns), rows)))  # the loop runs in C

    def _values(self, column: str, records: list[Record], reasons: Reasons) -> list[Json]:
        if column in self._plain:
            return _field(records, self._plain[column])
        values, bad = self._made[column].values(records)
        reasons.update({place: reason for place, reason in bad.items() if place not in reasons})
        return values


def _field(records: list[Record], name: str) -> list[Json]:
    """Returns a field of each record; None where it is missing."""
    try:
        return list(map(itemgetter(name), records))
    except KeyError:
        return [record.get(name) for record in records]


def _objects(records: list[Json]) -> tuple[list[Json], list[Refused]]:
    """Returns the records that are objects, and the others with the reason."""
    if set(map(type, records)) <= {dict}:
        return records, []
    reasons = {
        place: f"expected a record that is an object, found {found(record)}"
        for place, record in enumerate(records)
        if not isinstance(record, dict)
    }
    return _without(records, reasons), _refused(records, reasons)


def _without(things: list[Json], reasons: Reasons) -> list[Json]:
    return list(compress(things, (place not in reasons for place in range(len(things)))))


def _refused(records: list[Json], reasons: Reasons) -> list[Refused]:
    return [(records[place], reasons[place]) for place in sorted(reasons)]


def mapping(
    columns: collections.abc.Mapping[str, str | ColumnOptions] | None,
    *,
    flatten: bool = False,
    reserved: Collection[str] = (),
    find: Find | None = None,
) -> Mapping:
    """Returns how records become rows: by these columns, or all fields where there are none."""
    return AllFields(reserved, flatten=flatten) if columns is None else MappedFields(columns, find)
