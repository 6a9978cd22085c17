"""Where a sync's rows can go: a table of a SQL database, or a REST API; told apart by the keys that are there."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from jobs.columns import ColumnOptions
from jobs.contract import Context
from jobs.paths import keys
from jobs.progress import Progress
from jobs.sinks.rest import RestDestination
from jobs.sinks.restoptions import RestDestinationOptions
from jobs.sinks.sql import SqlOptions
from jobs.sinks.writeback import WriteBack

Columns = Mapping[str, str | ColumnOptions] | None  # a map, or none


def _tag(value: Any) -> str | None:  # noqa: ANN401 - whatever stands in a configuration
    if isinstance(value, SqlOptions | RestDestinationOptions):
        return "rest" if isinstance(value, RestDestinationOptions) else "sql"
    if not isinstance(value, Mapping):
        return "sql"
    return "sql" if "table" in value else "rest" if "account" in value else None


DestinationOptions = Annotated[
    Annotated[SqlOptions, Tag("sql")] | Annotated[RestDestinationOptions, Tag("rest")],
    Discriminator(
        _tag,
        custom_error_type="destination",
        custom_error_message="expected table, for rows that go into a database, or account, for rows that go to an API",
    ),
]


def rest_problem(options: RestDestinationOptions, source: object, columns: Columns) -> str:
    """Returns what a REST destination wants that source and map do not give; empty where all is well."""
    missing = sorted(options.columns - set(columns)) if columns is not None else []
    if missing:
        place = "key names" if missing[0] in options.key else "names in braces"
        return f"map: the column {missing[0]} is missing, which the destination's {place}"
    if options.delete and not (getattr(source, "deletions", None) or getattr(source, "changed_only", False)):
        given = "source.deletions" if hasattr(source, "deletions") else "source.changed_only = true"
        return f"destination.delete: the source does not tell what is gone; add {given}, or leave delete out"
    if options.write_back is None:
        return ""
    if not isinstance(getattr(source, "table", None), str):
        return "destination.write_back: ids are written back to a table; the source has none"
    lost = [column for column in options.key if not _field(column, columns)]
    return f"destination.write_back: map gives the key {lost[0]} no plain column of the source's table" if lost else ""


def _field(column: str, columns: Columns) -> str:
    """Returns the field of a record that is a column's value as it stands, and nothing where it is none."""
    if columns is None:
        return column
    said = columns[column]
    if isinstance(said, ColumnOptions):
        said = "" if said.constant is not None else said.path or column
    return said if len(keys(said)) == 1 else ""


def rest_destination(
    options: RestDestinationOptions, source: object, columns: Columns, context: Context, progress: Progress
) -> RestDestination:
    """Returns the destination of one attempt."""
    fields = {column: field for column in options.key if (field := _field(column, columns))}
    back = None
    if options.write_back:
        where = getattr(source, "database", None), str(getattr(source, "table", ""))
        back = WriteBack(*where, options.write_back.column, {field: field for field in fields.values()})
    return RestDestination(options, context, progress, back, fields)
