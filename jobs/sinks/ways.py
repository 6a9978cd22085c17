"""The ways to fill a table: how each mode begins, what it does with each page, how it ends.

A way works on connections that it is handed; who makes the transactions is the destination.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import sqlalchemy as sa

from jobs.contract import Context, Cursor, Unit
from jobs.flow import Batch
from jobs.kinds import Kind
from jobs.mapped import Parted
from jobs.sinks import replacing, schema, state, versions
from jobs.sinks.bulk import Stamp
from jobs.sinks.filling import Filling, Rules
from jobs.sinks.mirror import AT_ONCE, Seen
from jobs.sinks.removal import Removal
from jobs.sinks.sqloptions import SqlOptions
from jobs.sinks.taking import Taken


@dataclass(frozen=True)
class Intake:
    """What a destination is told of the rows that will come."""

    whole: bool = True  # a row is all there is: no map chose its columns
    kinds: Mapping[str, Kind] = field(default_factory=dict)  # declared ones, by column
    keys: Parted = field(default=lambda records: (records, []))  # the columns of the key, of records that got no row
    resumes: bool = False  # the source goes on where a cursor stands
    complete: bool = True  # this pass brings everything that the source has


class Units(Protocol):
    """Opens the transactions of a destination."""

    def __call__(self) -> AbstractContextManager[tuple[Unit, Stamp]]:
        """Opens one, with the stamp of what it writes."""


class Upsert:
    """Rows are added or changed by their key; this is also how rejects are tried again."""

    def __init__(self, options: SqlOptions, context: Context, intake: Intake) -> None:
        self.options, self.context, self.intake = options, context, intake
        self.filling = self._filling(options.table)
        self.removal = Removal(options, context.log)

    def _filling(self, table: str) -> Filling:
        frozen = self.options.table_schema == "freeze"
        key = self.options.key if self.options.mode != "append" else ()
        return Filling(table, key, Rules(self.intake.whole, self.intake.kinds, frozen), self.context.log)

    def open(self, connection: sa.Connection) -> None:
        """Looks at the table in the first transaction."""
        self.filling.open(connection)
        versions.prepare(connection, self.options.table, self.filling.table)

    def version(self, connection: sa.Connection) -> int:
        """Returns the version that the rows of a transaction carry."""
        return versions.move(connection, self.options.table)

    def took(self, connection: sa.Connection, batch: Batch, taken: Taken) -> None:
        """Is told what became of a batch, in its transaction."""

    def booked(self, connection: sa.Connection, stamp: Stamp, *, moved: bool) -> bool:  # noqa: ARG002 - others need it
        """Is told whether the cursor moved with a batch; True asks for a new version for the next one."""
        return False

    def finish(self, units: Units) -> None:
        """Ends a run whose pages are all stored."""


class Append(Upsert):
    """Each run adds its rows; what an attempt stored and no cursor covers goes when the next one begins."""

    def open(self, connection: sa.Connection) -> None:
        """Looks at the table, and deletes what is to come again."""
        super().open(connection)
        if self.context.params.get("rejects"):
            return
        if self.intake.resumes:
            self._forget_uncovered(connection)
        elif self.context.attempt > 1:
            self._delete(connection, self.context.run_id, 0)

    def _forget_uncovered(self, connection: sa.Connection) -> None:
        state.make(connection, state.CURSORS)
        covered, run_id = state.cursor(connection, self.context.job, self._name)
        if run_id is not None:
            self._delete(connection, run_id, covered.value or 0)
        self._cover(connection, versions.standing(connection, self.options.table) or 0)

    def _delete(self, connection: sa.Connection, run_id: int, after_version: int) -> None:
        if self.filling.table is not None:
            table = sa.table(self.options.table, *map(sa.column, schema.SYSTEM))
            mine = table.c[schema.RUN_ID] == run_id, table.c[schema.VERSION] > after_version
            connection.execute(sa.delete(table).where(*mine))

    def booked(self, connection: sa.Connection, stamp: Stamp, *, moved: bool) -> bool:
        """Remembers up to which version rows are covered by the cursor."""
        if moved and self.intake.resumes:
            self._cover(connection, stamp.version)
        return moved

    def _cover(self, connection: sa.Connection, version: int) -> None:
        before, _ = state.cursor(connection, self.context.job, self._name)
        moved = Cursor(version, before.version + 1)
        state.place(connection, self.context.job, self._name, moved, self.context.run_id)

    @property
    def _name(self) -> str:
        return f"appended:{self.options.table}"


class Replace(Upsert):
    """Each run makes the table anew, aside; a run that fails leaves the old one as it was."""

    def __init__(self, options: SqlOptions, context: Context, intake: Intake) -> None:
        super().__init__(options, context, intake)
        self._live = self.filling
        self.filling = self._filling(schema.aside(options.table, "__new"))
        self._version = 0

    def open(self, connection: sa.Connection) -> None:
        """Makes an empty table like the one that stands, and drops what an earlier attempt left."""
        self._live.open(connection)
        versions.prepare(connection, self.options.table, self._live.table)
        replacing.drop(connection, self.filling.name)
        if self._live.table is not None:
            replacing.check(connection, self.options.table)
            replacing.make_like(connection, self.options.table, self.filling.name, self.options.key)
        self.filling.open(connection, fresh=True)
        # The rows are seen when the counter gets there, which is with the swap.
        self._version = (versions.standing(connection, self.options.table) or 0) + 1

    def version(self, connection: sa.Connection) -> int:  # noqa: ARG002 - the counter stays where it is
        """Returns the version that the table gets at the end."""
        return self._version

    def finish(self, units: Units) -> None:
        """Puts the new table in the place of the old one."""
        with units() as (unit, _):
            connection, new = unit.connection, self.filling.table
            if new is None:
                return
            version = versions.move(connection, self.options.table)
            if version != self._version:  # somebody else wrote into the old table meanwhile
                connection.execute(sa.update(sa.table(new.name, sa.column(schema.VERSION))).values(_version=version))
            replacing.swap(connection, self.options.table, new.name, is_new=self._live.table is None)


class Mirror(Upsert):
    """As upsert; after a whole pass what was not met is gone."""

    def __init__(self, options: SqlOptions, context: Context, intake: Intake) -> None:
        super().__init__(options, context, intake)
        self._seen = Seen(options.table, options.key) if intake.complete else None
        self._unreadable = 0  # records of the pass whose key nobody knows
        self._is_partial = False  # records may have slipped past it

    def open(self, connection: sa.Connection) -> None:
        """Looks at the table, and begins a pass."""
        super().open(connection)
        if self._seen is not None:
            self._seen.open(connection)
            if self.filling.table is not None:
                self.removal.open(connection, self.filling.table)

    def took(self, connection: sa.Connection, batch: Batch, taken: Taken) -> None:
        """Remembers the keys that came, those of rejected records too."""
        self._is_partial |= batch.page.partial
        if self._seen is None or not (batch.page.records or batch.page.rejects):
            return
        rejected = [record for record, _ in batch.rejects]
        named, nameless = self.intake.keys(rejected)
        found, without = self.filling.keys_of(named)
        self._unreadable += len(nameless) + len(without)
        if self.filling.table is not None:
            self.removal.open(connection, self.filling.table)
            self._seen.add(connection, [*taken.keys, *found], doubted=bool(taken.refused or found))

    def finish(self, units: Units) -> None:
        """Marks or deletes what was not met; raises TooManyGone where that is more than the guard allows."""
        seen = self._seen
        if seen is None:
            return
        if self.filling.table is None:  # no page came
            with units():
                pass
        if self._unreadable:
            self.context.log.warning(
                "nothing was taken away: records of this pass could not be read", records=self._unreadable
            )
        elif self._is_partial:
            self.context.log.warning("nothing was taken away: records left the list while its pages were read")
        elif self.filling.table is not None:
            self._remove(units, seen, self.filling.table)
        with units() as (unit, _):
            seen.drop(unit.connection)

    def _remove(self, units: Units, seen: Seen, table: schema.Table) -> None:
        with units() as (unit, _):
            seen.settle(unit.connection)
        with self.context.read(self.options.database) as connection:
            seen.check(connection)
            self.removal.measure(connection, table)
            self.removal.allow(table, seen.count_unseen(connection, table, self.removal))
        for keys in self._batches(seen, table):
            with units() as (unit, stamp):
                unit.count(deleted=self.removal.remove(unit.connection, table, [(key, None) for key in keys], stamp))

    def _batches(self, seen: Seen, table: schema.Table) -> Iterator[list[tuple[object, ...]]]:
        after: tuple[object, ...] | None = None
        while True:
            with self.context.read(self.options.database) as connection:
                keys = seen.batch(connection, table, self.removal, after)
            for start in range(0, len(keys), AT_ONCE):
                self.context.check()
                yield keys[start : start + AT_ONCE]
            if not keys:
                return
            after = keys[-1]


def way(options: SqlOptions, context: Context, intake: Intake) -> Upsert:
    """Returns the way of a mode; rejects that are tried again go straight into the table."""
    modes = {"upsert": Upsert, "append": Append, "replace": Replace, "mirror": Mirror}
    again = bool(context.params.get("rejects")) and options.mode != "append"
    return Upsert(options, context, intake) if again else modes[options.mode](options, context, intake)
