"""Records from a REST API, page by page."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from jobs.contract import Context, FailedAnswer, Json
from jobs.flow import Page
from jobs.sources.cursor import CursorOptions
from jobs.sources.marks import AnyCursor, Mark, mark_of
from jobs.sources.resource import ResourceOptions
from jobs.sources.tableapi import ServiceNowPaging
from jobs.sources.walk import Walk


class RestOptions(ResourceOptions):
    """A resource of an API, and how it is read again from where the last run got to."""

    cursor: AnyCursor | None = Field(default=None, description="Absent: each run reads everything.")

    @model_validator(mode="after")
    def _cursor_agrees(self) -> Self:
        if self.cursor is None:
            return self
        if self.cursor.carrier == "body" and (self.method == "GET" or not isinstance(self.body, dict | None)):
            raise ValueError('cursor.in = "body" needs method = "POST" and a body that is a table')
        if self.cursor.kind == "opaque":
            if self.format != "json" or isinstance(self.paging, ServiceNowPaging):
                raise ValueError('cursor.kind = "opaque" needs format = "json" and another kind of paging')
        elif isinstance(self.paging, ServiceNowPaging):
            self._check_table(self.cursor)
        elif not self.cursor.param:
            raise ValueError("cursor.param is missing: the parameter that asks for what changed since")
        return self

    def _check_table(self, cursor: CursorOptions) -> None:
        if cursor.param or cursor.until_param:
            raise ValueError(
                'paging.kind = "servicenow" asks for what changed by itself: leave cursor.param, cursor.template and '
                "cursor.until_param out; conditions of one's own stand in paging.filter"
            )
        if self.params.get("sysparm_display_value") == "true":
            raise ValueError('a cursor cannot read display values: set sysparm_display_value to "false" or "all"')
        fields, name = self.params.get("sysparm_fields"), cursor.field.removesuffix(".value")
        if fields is not None and name not in fields.split(","):
            raise ValueError(f"params: sysparm_fields has to name the cursor's field {name}")

    @property
    def sorted_cursor(self) -> AnyCursor | None:
        """The cursor, which moves with each page where the kind of paging sorts by its field."""
        if isinstance(self.cursor, CursorOptions) and isinstance(self.paging, ServiceNowPaging):
            return self.cursor.model_copy(update={"sorted": True})
        return self.cursor


class RestSource:
    """Reads one resource; knows nothing of where the records go.

    `ahead` is how many requests may be in flight at once. The cursor is the job's one of the name `name`, kept where
    the rows go: in `database`, by default the worker's own.
    """

    def __init__(self, options: RestOptions, ahead: int = 0, name: str = "", database: str | None = None) -> None:
        self._options = options
        self._ahead = ahead
        self._name = name
        self._database = database

    def pages(self, context: Context, values: Mapping[str, Json] | None = None) -> Generator[Page]:
        """Yields pages until there are no more; raises BadAnswer where the answers make no sense."""
        mark = mark_of(self._options.sorted_cursor, context, self._name, self._database)
        try:
            yield from self.walked(context, mark, values)
        except FailedAnswer as error:
            again = mark.anew(error)
            if again is None:
                raise
        else:
            return
        yield from self.walked(context, again, values)

    def walked(self, context: Context, mark: Mark, values: Mapping[str, Json] | None = None) -> Generator[Page]:
        """Yields the pages of one walk, whose places are filled with `values` too."""
        for page in Walk(self._options, context, mark, values, self._ahead).pages():
            yield replace(page, cursor_name=self._name) if self._name else page
