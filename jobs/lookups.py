"""Lookups in tables: what stands beside values in a column of the user's own."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

import sqlalchemy as sa

from jobs.cells import Find
from jobs.columns import TableLookup
from jobs.contract import Context, GiveUp, Json

_AT_ONCE = 500  # values in one query


def finder(context: Context) -> Find:
    """Returns what answers lookups by the context's databases; raises GiveUp where a table cannot be asked so."""

    def find(lookup: TableLookup, values: Collection[Json]) -> Mapping[Json, Json]:
        try:
            with context.read(lookup.database) as connection:
                return dict(_found(connection, lookup, values))
        except (sa.exc.ProgrammingError, sa.exc.OperationalError, sa.exc.DataError) as error:
            told = str(error.orig).splitlines()[0]
            raise GiveUp(
                f"the lookup in {lookup.table} ({lookup.key} to {lookup.value}) cannot be made: {told}. "
                "Check the table, its columns, and that the key is of the type of what is looked up."
            ) from error

    return find


def _found(connection: sa.Connection, lookup: TableLookup, values: Collection[Json]) -> Iterator[tuple[Json, Json]]:
    key: sa.ColumnElement[Json] = sa.column(lookup.key)
    value: sa.ColumnElement[Json] = sa.column(lookup.value)
    wanted = sa.select(key, value).select_from(sa.table(lookup.table))
    left = iter(values)
    while part := list(islice(left, _AT_ONCE)):
        yield from (tuple(row) for row in connection.execute(wanted.where(key.in_(part))))
