"""What a table of a user's database is like: its columns, how they keep their values, its primary key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sqlalchemy as sa

from jobs.contract import GiveUp
from jobs.sources.values import Form

_SQLITE = "SELECT name, type, pk FROM pragma_table_info(:name) ORDER BY cid"
_POSTGRES = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod),
        coalesce(array_position(i.indkey::int2[], a.attnum) - array_lower(i.indkey::int2[], 1) + 1, 0)
    FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = to_regclass(:name) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum"""
_POSTGRES_FORMS: dict[str, Form] = {
    "timestamp with time zone": "aware",
    "timestamp without time zone": "naive",
    "date": "date",
}
_SQLITE_FORMS: dict[str, Form] = {"JSON_TEXT": "json", "JSON": "json", "BOOLEAN": "boolean", "BOOL": "boolean"}


@dataclass(frozen=True)
class SourceTable:
    """A table or view as it stands; `schema` is empty where the name does not say it."""

    name: str
    schema: str
    forms: Mapping[str, Form]  # by column, in their order
    key: tuple[str, ...]  # of a view: none
    indexed: frozenset[str] = frozenset()  # columns by which an index finds rows in their order

    @property
    def columns(self) -> tuple[str, ...]:
        """Its columns' names."""
        return tuple(self.forms)

    @property
    def told(self) -> str:
        """Its name as it was configured."""
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @cached_property
    def clause(self) -> sa.TableClause:
        """The table in a statement."""
        return sa.table(self.name, *map(sa.column, self.columns), schema=self.schema or None)


def look_at(connection: sa.Connection, told: str) -> SourceTable:
    """Returns the table of this name, which may name its schema before a dot; raises GiveUp where there is none."""
    found = _found(connection, told)
    return replace(found, indexed=frozenset({*found.key[:1], *_leading(connection, found)}))


def _leading(connection: sa.Connection, table: SourceTable) -> Iterator[str]:
    """Yields the first column of each index over all rows."""
    for index in sa.inspect(connection).get_indexes(table.name, schema=table.schema or None):
        is_partial = any(option.endswith("_where") for option in index.get("dialect_options", ()))
        if index["column_names"] and index["column_names"][0] and not is_partial:
            yield index["column_names"][0]


def _found(connection: sa.Connection, told: str) -> SourceTable:
    schema, _, name = told.rpartition(".")
    kind = connection.dialect.name
    if kind == "sqlite" and not schema:
        found = _rows(connection, _SQLITE, name)
        forms = {
            column: _SQLITE_FORMS.get(declared.upper().partition("(")[0], "plain") for column, declared, _ in found
        }
    elif kind == "postgresql":
        quote = connection.dialect.identifier_preparer.quote_identifier
        found = _rows(connection, _POSTGRES, ".".join(quote(part) for part in (schema, name) if part))
        forms = {
            column: _POSTGRES_FORMS.get(declared.partition("(")[0], _postgres(declared))
            for column, declared, _ in found
        }
    else:
        return _by_inspection(connection, told)
    if not found:
        raise _missing(connection, told, schema)
    key = tuple(column for column, _, place in sorted(found, key=lambda row: row[2]) if place)
    return SourceTable(name, schema, forms, key)


def _rows(connection: sa.Connection, query: str, name: str) -> list[tuple[str, str, int]]:
    return [tuple(row) for row in connection.execute(sa.text(query), {"name": name})]


def _postgres(declared: str) -> Form:
    """Returns the form of a type whose precision stands in its middle: timestamp(3) with time zone."""
    if declared.startswith("timestamp"):
        return "aware" if declared.endswith("with time zone") else "naive"
    return "plain"


def _by_inspection(connection: sa.Connection, told: str) -> SourceTable:
    schema, _, name = told.rpartition(".")
    inspector = sa.inspect(connection)
    try:
        columns = inspector.get_columns(name, schema=schema or None)
    except sa.exc.NoSuchTableError:
        raise _missing(connection, told, schema) from None
    key = inspector.get_pk_constraint(name, schema=schema or None)["constrained_columns"]
    return SourceTable(name, schema, {one["name"]: _form(one["type"]) for one in columns}, tuple(key))


def _form(declared: sa.types.TypeEngine[object]) -> Form:
    if isinstance(declared, sa.DateTime):
        return "aware" if declared.timezone else "naive"
    kinds: tuple[tuple[type, Form], ...] = ((sa.Date, "date"), (sa.JSON, "json"), (sa.Boolean, "boolean"))
    return next((form for kind, form in kinds if isinstance(declared, kind)), "plain")


def _missing(connection: sa.Connection, told: str, schema: str) -> GiveUp:
    inspector = sa.inspect(connection)
    known = sorted([*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)])
    there = f"there are {', '.join(known[:20])}{' ...' if len(known) > 20 else ''}" if known else "there is none at all"  # noqa: PLR2004 - names that a person reads
    return GiveUp(f"there is no table {told}; {there}. Correct source.table, or let what fills it run first.")
