"""Where a sync's records can come from: a REST API, or a database; told apart by the keys that are there."""

from collections.abc import Generator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from jobs.contract import Context
from jobs.flow import Page
from jobs.sources.composed import ApiOptions, ApiSource
from jobs.sources.sql import SqlSource, SqlSourceOptions
from jobs.sources.sqltable import Renamed


def _tag(value: Any) -> str | None:  # noqa: ANN401 - whatever stands in a configuration
    if isinstance(value, ApiOptions | SqlSourceOptions):
        return "rest" if isinstance(value, ApiOptions) else "sql"
    if not isinstance(value, Mapping):
        return "rest"
    return "rest" if "account" in value else "sql" if {"table", "query", "database"}.intersection(value) else None


SourceOptions = Annotated[
    Annotated[ApiOptions, Tag("rest")] | Annotated[SqlSourceOptions, Tag("sql")],
    Discriminator(
        _tag,
        custom_error_type="source",
        custom_error_message="expected account, for records from an API, or table or query, for rows of a database",
    ),
]


def pages(
    options: ApiOptions | SqlSourceOptions,
    context: Context,
    ahead: int,
    database: str | None,
    renamed: Renamed,
) -> Generator[Page]:
    """Yields the pages of a source, whose cursor is kept in the database that the rows go to.

    `ahead` bounds the requests in flight; `renamed` maps rows that a database marks as deleted.
    """
    if isinstance(options, SqlSourceOptions):
        return SqlSource(options, database, renamed).pages(context)
    return ApiSource(options, ahead, database).pages(context)
