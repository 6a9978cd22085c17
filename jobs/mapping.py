"""One record to another: a row's columns from a record's fields; pure.

Without a map each field becomes a column of its name, nested objects and lists as they are (the sink keeps
them as JSON). With a map each column is read by its JMESPath, and a path that finds nothing gives null.
"""

import re
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from operator import itemgetter
from typing import Protocol

from jobs.contract import BadRecord, Json, Record
from jobs.paths import getter, keys

_PLAIN = re.compile(r"[A-Za-z_]\w*")
_LONGEST = 63  # bytes, PostgreSQL's bound


class Mapping(Protocol):
    """How records become rows."""

    def rows(self, records: list[Record]) -> tuple[list[Record], list[tuple[Json, str]]]:
        """Returns rows, and the records that cannot be mapped with the reason."""


def column_name(field: str) -> str:
    """Returns a field's name as a column: letters, digits and underscores, at most 63 bytes, case kept."""
    name = re.sub(r"\W", "_", field) or "_"
    name = f"_{name}" if name[0].isdigit() else name
    return name.encode()[:_LONGEST].decode(errors="ignore")


class AllFields:
    """Each field becomes a column; a field whose column is taken by another one makes its record a reject."""

    def __init__(self, reserved: Collection[str] = ()) -> None:
        self._columns: dict[str, str] = {}  # field to column
        self._owners = {name.casefold(): "" for name in reserved}  # SQLite's columns know no case
        self._clashes: dict[str, str] = {}  # field to reason

    def rows(self, records: list[Record]) -> tuple[list[Record], list[tuple[Json, str]]]:
        """Returns rows, and the records that cannot be mapped with the reason."""
        fields = dict.fromkeys(chain.from_iterable(records))
        self._name(field for field in fields if field not in self._columns)
        rejects: list[tuple[Json, str]] = []
        clashes = [field for field in fields if field in self._clashes]
        if clashes:
            rejects = [(record, self._reason(record)) for record in records if self._reason(record)]
            records = [record for record in records if not self._reason(record)]
        renamed = {field: self._columns[field] for field in fields if self._columns[field] != field}
        if not renamed:
            return records, rejects
        return [{renamed.get(field, field): value for field, value in record.items()} for record in records], rejects

    def _name(self, fields: Iterable[str]) -> None:
        for field in fields:
            column = self._columns[field] = column_name(field)
            owner = self._owners.setdefault(column.casefold(), field)
            if owner != field:
                taken = f"the field {owner!r}" if owner else "the worker"
                self._clashes[field] = (
                    f"the field {field!r} would become the column {column}, which is taken by {taken}; "
                    "name the columns in map"
                )

    def _reason(self, record: Record) -> str:
        return next((self._clashes[field] for field in record if field in self._clashes), "")


class MappedFields:
    """Each column is read by its path."""

    def __init__(self, paths: dict[str, str]) -> None:
        plain = {column: path for column, path in paths.items() if len(keys(path)) == 1}
        self._blank: Record = dict.fromkeys(paths)  # gives rows the map's order
        self._columns, self._fields = tuple(plain), tuple(plain.values())
        self._pick: Callable[[Record], Iterable[Json]] | None = itemgetter(*self._fields) if len(plain) > 1 else None
        self._deep = [(column, getter(path)) for column, path in paths.items() if column not in plain]

    def rows(self, records: list[Record]) -> tuple[list[Record], list[tuple[Json, str]]]:
        """Returns rows, and the records that cannot be mapped with the reason."""
        rows, rejects = list[Record](), list[tuple[Json, str]]()
        for record in records:
            try:
                rows.append(self._row(record))
            except BadRecord as error:
                rejects.append((record, str(error)))
        return rows, rejects

    def _row(self, record: Record) -> Record:
        row = self._blank.copy()
        row.update(zip(self._columns, self._values(record), strict=True))
        for column, get in self._deep:
            row[column] = get(record)
        return row

    def _values(self, record: Record) -> Iterable[Json]:
        if self._pick:
            try:
                return self._pick(record)
            except KeyError:
                pass  # a field is missing here: look for each by itself
        return map(record.get, self._fields)


def mapping(paths: dict[str, str] | None, reserved: Collection[str] = ()) -> Mapping:
    """Returns how records become rows: by these paths, or all fields where there are none."""
    return AllFields(reserved) if paths is None else MappedFields(paths)
