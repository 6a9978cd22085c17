"""Lookups in tables: what stands beside values in a column of the user's own.

A value that no key can be is one that the table does not know, as SQLite has it of itself: a text for a column of
integers, a number out of range.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import chain

import sqlalchemy as sa

from jobs.cells import Find
from jobs.columns import TableLookup
from jobs.contract import Context, GiveUp, Json

_AT_ONCE = 500  # values in one query
_NOT_COMPARED = "42883"  # PostgreSQL: there is no operator for these two types

Part = list[Json]
"""Values of one type that one query looks up."""


def finder(context: Context) -> Find:
    """Returns what answers lookups by the context's databases; raises GiveUp where a table cannot be asked so."""
    asker = _Asker(context)

    def find(lookup: TableLookup, values: Collection[Json]) -> Mapping[Json, Json]:
        return asker.known(lookup, list(_parts(values)))

    return find


def _parts(values: Collection[Json]) -> Iterator[Part]:
    """Yields the values, those of each type by themselves: a query compares its key with one type."""
    for kind in dict.fromkeys(map(type, values)):
        same = [value for value in values if type(value) is kind]
        yield from (same[start : start + _AT_ONCE] for start in range(0, len(same), _AT_ONCE))


def _smaller(parts: list[Part]) -> list[list[Part]]:
    """Returns parts that are asked for one by one, or the halves of a single one; none of a single value."""
    if len(parts) > 1:
        return [[part] for part in parts]
    half = len(parts[0]) // 2
    return [[parts[0][:half]], [parts[0][half:]]] if half else []


class _Asker:
    """Asks tables during one run; where an error ends a transaction, it looks for what is to blame in further ones."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._told = set[tuple[str, str, type]]()  # lookups that cannot find values of a type

    def known(self, lookup: TableLookup, parts: list[Part]) -> dict[Json, Json]:
        """Returns what stands beside values; raises GiveUp."""
        try:
            with self._context.read(lookup.database) as connection:
                return dict(chain.from_iterable(_found(connection, lookup, part) for part in parts))
        except (sa.exc.DataError, OverflowError, UnicodeError):  # one of the values
            smaller = _smaller(parts)
        except (sa.exc.ProgrammingError, sa.exc.OperationalError) as error:
            smaller = self._comparable(lookup, parts, error.orig)
        return dict(chain.from_iterable(self.known(lookup, part).items() for part in smaller))

    def _comparable(self, lookup: TableLookup, parts: list[Part], error: BaseException | None) -> list[list[Part]]:
        """Returns the parts to ask for where types were not compared; raises GiveUp where the fault is another."""
        told = str(error).splitlines()[0]
        if getattr(error, "sqlstate", "") != _NOT_COMPARED:
            raise GiveUp(
                f"the lookup in {lookup.table} ({lookup.key} to {lookup.value}) cannot be made: {told}. "
                "Check the table and its columns."
            ) from error
        if len(parts) > 1:
            return _smaller(parts)
        self._tell(lookup, type(parts[0][0]), told)
        return []

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


def _found(connection: sa.Connection, lookup: TableLookup, values: Part) -> Iterator[tuple[Json, Json]]:
    key: sa.ColumnElement[Json] = sa.column(lookup.key)
    value: sa.ColumnElement[Json] = sa.column(lookup.value)
    wanted = sa.select(key, value).select_from(sa.table(lookup.table)).where(key.in_(values))
    return (tuple(row) for row in connection.execute(wanted))
