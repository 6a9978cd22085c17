"""Destination tables: what they look like, and the DDL that makes and widens them.

A table made here starts with its key, then come `_run_id` and `_synced_at`, then the other columns. That order
tells later runs whose a column is: what stands behind `_synced_at` was added by a sync and is written by it alone;
what stands before it was there first, and only what a record names is written there.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed

import sqlalchemy as sa

from jobs.contract import WorkerError
from jobs.kinds import Kind
from jobs.sinks.kinds import Column

RUN_ID, SYNCED_AT = SYSTEM = ("_run_id", "_synced_at")
_NAME = re.compile(r"[^\W\d]\w*")
_LONGEST = 63  # bytes, PostgreSQL's bound


class TableUnfit(WorkerError):
    """A destination table cannot take what the job wants to write."""

    kind = "table"
    permanent = True


@dataclass(frozen=True)
class Tongue:
    """How one database says it; a declared type read back gives the kind it was made for."""

    types: dict[Kind, str]
    columns: str  # query: name and declared type, in order
    unique: str  # query: number of the index and column, for unique indexes over columns of all rows
    kind_of: Callable[[str], tuple[Kind, int]]
    strict: bool  # values must be of the column's type
    cased: bool  # names that differ in case are different names
    taken: frozenset[str] = frozenset()  # columns that each table has


@dataclass
class Table:
    """A destination table as it stands: its columns by name, in their order, and its unique keys."""

    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    keys: list[set[str]] = field(default_factory=list)

    @property
    def own(self) -> list[str]:
        """The columns that were added by a sync."""
        return [column.name for column in self.columns.values() if column.whole]


def _sqlite_kind(declared: str) -> tuple[Kind, int]:
    name = declared.upper().partition("(")[0].strip()
    for kind, own in _SQLITE_TYPES.items():
        if name == own:
            return kind, 64
    affinities = (("INT", Kind.INTEGER), ("CHAR|CLOB|TEXT", Kind.TEXT), ("REAL|FLOA|DOUB", Kind.FLOAT))
    return next((kind for pattern, kind in affinities if re.search(pattern, name)), Kind.OTHER), 64


def _postgres_kind(declared: str) -> tuple[Kind, int]:
    name = re.sub(r"\(.*?\)", "", declared)
    return _POSTGRES_KINDS.get(name, (Kind.OTHER, 64))


_SQLITE_TYPES = {
    Kind.TEXT: "TEXT",
    Kind.INTEGER: "INTEGER",
    Kind.DECIMAL: "DECIMAL_TEXT",  # "TEXT" in a name makes SQLite keep text as it is (datatype3, 3.1)
    Kind.FLOAT: "REAL",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIMESTAMP: "TIMESTAMP_TEXT",
    Kind.DATE: "DATE_TEXT",
    Kind.JSON: "JSON_TEXT",
}
_POSTGRES_TYPES = {
    Kind.TEXT: "text",
    Kind.INTEGER: "bigint",
    Kind.DECIMAL: "numeric",
    Kind.FLOAT: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.TIMESTAMP: "timestamp with time zone",
    Kind.DATE: "date",
    Kind.JSON: "jsonb",
}
_POSTGRES_KINDS = {own: (kind, 64) for kind, own in _POSTGRES_TYPES.items()} | {
    "integer": (Kind.INTEGER, 32),
    "smallint": (Kind.INTEGER, 16),
    "character varying": (Kind.TEXT, 64),
    "timestamp without time zone": (Kind.NAIVE, 64),
}
_TONGUES = {
    "sqlite": Tongue(
        types=_SQLITE_TYPES,
        columns="SELECT name, type FROM pragma_table_info(:name) ORDER BY cid",
        unique="""
            SELECT -1 AS number, name FROM pragma_table_info(:name) WHERE pk > 0
            UNION ALL
            SELECT list.seq, info.name
            FROM pragma_index_list(:name) AS list, pragma_index_info(list.name) AS info
            WHERE list."unique" AND NOT list.partial""",
        kind_of=_sqlite_kind,
        strict=False,
        cased=False,
    ),
    "postgresql": Tongue(
        types=_POSTGRES_TYPES,
        columns="""
            SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
            WHERE attrelid = to_regclass(quote_ident(:name)) AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum""",
        unique="""
            SELECT i.indexrelid, a.attname FROM pg_index i
            CROSS JOIN unnest(i.indkey[0:i.indnkeyatts - 1]) AS part
            LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part AND part > 0
            WHERE i.indrelid = to_regclass(quote_ident(:name)) AND i.indisunique AND i.indpred IS NULL""",
        kind_of=_postgres_kind,
        strict=True,
        cased=True,
        taken=frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}),
    ),
}


def tongue(connection: sa.Connection) -> Tongue:
    """Returns how this database says it; raises TableUnfit for one that is not known."""
    known = _TONGUES.get(connection.dialect.name)
    if known is None:
        raise TableUnfit(f"tables can be filled on {' and '.join(_TONGUES)}, not on {connection.dialect.name}")
    return known


def reflect(connection: sa.Connection, name: str) -> Table | None:
    """Returns a table as it stands; None where there is none."""
    speech = tongue(connection)
    found = connection.execute(sa.text(speech.columns), {"name": name}).all()
    if not found:
        return None
    table, whole = Table(name), False
    for column, declared in found:
        kind, bits = speech.kind_of(declared)
        table.columns[column] = Column(column, kind, bits, speech.strict, whole)
        whole = whole or column == SYNCED_AT
    groups: dict[int, set[str]] = {}
    for number, column in connection.execute(sa.text(speech.unique), {"name": name}):
        groups.setdefault(number, set()).add(column)
    table.keys = list(groups.values())
    return table


def create(connection: sa.Connection, name: str, kinds: dict[str, Kind], key: Sequence[str]) -> Table:
    """Makes a table with these columns, the system's columns and the key as its primary key."""
    speech = tongue(connection)
    first = {column: kinds[column] for column in key}
    system = {RUN_ID: Kind.INTEGER, SYNCED_AT: Kind.TIMESTAMP}
    rest = {column: kind for column, kind in kinds.items() if column not in first}
    parts = [_declared(connection, column, kind) for column, kind in (first | system | rest).items()]
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(quoted(connection, column) for column in key)})")
    connection.exec_driver_sql(f"CREATE TABLE {quoted(connection, name)} ({', '.join(parts)})")
    columns = {
        column: Column(column, kind, strict=speech.strict, whole=column in rest)
        for column, kind in (first | system | rest).items()
    }
    return Table(name, columns, [set(key)] if key else [])


