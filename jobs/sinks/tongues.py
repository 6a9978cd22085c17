"""How each database says it: types of columns, what it tells of its tables.

SQLite and PostgreSQL are asked in their own words, all others by SQLAlchemy's inspector. MySQL and MariaDB get types
that tell texts apart by every character, as the others do.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from jobs.contract import WorkerError
from jobs.kinds import Kind


class TableUnfit(WorkerError):
    """A destination table cannot take what the job wants to write."""

    kind = "table"
    permanent = True


@dataclass(frozen=True)
class Known:
    """What a database tells of a table.

    `unique` are the columns of each unique index over all rows; `generated` are those that take no values.
    """

    columns: list[tuple[str, Kind, int]]  # name, kind, bits
    declared: dict[str, str]  # types as the database spells them
    unique: list[set[str]]
    generated: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Tongue:
    """How one database says it; a declared type read back gives the kind it was made for."""

    family: Literal["sqlite", "postgresql", "other"]
    types: dict[Kind, str]
    look: Callable[[sa.Connection, str], Known]
    strict: bool  # values must be of the column's type
    cased: bool  # names that differ in case are different names
    most: int  # columns of a table
    taken: frozenset[str] = frozenset()  # columns that each table has
    exact: frozenset[str] = frozenset()  # declared types that keep each value of their kind as it is
    key_types: dict[Kind, str] = field(default_factory=dict)  # where a key's differ

    @property
    def zoned(self) -> bool:
        """Tells whether times are stored with their zone; else they are UTC without one."""
        return self.family != "other"


def _asking(columns: str, unique: str, kind_of: Callable[[str], tuple[Kind, int]]) -> Callable[..., Known]:
    """Returns how a table is looked at by two queries: name, type, is generated, in order; index and column."""

    def look(connection: sa.Connection, name: str) -> Known:
        found = connection.execute(sa.text(columns), {"name": name}).all()
        groups: dict[int, set[str]] = {}
        if found:
            for number, column in connection.execute(sa.text(unique), {"name": name}):
                groups.setdefault(number, set()).add(column)
        told = [(column, *kind_of(declared)) for column, declared, _ in found]
        declared = {column: spelled for column, spelled, _ in found}
        return Known(told, declared, list(groups.values()), {column for column, _, generated in found if generated})

    return look


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
        family="sqlite",
        types=_SQLITE_TYPES,
        look=_asking(
            columns="""
            SELECT name, type, hidden IN (2, 3) FROM pragma_table_xinfo(:name) WHERE hidden <> 1
            ORDER BY cid""",
            unique="""
            SELECT -1 AS number, name FROM pragma_table_info(:name) WHERE pk > 0
            UNION ALL
            SELECT list.seq, info.name
            FROM pragma_index_list(:name) AS list, pragma_index_info(list.name) AS info
            WHERE list."unique" AND NOT list.partial""",
            kind_of=_sqlite_kind,
        ),
        strict=False,
        cased=False,
        most=2000,
    ),
    "postgresql": Tongue(
        family="postgresql",
        types=_POSTGRES_TYPES,
        look=_asking(
            columns="""
            SELECT attname, format_type(atttypid, atttypmod), attgenerated <> '' OR attidentity = 'a'
            FROM pg_attribute
            WHERE attrelid = to_regclass(quote_ident(:name)) AND attnum > 0 AND NOT attisdropped
            ORDER BY attnum""",
            unique="""
            SELECT i.indexrelid, a.attname FROM pg_index i
            CROSS JOIN unnest(i.indkey[0:i.indnkeyatts - 1]) AS part
            LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part AND part > 0
            WHERE i.indrelid = to_regclass(quote_ident(:name)) AND i.indisunique AND i.indpred IS NULL""",
            kind_of=_postgres_kind,
        ),
        strict=True,
        cased=True,
        most=1600,
        taken=frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}),
        exact=frozenset({*_POSTGRES_TYPES.values(), "integer", "smallint", "character varying"}),
    ),
}


_WORDS = sa.Text()
_OTHER_TYPES: dict[Kind, sa.types.TypeEngine[Any]] = {
    Kind.TEXT: _WORDS,
    Kind.INTEGER: sa.BigInteger(),
    Kind.DECIMAL: sa.String(255),  # exact, whatever the bounds of its numbers are
    Kind.FLOAT: sa.Double(),
    Kind.BOOLEAN: sa.Boolean(),
    Kind.TIMESTAMP: sa.DateTime(),
    Kind.DATE: sa.Date(),
    Kind.JSON: _WORDS,
}
_COLLATIONS = {True: "utf8mb4_nopad_bin", False: "utf8mb4_0900_bin"}  # of MariaDB, of MySQL: blanks at the end count
_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], Kind, int], ...] = (
    (sa.Boolean, Kind.BOOLEAN, 64),
    (sa.BigInteger, Kind.INTEGER, 64),
    (sa.SmallInteger, Kind.INTEGER, 16),
    (sa.Integer, Kind.INTEGER, 32),
    (sa.Float, Kind.FLOAT, 64),
    (sa.Numeric, Kind.DECIMAL, 64),
    (sa.DateTime, Kind.TIMESTAMP, 64),
    (sa.Date, Kind.DATE, 64),
    (sa.JSON, Kind.JSON, 64),
    (sa.String, Kind.TEXT, 64),
)


def _kind(told: sa.types.TypeEngine[Any]) -> tuple[Kind, int]:
    if isinstance(told, mysql.TINYINT):
        return (Kind.BOOLEAN, 64) if told.display_width == 1 else (Kind.INTEGER, 8)
    return next(((kind, bits) for own, kind, bits in _KINDS if isinstance(told, own)), (Kind.OTHER, 64))


def _inspected(connection: sa.Connection, name: str) -> Known:
    inspector = sa.inspect(connection)
    if not inspector.has_table(name):
        return Known([], {}, [])
    columns = inspector.get_columns(name)
    told = [(column["name"], *_kind(column["type"])) for column in columns]
    declared = {column["name"]: column["type"].compile(connection.dialect) for column in columns}
    keys = [inspector.get_pk_constraint(name)["constrained_columns"]]
    keys += [constraint["column_names"] for constraint in inspector.get_unique_constraints(name)]
    keys += [[one or "" for one in index["column_names"]] for index in inspector.get_indexes(name) if index["unique"]]
    generated = {one["name"] for one in columns if one.get("computed") or one.get("identity", {}).get("always")}
    return Known(told, declared, [set(key) for key in keys if key], generated)


def tongue(connection: sa.Connection) -> Tongue:
    """Returns how this database says it."""
    return _TONGUES.get(connection.dialect.name) or _other(connection.dialect)


def _other(dialect: sa.Dialect) -> Tongue:
    types, words = _OTHER_TYPES, sa.String(255)
    if dialect.name in {"mysql", "mariadb"}:
        told = {"charset": "utf8mb4", "collation": _COLLATIONS[bool(getattr(dialect, "is_mariadb", False))]}
        texts = dict.fromkeys((Kind.TEXT, Kind.JSON), mysql.LONGTEXT(**told))
        types = types | texts | {Kind.DECIMAL: mysql.DECIMAL(65, 30), Kind.TIMESTAMP: mysql.DATETIME(fsp=6)}
        words = mysql.VARCHAR(255, **told)
    return Tongue(
        family="other",
        types={kind: made.compile(dialect) for kind, made in types.items()},
        look=_inspected,
        strict=True,
        cased=False,
        most=1000,  # Oracle's; the others have more
        key_types={kind: words.compile(dialect) for kind in (Kind.TEXT, Kind.JSON)},
    )
