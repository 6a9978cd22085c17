"""How each database says it: types of columns, what it tells of its tables."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from jobs.contract import WorkerError
from jobs.kinds import Kind


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
