"""The ids that an API gave, written into the table that the rows came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from jobs.contract import Context
from jobs.sinks.parcels import Item
from jobs.sinks.schema import TableUnfit


@dataclass(frozen=True)
class WriteBack:
    """Which column of which table takes the ids; `key` names a row's columns there, by the fields of a record.

    The table's name may tell its schema before a dot, as the source's may.
    """

    database: str | None
    table: str
    column: str
    key: Mapping[str, str]  # column of the table to field of the record

    def check(self, context: Context) -> None:
        """Raises TableUnfit where the table lacks one of the columns."""
        with context.read(self.database) as connection:
            known = _columns(sa.inspect(connection), *self._parts)
        for name in (self.column, *self.key):
            if name not in known:
                raise TableUnfit(
                    f"the table {self.table} has no column {name}, which write_back needs; "
                    f"it has {', '.join(known) or 'none'}. Add the column, or name another."
                )

    def write(self, connection: sa.Connection, ids: Sequence[tuple[Item, str]]) -> None:
        """Writes ids to their rows; a row's `_version` stays, so that the id alone is no change to be sent."""
        if not ids:
            return
        name, schema = self._parts
        table = sa.table(name, *map(sa.column, (self.column, *self.key)), schema=schema)
        keys = [table.c[name] == sa.bindparam(f"key_{number}") for number, name in enumerate(self.key)]
        update = sa.update(table).where(*keys).values({self.column: sa.bindparam("remote_id")})
        connection.execute(update, [self._values(item, remote_id) for item, remote_id in ids])

    @property
    def _parts(self) -> tuple[str, str | None]:
        schema, _, name = self.table.rpartition(".")
        return name, schema or None

    def _values(self, item: Item, remote_id: str) -> dict[str, object]:
        named = {f"key_{number}": item.record.get(field) for number, field in enumerate(self.key.values())}
        return named | {"remote_id": remote_id}


def _columns(inspector: sa.Inspector, name: str, schema: str | None) -> list[str]:
    """Returns the names of a table's columns; none where there is no such table."""
    if not inspector.has_table(name, schema):
        return []
    return [column["name"] for column in inspector.get_columns(name, schema)]
