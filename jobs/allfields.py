"""All fields of a record as columns: no map says which."""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import chain

from jobs.cells import Cells, Find, Reasons
from jobs.columns import ColumnOptions
from jobs.contract import Json, Record
from jobs.fields import names_in
from jobs.kinds import Kind
from jobs.mapped import Mapped, objects, refused, without

_LONGEST = 63  # bytes, PostgreSQL's bound for a name

Field = str | tuple[str, ...]  # flattened: the fields on the way to it


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
        records, rejects = objects(records)
        flat: list[dict[Field, Json]] = list(map(_flattened, records)) if self._flatten else records
        fields = names_in(flat)
        self._name(name for name in fields if name not in self._columns)
        if any(name in self._clashes for name in fields):
            reasons = {place: reason for place, record in enumerate(flat) if (reason := self._reason(record))}
            flat = without(flat, reasons)
            records, rejects = without(records, reasons), [*rejects, *refused(records, reasons)]
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


class TypedFields:
    """All fields, of which some are made what their options say."""

    def __init__(self, fields: AllFields, types: Mapping[str, ColumnOptions], find: Find | None = None) -> None:
        self.kinds = {column: kind for column, made in types.items() if (kind := made.stored)}
        self.required = frozenset(column for column, made in types.items() if made.required)
        self._fields = fields
        self._made = {column: Cells(column, made, find) for column, made in types.items()}
        self._always = frozenset(column for column, made in types.items() if _is_always_there(made))

    def rows(self, records: list[Json]) -> Mapped:
        """Returns what becomes of the records: each is a row or a reject; rows keep the records' order."""
        mapped = self._fields.rows(records)
        there = self._always.union(*mapped.rows) if mapped.rows else ()
        columns = [column for column in self._made if column in there]
        if not columns:
            return mapped
        reasons: Reasons = {}
        made = zip(*(self._values(column, mapped.rows, reasons) for column in columns), strict=True)
        rows = [row | dict(zip(columns, values, strict=True)) for row, values in zip(mapped.rows, made, strict=True)]
        if not reasons:
            return Mapped(rows, mapped.records, mapped.rejects)
        bad = refused(mapped.records, reasons)
        return Mapped(without(rows, reasons), without(mapped.records, reasons), [*mapped.rejects, *bad])

    def _values(self, column: str, rows: list[Record], reasons: Reasons) -> list[Json]:
        values, bad = self._made[column].values(rows)
        reasons.update({place: reason for place, reason in bad.items() if place not in reasons})
        return values


def _is_always_there(made: ColumnOptions) -> bool:
    return made.is_constant or made.required or made.default is not None
