"""What a whole pass has met: the keys stand in a table of their own, beside the one that mirrors the source.

What is not among them after the last page is gone from the source. Rows are not rewritten to say that they were seen.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from jobs.contract import Json, RetryLater
from jobs.sinks import portable, schema
from jobs.sinks.removal import Removal, untyped
from jobs.sinks.taking import Values, blames_a_row
from jobs.sinks.tongues import tongue

AT_ONCE = 1000  # rows marked or deleted in one transaction
_LOOKED_FOR = 20_000  # keys found by one query, which may have to go through both tables


class Seen:
    """The keys of one pass, in `TABLE__seen`."""

    def __init__(self, table: str, key: Sequence[str]) -> None:
        self.name = schema.aside(table, "__seen")
        self._of, self._key = table, tuple(key)
        self._types: dict[str, str] = {}  # as the database spells them
        self._made = False
        self._count = 0

    def open(self, connection: sa.Connection) -> None:
        """Drops what an earlier attempt left."""
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {schema.quoted(connection, self.name)}")
        self._made, self._count = False, 0

    def add(self, connection: sa.Connection, keys: Sequence[Values], *, doubted: bool = False) -> None:
        """Adds keys as they are stored, of `doubted` ones those that a row can have; their table must be there."""
        if not self._made:
            self._make(connection)
        if keys:
            (self._add_fitting if doubted else self._add)(connection, keys)

    def _add_fitting(self, connection: sa.Connection, keys: Sequence[Values]) -> None:
        """Adds keys of which the database may refuse some, as it refuses their rows."""
        try:
            with connection.begin_nested():
                self._add(connection, keys)
        except Exception as error:
            if not blames_a_row(error, connection):
                raise
            half = len(keys) // 2
            for part in (keys[:half], keys[half:]) if half else ():
                self._add_fitting(connection, part)

    def _add(self, connection: sa.Connection, keys: Sequence[Values]) -> None:
        ways = {"sqlite": self._inserted, "postgresql": self._copied, "other": self._added}
        self._count += ways[tongue(connection).family](connection, keys)

    def _make(self, connection: sa.Connection) -> None:
        known = self._types = schema.declared_types(connection, self._of)
        columns = ", ".join(f"{schema.quoted(connection, name)} {known[name]} NOT NULL" for name in self._key)
        key = ", ".join(schema.quoted(connection, name) for name in self._key)
        family = tongue(connection).family
        made = "CREATE UNLOGGED TABLE" if family == "postgresql" else "CREATE TABLE"
        end = " WITHOUT ROWID" if family == "sqlite" else ""
        name = schema.quoted(connection, self.name)
        connection.exec_driver_sql(f"{made} {name} ({columns}, PRIMARY KEY ({key})){end}")
        self._made = True

    def _inserted(self, connection: sa.Connection, keys: Sequence[Values]) -> int:
        places = ", ".join("?" * len(self._key))
        insert = f"INSERT OR IGNORE INTO {schema.quoted(connection, self.name)} VALUES ({places})"  # noqa: S608 - quoted
        return connection.exec_driver_sql(insert, list(keys)).rowcount

    def _copied(self, connection: sa.Connection, keys: Sequence[Values]) -> int:
        taken = ", ".join(f"part_{number}::{self._types[name]}" for number, name in enumerate(self._key))
        parts = ", ".join(f"part_{number}" for number in range(len(self._key)))
        arrays = ", ".join(["%s::text[]"] * len(self._key))
        name = schema.quoted(connection, self.name)
        insert = f"INSERT INTO {name} SELECT {taken} FROM unnest({arrays}) AS keys({parts}) ON CONFLICT DO NOTHING"  # noqa: S608 - quoted
        texts = tuple([str(value) for value in values] for values in zip(*keys, strict=True))
        return connection.exec_driver_sql(insert, texts).rowcount

    def _added(self, connection: sa.Connection, keys: Sequence[Values]) -> int:
        target = portable.Target(self.name, self._key, self._key)
        different = {portable.told(key): key for key in keys}
        known = portable.there(connection, target, list(different.values()))
        table = sa.table(self.name, *map(untyped, self._key))
        new = [dict(zip(self._key, key, strict=True)) for told, key in different.items() if told not in known]
        if new:
            connection.execute(sa.insert(table), new)
        return len(new)

    def check(self, connection: sa.Connection) -> None:
        """Raises RetryLater where keys are missing: PostgreSQL empties an unlogged table when it has crashed."""
        if not self._made:
            return
        found = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(self.name)))
        if found != self._count:
            raise RetryLater(
                f"the table {self.name} holds {found} keys of the {self._count} that this pass has met, so the "
                "database must have crashed meanwhile; the pass is made again.",
                after_s=0,
            )

    def settle(self, connection: sa.Connection) -> None:
        """Lets PostgreSQL count what it is about to join; it would plan for a table of no rows."""
        if self._made and connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"ANALYZE {schema.quoted(connection, self.name)}")

    def unseen(
        self, rows: sa.TableClause, removal: Removal, after: tuple[Json, ...] | None = None
    ) -> sa.ColumnElement[bool]:
        """Returns the condition that a row of the mirror was not met; `after` bounds both sides of the look-up."""
        if not self._made:
            return removal.is_live(rows)
        seen = sa.table(self.name, *map(untyped, self._key))
        same = sa.and_(*(rows.c[name] == seen.c[name] for name in self._key))
        if after is not None:
            same = sa.and_(same, _beyond([seen.c[name] for name in self._key], after))
        return sa.and_(removal.is_live(rows), ~sa.exists().select_from(seen).where(same).correlate(rows))

    def count_unseen(self, connection: sa.Connection, table: schema.Table, removal: Removal) -> int:
        """Returns how many rows of the mirror were not met."""
        rows = removal.live(table)
        count = sa.select(sa.func.count()).select_from(rows).where(self.unseen(rows, removal))
        return connection.scalar(count) or 0

    def batch(
        self, connection: sa.Connection, table: schema.Table, removal: Removal, after: tuple[Json, ...] | None
    ) -> list[tuple[Json, ...]]:
        """Returns the next keys, in their order, of rows that were not met."""
        rows = removal.live(table)
        key = [rows.c[name] for name in self._key]
        wanted = sa.select(*key).where(self.unseen(rows, removal, after)).order_by(*key).limit(_LOOKED_FOR)
        if after is not None:
            wanted = wanted.where(_beyond(key, after))
        return [tuple(row) for row in connection.execute(wanted)]

    def drop(self, connection: sa.Connection) -> None:
        """Drops the keys once the pass is over."""
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {schema.quoted(connection, self.name)}")


def _beyond(key: Sequence[sa.ColumnElement[Json]], after: tuple[Json, ...]) -> sa.ColumnElement[bool]:
    """Returns the condition that a key comes after another."""
    values = [sa.literal(value, sa.types.NullType()) for value in after]
    if len(key) == 1:
        return key[0] > values[0]
    return sa.tuple_(*key) > sa.tuple_(*values)
