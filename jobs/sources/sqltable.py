"""One walk through a table of a database, key after key: short reads, each of one page, so that nothing waits.

A page starts behind the last row of the page before it, in the order of the walk: the key, or before it the column
that tells what is new. Rows that come and go meanwhile shift nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from jobs.contract import Context, GiveUp, Json, Record
from jobs.flow import Page, Refused
from jobs.sources.bound import behind, bound, text_of
from jobs.sources.sqloptions import SqlSourceOptions
from jobs.sources.tables import SourceTable
from jobs.sources.values import Form, Values

VERSION, DELETED_AT = "_version", "_deleted_at"
_SYSTEM = ("_run_id", "_synced_at", VERSION, DELETED_AT)

Row = Sequence[Any]
Renamed = Callable[[list[Json]], tuple[list[Record], list[Refused]]]
"""Makes of records the rows that the destination knows; what cannot be mapped comes with the reason."""


def as_it_is(records: list[Json]) -> tuple[list[Record], list[Refused]]:
    """Returns the records themselves."""
    return records, []


@dataclass(frozen=True)
class Span:
    """Which rows are read, in which order: `after` is behind a position, `least` and `most` bound the first column."""

    order: tuple[str, ...]
    after: tuple[object, ...] | None = None
    least: object = None
    most: object = None


@dataclass(frozen=True)
class Found:
    """Rows of one page: `last` are the values of the order's columns in the last one, `following` in the one after."""

    rows: Sequence[Row]
    last: tuple[object, ...]
    following: tuple[object, ...] | None


class TableReader:
    """Reads a table's rows; tells those that are marked as deleted from the others where `marked` is true."""

    def __init__(self, options: SqlSourceOptions, table: SourceTable, *, marked: bool) -> None:
        self._options = options
        self._table = table
        decoded: dict[str, Form] = dict.fromkeys(options.decode, "json")
        self.values = Values(options.zone, {**table.forms, **decoded})
        self.wanted = options.columns or tuple(name for name in table.columns if options.system or name not in _SYSTEM)
        self._has_marks = DELETED_AT in table.columns
        self._marked = marked and self._has_marks
        self._check((*self.wanted, *options.key, *options.decode))

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell one row from another; none where nobody says so."""
        return self._options.key or self._table.key

    def select(self, context: Context, dialect: str, names: Sequence[str]) -> sa.Select[Any]:
        """Returns the statement for these columns of the rows that are meant, without an order."""
        clause = self._table.clause
        statement = sa.select(*(clause.c[name] for name in names)).select_from(clause)
        if self._options.where:
            statement = statement.where(text_of(f"({self._options.where})", self._options, context, dialect, None))
        if self._has_marks and not self._marked:
            statement = statement.where(clause.c[DELETED_AT].is_(None))
        return statement

    def bounded(self, context: Context, dialect: str, span: Span, names: Sequence[str]) -> sa.Select[Any]:
        """Returns the statement for these columns of the rows of a span, without an order."""
        statement, columns = self.select(context, dialect, names), [self._table.clause.c[name] for name in span.order]
        if span.least is not None:
            statement = statement.where(columns[0] >= bound(span.least))
        if span.most is not None:
            statement = statement.where(columns[0] <= bound(span.most))
        if span.after is not None:
            statement = statement.where(behind(columns, span.after, dialect))
        return statement

    def page(self, found: Found, renamed: Renamed) -> Page:
        """Returns the rows as a page, those marked as deleted by what `renamed` makes of them."""
        wide = len(self.wanted)
        if not self._marked:
            return Page(self.values.records(self.wanted, found.rows))
        living = [row for row in found.rows if row[wide] is None]
        marked = [row for row in found.rows if row[wide] is not None]
        gone, rejects = renamed(self.values.records(self.wanted, marked))
        return Page(self.values.records(self.wanted, living), gone=gone, rejects=rejects)

    def walk(self, context: Context, span: Span) -> Iterator[Found]:
        """Yields the pages of a span; at least one, which may be empty.

        Each is read in a transaction of its own where an index leads to its first row; else the database would sort
        the table once a page, so one transaction streams them all.
        """
        if span.order[0] not in self._table.indexed:
            yield from self._streamed(context, span)
            return
        following: tuple[object, ...] | None = ()
        while following is not None:
            context.check()
            with context.read(self._options.database) as connection:
                found = self._next(connection, context, span)
            following = found.following
            span = replace(span, after=found.last or None)
            yield found

    def _next(self, connection: sa.Connection, context: Context, span: Span) -> Found:
        """Returns the next page of a span; raises GiveUp where the order does not tell two rows apart."""
        size, wide = self._options.size, len(span.order)
        statement = self._ordered(context, connection.dialect.name, span)
        rows: Sequence[Row] = connection.execute(statement.limit(size + 1)).all()
        places = [tuple(row[-wide:]) for row in rows[-2:]]
        if len(rows) <= size:
            return Found(rows, places[-1] if places else (), None)
        if places[0] == places[1]:
            raise GiveUp(
                f"two rows of {self._table.told} have the same {', '.join(span.order)}: {places[0]!r:.80}; name "
                "columns in source.key that tell each row from all others."
            )
        return Found(rows[:size], places[0], places[1])

    def _streamed(self, context: Context, span: Span) -> Iterator[Found]:
        wide = len(span.order)
        with context.read(self._options.database) as connection:
            statement = self._ordered(context, connection.dialect.name, span)
            with closing(connection.execute(statement, execution_options={"yield_per": self._options.size})) as result:
                pages = result.partitions(self._options.size)
                rows: Sequence[Row] = next(pages, [])
                while True:
                    context.check()
                    following: Sequence[Row] = next(pages, [])
                    ahead = tuple(following[0][-wide:]) if following else None
                    yield Found(rows, tuple(rows[-1][-wide:]) if rows else (), ahead)
                    if not following:
                        return
                    rows = following

    def _ordered(self, context: Context, dialect: str, span: Span) -> sa.Select[Any]:
        names = (*self.wanted, *([DELETED_AT] if self._marked else []), *span.order)
        order = [self._table.clause.c[name] for name in span.order]
        return self.bounded(context, dialect, span, names).order_by(*order)

    def check_key(self, connection: sa.Connection, columns: Sequence[str]) -> None:
        """Raises GiveUp where a row has no value in one of these columns: it would never be read."""
        for name in columns:
            column = self._table.clause.c[name]
            if connection.scalar(
                sa.select(sa.literal(1)).select_from(self._table.clause).where(column.is_(None)).limit(1)
            ):
                raise GiveUp(
                    f"rows of {self._table.told} have no {name}, by which they are read one after the other; name "
                    "columns in source.key that are never null."
                )

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._table.columns:
                raise GiveUp(
                    f"the table {self._table.told} has no column {name}; it has {', '.join(self._table.columns)}. "
                    "Correct source.columns, source.key or source.decode."
                )