def extend(connection: sa.Connection, table: Table, kinds: dict[str, Kind]) -> None:
    """Adds columns to a table."""
    speech = tongue(connection)
    for column, kind in kinds.items():
        declared = _declared(connection, column, kind)
        connection.exec_driver_sql(f"ALTER TABLE {quoted(connection, table.name)} ADD COLUMN {declared}")
        added = Column(column, kind, strict=speech.strict)
        table.columns[column] = changed(added, whole=SYNCED_AT in table.columns)


def adopt(connection: sa.Connection, table: Table, key: Sequence[str]) -> None:
    """Makes sure that a table can be filled by this key, and has the system's columns; raises TableUnfit."""
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
    system = {RUN_ID: Kind.INTEGER, SYNCED_AT: Kind.TIMESTAMP}
    extend(connection, table, {column: kind for column, kind in system.items() if column not in table.columns})


def _declared(connection: sa.Connection, column: str, kind: Kind) -> str:
    speech = tongue(connection)
    if column in speech.taken:
        raise TableUnfit(f"{column} cannot be the name of a column: each table has one of its own. Name it in map.")
    return f"{quoted(connection, column)} {speech.types[kind]}"


def quoted(connection: sa.Connection, name: str) -> str:
    """Returns a name as it stands in SQL; raises TableUnfit for what is no plain name."""
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST:
        raise TableUnfit(
            f"{name!r:.80} cannot be the name of a column or table: expected letters, digits and "
            f"underscores, at most {_LONGEST} bytes. Name the columns in map."
        )
    return connection.dialect.identifier_preparer.quote_identifier(name)
