"""The ids that an API gave, written into the table that the rows came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from jobs.contract import Context
from jobs.sinks.parcels import Item
from jobs.sinks.schema import TableUnfit


@dataclass(frozen=True)
class WriteBack:
    """Which column of which table takes the ids; `key` names a row's columns there, by the fields of a record."""

    database: str | None
    table: str
    column: str
    key: Mapping[str, str]  # column of the table to field of the record

    def check(self, context: Context) -> None:
        """Raises TableUnfit where the table lacks one of the columns."""
        with context.read(self.database) as connection:
            inspector = sa.inspect(connection)
            known = (
                [one["name"] for one in inspector.get_columns(self.table)] if _is_there(inspector, self.table) else []
            )
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
        table = sa.table(self.table, *map(sa.column, (self.column, *self.key)))
        keys = [table.c[name] == sa.bindparam(f"key_{number}") for number, name in enumerate(self.key)]
        update = sa.update(table).where(*keys).values({self.column: sa.bindparam("remote_id")})
        connection.execute(update, [self._values(item, remote_id) for item, remote_id in ids])

    def _values(self, item: Item, remote_id: str) -> dict[str, object]:
        named = {f"key_{number}": item.record.get(field) for number, field in enumerate(self.key.values())}
        return named | {"remote_id": remote_id}


def _is_there(inspector: sa.Inspector, table: str) -> bool:
    return inspector.has_table(table)
