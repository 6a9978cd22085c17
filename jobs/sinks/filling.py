"""Rows into one table: made when missing, widened when fields come, upserted by key.

Columns are made from what the map declares, else from the records: a column whose values are all null yet waits for
its first value. Rows that the database refuses are found by halving the page behind savepoints, so that one bad row
costs its page nothing but time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import sqlalchemy as sa

from jobs.contract import Json, Log, Record
from jobs.fields import names_in, values_of
from jobs.kinds import Kind
from jobs.numerals import shortest
from jobs.rowkeys import why_no_key
from jobs.sinks import portable, room, schema
from jobs.sinks.bulk import Stamp, Statement
from jobs.sinks.kinds import Column, fit, infer
from jobs.sinks.taking import Taken, Values, store


@dataclass(frozen=True)
class Rules:
    """How rows become columns.

    With `whole` a row is all there is, and what it lacks becomes null; `kinds` are those of columns that are to be
    made; `frozen` makes no table and no column.
    """

    whole: bool = True
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    frozen: bool = False


class Filling:
    """Fills one table during one attempt; without a key each row is a new one."""

    def __init__(self, name: str, key: Sequence[str], rules: Rules, log: Log) -> None:
        self.name = name
        self.key = tuple(key)
        self.table: schema.Table | None = None
        self._rules = rules
        self._log = log
        self._fresh = False  # nothing stood in the table when this attempt began
        self._zoned = True  # times are stored with their zone
        self._fixed = set[str]()  # columns that could not be widened

    def open(self, connection: sa.Connection, *, fresh: bool = False) -> None:
        """Looks at the table as it stands; raises TableUnfit where it cannot be filled by this key."""
        self._zoned = schema.tongue(connection).zoned
        self.table, self._fresh = schema.reflect(connection, self.name), fresh
        if self.table is not None:
            schema.adopt(connection, self.table, self.key)
        elif self._rules.frozen:
            raise schema.TableUnfit(
                f'the table {self.name} is missing, and schema = "freeze" lets nobody make it. '
                'Make it, or allow this by schema = "evolve".'
            )

    def write(self, connection: sa.Connection, rows: list[Record], stamp: Stamp) -> Taken:
        """Stores rows and returns what became of them."""
        taken = Taken()
        rows, names = self._spelled(connection, rows)
        places = self._keyed(rows, taken)
        if len(places) < len(rows):
            rows = [rows[place] for place in places]
            names = names_in(rows)
        if not rows:
            return taken
        rows, names = self._narrowed(connection, rows, names, places, taken)
        columns = self._columns(connection, rows, names)
        self._refuse_new_fields(rows, names, places, taken)
        batch = self._fitted(connection, rows, places, columns, taken)
        latest = self._latest(batch, columns, taken)
        taken.unchanged += len(batch) - len(latest)  # an older state of a record of the same page
        store(latest, Statement(connection, self.name, tuple(columns), self.key, self._fresh), stamp, taken)
        return taken

    def keys_of(self, records: Sequence[Json]) -> tuple[list[Values], list[Json]]:
        """Returns the stored keys of records whose fields are columns, and the records that have none."""
        keys = list(map(self.key_of, records))
        return [key for key in keys if key], [record for record, key in zip(records, keys, strict=True) if not key]

    def key_of(self, record: Json) -> Values | None:
        """Returns the stored key of a record whose fields are columns; None where it has none."""
        values = tuple(self._stored(name, record) for name in self.key)
        return None if None in values else values

    def _stored(self, name: str, record: Json) -> Json:
        value = record.get(name) if isinstance(record, dict) else None
        if self.table is None or value is None:
            return None
        stored, bad = self._fit(self.table.columns[name], [value])
        return None if bad else stored[0]

    def _fit(self, column: Column, values: Sequence[Json]) -> tuple[Sequence[Json], dict[int, str]]:
        stored, bad = fit(column, values)
        if column.kind is Kind.DECIMAL and column.name in self.key:
            stored = list(map(_shortest, stored))
        return (stored, bad) if self._zoned or column.kind is not Kind.TIMESTAMP else (portable.plain(stored), bad)

    def _spelled(self, connection: sa.Connection, rows: list[Record]) -> tuple[list[Record], list[str]]:
        """Returns the rows and their fields' names, as the table spells them where its database knows no case."""
        found = names_in(rows)
        if self.table is None or schema.tongue(connection).cased or self.table.columns.keys() >= set(found):
            return rows, found
        spelling = {name.lower(): name for name in (*self.table.columns, *self.table.generated)}
        names = {name: spelling.get(name.lower(), name) for name in found}
        spelled = [{names[name]: value for name, value in row.items()} for row in rows]
        return spelled, list(dict.fromkeys(names.values()))

    def _keyed(self, rows: list[Record], taken: Taken) -> Sequence[int]:
        """Returns the places of the rows that have their whole key."""
        for column in self.key:
            values = values_of(rows, column)
            if not {float, type(None)}.isdisjoint(map(type, values)):
                for place, value in enumerate(values):
                    if why := why_no_key(column, value):
                        taken.refused.setdefault(place, why)
        if not taken.refused:
            return range(len(rows))
        return [place for place in range(len(rows)) if place not in taken.refused]

    def _narrowed(
        self, connection: sa.Connection, rows: list[Record], names: list[str], places: Sequence[int], taken: Taken
    ) -> tuple[list[Record], list[str]]:
        """Refuses rows whose new fields find no room in the table; what they have columns for stays, for their key."""
        known = {*(self.table.columns if self.table else ()), *self.key, *schema.RESERVED}
        most = schema.tongue(connection).most
        if self._rules.frozen or len(known) + len(names) <= most:
            return rows, names
        rows, crowded = room.narrowed(rows, known, most)
        taken.refused |= {places[number]: f"the table {self.name} {why}" for number, why in crowded.items()}
        return rows, names_in(rows)

    def _columns(self, connection: sa.Connection, rows: list[Record], names: list[str]) -> list[Column]:
        """Returns the columns to write, after making those that are missing."""
        table = self.table
        if table is not None:
            table.check(names)
        if table is None or not (self._rules.frozen or set(names) <= table.columns.keys()):
            table = self._made(connection, rows, names)
        own = table.own if self._rules.whole else []
        mark = [schema.DELETED_AT] if schema.DELETED_AT in table.columns else []  # who comes is not gone
        return [table.columns[name] for name in dict.fromkeys([*names, *own, *mark]) if name in table.columns]

    def _made(self, connection: sa.Connection, rows: list[Record], names: list[str]) -> schema.Table:
        known = self.table.columns if self.table else {}
        missing = dict[str, Kind]()
        for name in names:
            if name not in known and (kind := self._rules.kinds.get(name) or infer(values_of(rows, name))):
                missing[name] = kind
        if self.table is None:
            self.table, self._fresh = schema.create(connection, self.name, missing, self.key), True
        else:
            schema.extend(connection, self.table, missing)
        return self.table

    def _refuse_new_fields(self, rows: list[Record], names: list[str], places: Sequence[int], taken: Taken) -> None:
        if not self._rules.frozen or self.table is None:
            return
        new = [name for name in names if name not in self.table.columns]
        for name in new:
            for place, value in zip(places, values_of(rows, name), strict=True):
                if value is not None:
                    taken.refused.setdefault(
                        place,
                        f'the table {self.name} has no column {name}, and schema = "freeze" adds none: '
                        "add it, or leave it out of map",
                    )

    def _fitted(
        self,
        connection: sa.Connection,
        rows: list[Record],
        places: Sequence[int],
        columns: list[Column],
        taken: Taken,
    ) -> list[tuple[int, Values]]:
        """Returns the rows' places and their values as they are stored; refuses those that do not fit."""
        stored, reasons = list[Sequence[Json]](), dict[int, str]()
        for number, (column, found) in enumerate(zip(columns, _matrix(rows, columns), strict=True)):
            values, bad = self._fit(column, found)
            if bad and (wider := self._widened(connection, column, rows)):
                columns[number] = wider
                values, bad = self._fit(wider, found)
            stored.append(values)
            if column.name in self.key and None in values:  # SQLite would take null for a key, each time anew
                bad = {place: _without(column.name) for place, value in enumerate(values) if value is None} | bad
            reasons = bad | reasons
        for number, reason in reasons.items():
            taken.refused.setdefault(places[number], reason)
        taken.keys = self._keys(columns, stored)
        batch = list(zip(places, zip(*stored, strict=True), strict=True))
        return [pair for pair in batch if pair[0] not in taken.refused] if taken.refused else batch

    def _widened(self, connection: sa.Connection, column: Column, rows: list[Record]) -> Column | None:
        """Returns a column of ours that had only met integers as one of decimals, where the rows hold such."""
        if self._rules.frozen or self.table is None or column.name in self._fixed:
            return None
        is_postgres = schema.tongue(connection).family == "postgresql"
        if not (is_postgres and column.whole and column.kind is Kind.INTEGER):
            return None
        if not any(type(value) is float or type(value) is int for value in _misfits(column, rows)):
            return None
        try:
            with connection.begin_nested():
                wider = schema.widen(connection, self.table, column)
        except sa.exc.DBAPIError as error:
            self._fixed.add(column.name)
            why = str(error.orig).splitlines()[0]
            self._log.warning("a column cannot be widened", table=self.name, column=column.name, why=why)
            return None
        self._log.info("a column was widened to exact decimals", table=self.name, column=column.name)
        return wider

    def _keys(self, columns: list[Column], stored: list[Sequence[Json]]) -> list[Values]:
        if not self.key:
            return []
        places = _places(self.key, columns)
        keys = list(zip(*(stored[place] for place in places), strict=True))
        return [key for key in keys if None not in key] if any(None in stored[place] for place in places) else keys

    def _latest(self, batch: list[tuple[int, Values]], columns: list[Column], taken: Taken) -> list[tuple[int, Values]]:
        """Returns the last state of each record: one statement must not meet a key twice."""
        if not self.key or len(set(taken.keys)) == len(taken.keys):
            return batch
        key = itemgetter(*_places(self.key, columns))
        return list({key(pair[1]): pair for pair in batch}.values())


def _places(names: Sequence[str], columns: list[Column]) -> list[int]:
    known = [column.name for column in columns]
    return [known.index(name) for name in names]


def _shortest(value: Json) -> Json:
    """Returns the text of a decimal that all its spellings share; what SQLite holds besides stays."""
    try:
        return None if value is None else shortest(value)
    except ValueError:
        return value


def _without(column: str) -> str:
    return f"the record has no {column}, which is its key"


def _misfits(column: Column, rows: list[Record]) -> list[Json]:
    values = values_of(rows, column.name)
    return [values[place] for place in fit(column, values)[1]]


def _matrix(rows: list[Record], columns: list[Column]) -> Sequence[Sequence[Json]]:
    """Returns the values of each column."""
    try:
        if len(columns) > 1:  # for one, itemgetter gives no tuples
            return list(zip(*map(itemgetter(*(column.name for column in columns)), rows), strict=True))
    except KeyError:  # a row lacks a field
        pass
    return [values_of(rows, column.name) for column in columns]
