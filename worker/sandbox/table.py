"""One resource in memory: rows by key, kept sorted by key and by time of change so that a page is a slice."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import overload

Row = dict[str, object]

MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"
SECONDS = "%Y-%m-%dT%H:%M:%SZ"
PLAIN = "%Y-%m-%d %H:%M:%S"  # ServiceNow's: UTC without a zone mark


class Table:
    """Rows with a key and a stamp; stamps of one table share a format, so their text sorts as time does.

    A table whose stamp is the empty text has none: its rows do not tell when they changed.
    """

    def __init__(self, key: str, stamp: str, form: str = SECONDS) -> None:
        self.key = key
        self.stamp = stamp
        self.form = form
        self.version = 0  # counts changes: what was cached for an older one is stale
        self._rows: dict[str, Row] = {}
        self._touched: dict[str, int] = {}  # version of the last change by key, removals included
        self._by_key: list[str] = []
        self._by_stamp: list[tuple[str, str]] = []

    def fill(self, rows: Iterable[Row]) -> None:
        """Takes the first rows of an empty table, sorting once."""
        self._rows = {str(row[self.key]): row for row in rows}
        self._by_key = sorted(self._rows)
        self._by_stamp = sorted((str(row.get(self.stamp, "")), key) for key, row in self._rows.items())
        self.version += 1

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> Row | None:
        """Returns the row with this key, or None."""
        return self._rows.get(key)

    def all(self) -> Iterable[Row]:
        """Returns the rows in the order in which they came; a live view."""
        return self._rows.values()

    def put(self, row: Row) -> None:
        """Adds the row, or takes the place of the one with its key."""
        key = str(row[self.key])
        if key in self._rows:
            self._forget_stamp(key)
        else:
            insort(self._by_key, key)
        self._rows[key] = row
        insort(self._by_stamp, (str(row.get(self.stamp, "")), key))
        self._mark(key)

    def remove(self, key: str) -> bool:
        """Takes a row away; False when there was none."""
        if key not in self._rows:
            return False
        self._forget_stamp(key)
        del self._by_key[bisect_left(self._by_key, key)]
        del self._rows[key]
        self._mark(key)
        return True

    def _mark(self, key: str) -> None:
        self.version += 1
        self._touched[key] = self.version

    def changed_since(self, version: int) -> list[str]:
        """Returns the keys put or removed after this version, in order of key; the first rows are no change."""
        return sorted(key for key, at in self._touched.items() if at > version)

    def _forget_stamp(self, key: str) -> None:
        entry = (str(self._rows[key].get(self.stamp, "")), key)
        del self._by_stamp[bisect_left(self._by_stamp, entry)]

    def write_stamp(self, at: datetime) -> str:
        """Returns an instant in this table's format; finer parts are cut off."""
        return at.astimezone(UTC).strftime(self.form)

    def bound(self, at: datetime) -> str:
        """Returns the least stamp of this table that is not before the instant."""
        cut = at.replace(microsecond=0)
        if self.form != MICROSECONDS and cut != at:
            at = cut + timedelta(seconds=1)
        return self.write_stamp(at)

    def start_of(self, stamp: str) -> int:
        """Returns the place in the order of change where rows of this stamp or a later one begin."""
        return bisect_left(self._by_stamp, (stamp, ""))

    def keys(self) -> Sequence[str]:
        """Returns the keys in their order; a live list, not to be changed."""
        return self._by_key

    def changed(self) -> Sequence[tuple[str, str]]:
        """Returns (stamp, key) in order of change; a live list, not to be changed."""
        return self._by_stamp

    def slice_by_key(self, start: int, stop: int | None) -> list[Row]:
        """Returns the rows at these places in the order of keys."""
        return [self._rows[key] for key in self._by_key[start:stop]]

    def slice_by_stamp(self, start: int, stop: int) -> list[Row]:
        """Returns the rows at these places in the order of change."""
        return [self._rows[key] for _, key in self._by_stamp[start:stop]]


class Stretch(Sequence[str]):
    """The keys of rows next to each other, by key or in order of change, copied only as far as they are asked for.

    Good until the table changes.
    """

    def __init__(self, table: Table, first: int, last: int, *, by_key: bool = False) -> None:
        self._keys = table.keys() if by_key else None
        self._changed = table.changed()
        self._places = range(first, last)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> list[str]: ...

    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._key(at) for at in self._places[place]]
        return self._key(self._places[place])

    def _key(self, at: int) -> str:
        return self._changed[at][1] if self._keys is None else self._keys[at]
