"""Columns read by their paths, as a map says."""

from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from operator import itemgetter

from jobs.cells import Cells, Find, Reasons
from jobs.columns import ColumnOptions
from jobs.contract import Json, Record
from jobs.fields import values_of
from jobs.mapped import Mapped, objects, refused, without
from jobs.paths import keys


class MappedFields:
    """Each column is read by its path, and made what its options say."""

    def __init__(self, columns: Mapping[str, str | ColumnOptions], find: Find | None = None) -> None:
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
        records, rejects = objects(records)
        reasons: Reasons = {}
        rows = self._picked(records) or self._by_column(records, reasons)
        if not reasons:
            return Mapped(rows, records, rejects)
        return Mapped(without(rows, reasons), without(records, reasons), [*rejects, *refused(records, reasons)])

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
            return values_of(records, self._plain[column])
        values, bad = self._made[column].values(records)
        reasons.update({place: reason for place, reason in bad.items() if place not in reasons})
        return values
