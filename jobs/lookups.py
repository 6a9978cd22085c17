"""Lookups in tables: what stands beside values in a column of the user's own.

A value that no key can be is one that the table does not know, as SQLite has it of itself: a text for a column of
integers, a number out of range.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby

import sqlalchemy as sa

from jobs.cells import Find
from jobs.columns import TableLookup
from jobs.contract import Context, GiveUp, Json

_AT_ONCE = 500  # values in one query
_NOT_COMPARED = "42883"  # PostgreSQL: there is no operator for these two types


def finder(context: Context) -> Find:
    """Returns what answers lookups by the context's databases; raises GiveUp where a table cannot be asked so."""
    asker = _Asker(context)

    def find(lookup: TableLookup, values: Collection[Json]) -> Mapping[Json, Json]:
        found: dict[Json, Json] = {}
        for part in _parts(values):
            found |= asker.known(lookup, part)
        return found

    return find


def _parts(values: Collection[Json]) -> Iterator[list[Json]]:
    """Yields the values, those of each type by themselves: a query compares its key with one type."""
    for _, alike in groupby(sorted(values, key=lambda value: type(value).__name__), key=type):
        same = list(alike)
        yield from (same[start : start + _AT_ONCE] for start in range(0, len(same), _AT_ONCE))


class _Asker:
    """Asks tables during one run; each query has a transaction of its own, which an error may end."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told = set[tuple[str, str, type]]()  # lookups that cannot find values of a type

    def known(self, lookup: TableLookup, values: list[Json]) -> dict[Json, Json]:
        """Returns what stands beside values of one type; raises GiveUp."""
        try:
            with self._context.read(lookup.database) as connection:
                return dict(_found(connection, lookup, values))
        except (sa.exc.DataError, OverflowError, UnicodeError):  # one of the values
            if len(values) == 1:
                return {}
            half = len(values) // 2
            return self.known(lookup, values[:half]) | self.known(lookup, values[half:])
        except (sa.exc.ProgrammingError, sa.exc.OperationalError) as error:
            told = str(error.orig).splitlines()[0]
            if getattr(error.orig, "sqlstate", "") == _NOT_COMPARED:
                self._tell(lookup, type(values[0]), told)
                return {}
            raise GiveUp(
                f"the lookup in {lookup.table} ({lookup.key} to {lookup.value}) cannot be made: {told}. "
                "Check the table and its columns."
            ) from error

    def _tell(self, lookup: TableLookup, kind: type, why: str) -> None:
        """Says once that the key is of another type: where all values are of this one, the job is wrong."""
        lookup_of_kind = (lookup.table, lookup.key, kind)
        if lookup_of_kind not in self._told:
            self._told.add(lookup_of_kind)
            self._context.log.warning(
                "a lookup cannot find values of this type: its key is of another",
                table=lookup.table,
                key=lookup.key,
                type=kind.__name__,
                why=why,
            )


def _found(connection: sa.Connection, lookup: TableLookup, values: list[Json]) -> Iterator[tuple[Json, Json]]:
    key: sa.ColumnElement[Json] = sa.column(lookup.key)
    value: sa.ColumnElement[Json] = sa.column(lookup.value)
    wanted = sa.select(key, value).select_from(sa.table(lookup.table)).where(key.in_(values))
    return (tuple(row) for row in connection.execute(wanted))
