"""Rows into tables of any database that SQLAlchemy speaks to: rows that are there are updated, others inserted.

Slower than what SQLite and PostgreSQL get, and with the same outcome. Values go to the driver as they are: texts for
times and numbers, which the database makes its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from jobs.contract import Json
from jobs.sinks.schema import SYSTEM

_KEYS = 200  # looked for in one statement
_ANY = sa.types.NullType()
Values = tuple[Json, ...]


@dataclass(frozen=True)
class Target:
    """A table, the columns that are written, and those that tell one row from another."""

    table: str
    columns: Sequence[str]
    key: tuple[str, ...]

    @property
    def clause(self) -> sa.TableClause:
        """The table with these columns and the system's."""
        names = dict.fromkeys((*self.columns, *self.key, *SYSTEM))
        return sa.table(self.table, *(sa.column(name, _ANY) for name in names))


def plain(values: Sequence[Json]) -> list[Json]:
    """Returns times in UTC without their zone, as databases take them that know none."""
    return [value[:-1].replace("T", " ") if isinstance(value, str) else value for value in values]


def write(connection: sa.Connection, target: Target, rows: Sequence[Values], ends: Values) -> int:
    """Inserts rows, or updates those whose keys are there and whose values differ; returns how many it wrote."""
    if not target.key:
        return _insert(connection, target, rows, ends)
    places = [target.columns.index(name) for name in target.key]
    keys = [tuple(row[place] for place in places) for row in rows]
    known = there(connection, Target(target.table, target.key, target.key), keys)
    new = [row for row, key in zip(rows, keys, strict=True) if told(key) not in known]
    old = [row for row, key in zip(rows, keys, strict=True) if told(key) in known]
    return _insert(connection, target, new, ends) + _update(connection, target, old, ends)


def there(connection: sa.Connection, target: Target, keys: Sequence[Values]) -> set[tuple[str, ...]]:
    """Returns those of the keys that a table holds, as texts; the database compares, by its types and collations."""
    table, found = target.clause, set[tuple[str, ...]]()
    for start in range(0, len(keys), _KEYS):
        part = keys[start : start + _KEYS]
        whens = [(_same(table, target.key, values), number) for number, values in enumerate(part)]
        wanted = sa.select(sa.case(*whens)).where(sa.or_(*(condition for condition, _ in whens)))
        found.update(told(part[number]) for number in connection.execute(wanted).scalars())
    return found


def _same(table: sa.TableClause, key: tuple[str, ...], values: Values) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == sa.literal(value, _ANY) for name, value in zip(key, values, strict=True)))


def told(key: Values) -> tuple[str, ...]:
    """Returns a key as texts, to be looked for among those that are there."""
    return tuple(map(str, key))


def _insert(connection: sa.Connection, target: Target, rows: Sequence[Values], ends: Values) -> int:
    if rows:
        insert = sa.insert(target.clause).values({name: _bound(name) for name in (*target.columns, *SYSTEM)})
        connection.execute(insert, [_parameters(target, row, ends) for row in rows])
    return len(rows)


def _update(connection: sa.Connection, target: Target, rows: Sequence[Values], ends: Values) -> int:
    free = [name for name in target.columns if name not in target.key]
    if not rows or not free:
        return 0
    table = target.clause
    differs = sa.or_(*(table.c[name].is_distinct_from(_bound(name)) for name in free))
    mine = [table.c[name] == _bound(name) for name in target.key]
    update = sa.update(table).where(*mine, differs).values({name: _bound(name) for name in (*free, *SYSTEM)})
    return connection.execute(update, [_parameters(target, row, ends) for row in rows]).rowcount


def _bound(name: str) -> sa.BindParameter[Json]:
    return sa.bindparam(f"__{name}", type_=_ANY)


def _parameters(target: Target, row: Values, ends: Values) -> dict[str, Json]:
    named = (*zip(target.columns, row, strict=True), *zip(SYSTEM, ends, strict=True))
    return {f"__{name}": value for name, value in named}
