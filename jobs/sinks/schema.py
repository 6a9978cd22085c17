"""Destination tables: what they look like, and the DDL that makes and widens them.

A table made here starts with its key, then come `_run_id`, `_synced_at` and `_version`, then the other columns. That
order tells later runs whose a column is: what stands behind `_synced_at` was added by a sync and is written by it
alone; what stands before it was there first, and only what a record names is written there.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from dataclasses import replace as changed

import sqlalchemy as sa

from jobs.kinds import Kind
from jobs.sinks.kinds import Column
from jobs.sinks.tongues import TableUnfit, tongue

__all__ = ["DELETED_AT", "RESERVED", "RUN_ID", "SYNCED_AT", "SYSTEM", "VERSION", "Table", "TableUnfit", "tongue"]

RUN_ID, SYNCED_AT, VERSION = SYSTEM = ("_run_id", "_synced_at", "_version")
DELETED_AT = "_deleted_at"  # only where something marks rows as gone
RESERVED = (*SYSTEM, DELETED_AT)
_SYSTEM_KINDS = {RUN_ID: Kind.INTEGER, SYNCED_AT: Kind.TIMESTAMP, VERSION: Kind.INTEGER}
_NAME = re.compile(r"[^\W\d]\w*")
_LONGEST = 63  # bytes, PostgreSQL's bound


@dataclass
class Table:
    """A destination table as it stands: its columns by name, in their order, and its unique keys.

    `generated` are columns whose values the database makes itself; they are not among the others.
    """

    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    keys: list[set[str]] = field(default_factory=list)
    generated: AbstractSet[str] = frozenset()

    @property
    def own(self) -> list[str]:
        """The columns that were added by a sync."""
        return [column.name for column in self.columns.values() if column.whole]

    def check(self, names: Collection[str]) -> None:
        """Raises TableUnfit where one of these columns takes no values."""
        if not self.generated.isdisjoint(names):
            column = min(self.generated & set(names))
            raise TableUnfit(
                f"the table {self.name} makes the values of its column {column} itself, so none can be written there: "
                "give the field another name, or leave it out by map."
            )


def reflect(connection: sa.Connection, name: str) -> Table | None:
    """Returns a table as it stands; None where there is none."""
    speech = tongue(connection)
    known = speech.look(connection, name)
    if not known.columns:
        return None
    table, whole = Table(name, keys=known.unique, generated=known.generated), False
    for column, kind, bits in known.columns:
        if column in known.generated:
            continue
        exact = known.declared[column] in speech.exact
        table.columns[column] = Column(column, kind, bits, speech.strict, whole and column not in RESERVED, exact)
        whole = whole or column == SYNCED_AT
    return table


def declared_types(connection: sa.Connection, name: str) -> dict[str, str]:
    """Returns the types of a table's columns as the database spells them."""
    return tongue(connection).look(connection, name).declared


def create(connection: sa.Connection, name: str, kinds: Mapping[str, Kind], key: Sequence[str]) -> Table:
    """Makes a table with these columns, the system's columns and the key as its primary key."""
    speech = tongue(connection)
    first = {column: kinds[column] for column in key}
    rest = {column: kind for column, kind in kinds.items() if column not in first}
    parts = [_declared(connection, column, kind, key) for column, kind in (first | _SYSTEM_KINDS | rest).items()]
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(quoted(connection, column) for column in key)})")
    connection.exec_driver_sql(f"CREATE TABLE {quoted(connection, name)} ({', '.join(parts)})")
    columns = {
        column: Column(column, kind, strict=speech.strict, whole=column in rest)
        for column, kind in (first | _SYSTEM_KINDS | rest).items()
    }
    return Table(name, columns, [set(key)] if key else [])


def extend(connection: sa.Connection, table: Table, kinds: Mapping[str, Kind]) -> None:
    """Adds columns to a table; rows that are there get the version 1, and null in all other columns."""
    speech = tongue(connection)
    for column, kind in kinds.items():
        declared = _declared(connection, column, kind) + (" DEFAULT 1" if column == VERSION else "")
        connection.exec_driver_sql(f"ALTER TABLE {quoted(connection, table.name)} ADD COLUMN {declared}")
        added = Column(column, kind, strict=speech.strict)
        table.columns[column] = changed(added, whole=SYNCED_AT in table.columns and column not in RESERVED)


def widen(connection: sa.Connection, table: Table, column: Column) -> Column:
    """Makes a column of integers one of exact decimals, and returns it; rewrites the table."""
    wider = changed(column, kind=Kind.DECIMAL, bits=64)
    name, declared = quoted(connection, column.name), tongue(connection).types[Kind.DECIMAL]
    connection.exec_driver_sql(f"ALTER TABLE {quoted(connection, table.name)} ALTER COLUMN {name} TYPE {declared}")
    table.columns[column.name] = wider
    return wider


def adopt(connection: sa.Connection, table: Table, key: Sequence[str]) -> None:
    """Makes sure that a table can be filled by this key, and has the system's columns; raises TableUnfit."""
    table.check(key)
    missing = [column for column in key if column not in table.columns]
    if missing:
        raise TableUnfit(
            f"the table {table.name} has no column {missing[0]}, which the job's key names; "
            f"it has {', '.join(table.columns)}. Correct the key, or name another table."
        )
    if key and set(key) not in table.keys:
        columns = ", ".join(quoted(connection, column) for column in key)
        raise TableUnfit(
            f"the table {table.name} has no unique index over ({columns}), the job's key. Make one: "
            f"CREATE UNIQUE INDEX {table.name}_key ON {quoted(connection, table.name)} ({columns}), "
            "or name another table."
        )
    extend(connection, table, {name: kind for name, kind in _SYSTEM_KINDS.items() if name not in table.columns})


def aside(name: str, suffix: str) -> str:
    """Returns the name of a table beside another, such as `orders__new`; a long name is cut, its ending kept."""
    return f"{name[: _LONGEST - len(suffix)]}{suffix}"


def _declared(connection: sa.Connection, column: str, kind: Kind, key: Sequence[str] = ()) -> str:
    speech = tongue(connection)
    if column in speech.taken:
        raise TableUnfit(f"{column} cannot be the name of a column: each table has one of its own. Name it in map.")
    declared = speech.key_types.get(kind, speech.types[kind]) if column in key else speech.types[kind]
    return f"{quoted(connection, column)} {declared}"


def quoted(connection: sa.Connection, name: str) -> str:
    """Returns a name as it stands in SQL; raises TableUnfit for what is no plain name."""
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST:
        raise TableUnfit(
            f"{name!r:.80} cannot be the name of a column or table: expected letters, digits and "
            f"underscores, at most {_LONGEST} bytes. Name the columns in map."
        )
    return connection.dialect.identifier_preparer.quote_identifier(name)
