"""Resources below others: for each order its lines, for each table's row what an API knows of it.

Parents come from a database or from another resource; each one's children are a walk of their own, whose path, params
and body hold {parent.NAME}.
"""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from jobs.contract import AccountRef, BadRecord, Context, FailedAnswer, Json
from jobs.flow import Page
from jobs.paths import Getter, Path, descent, getter
from jobs.sources.cursor import CursorOptions, Watermark, read_time
from jobs.sources.lanes import gathered, in_lanes
from jobs.sources.marks import Mark, NoMark, TimeMark
from jobs.sources.resource import ResourceOptions
from jobs.sources.rest import RestSource
from jobs.sources.sql import SqlSource, SqlSourceOptions
from jobs.sources.walk import Walk
from jobs.templates import places

PLACE = "parent."
_NOT_FOUND = 404

Missing = Literal["skip", "fail"]


class ParentResource(ResourceOptions):
    """Parents that an API knows."""

    account: AccountRef = Field(default="", description="Absent: the source's own.")


def _tag(value: Any) -> str:  # noqa: ANN401 - whatever stands in a configuration
    if isinstance(value, Mapping):
        return "table" if {"table", "query", "database"}.intersection(value) else "path"
    return "table" if isinstance(value, SqlSourceOptions) else "path"


ForEach = Annotated[
    Annotated[ParentResource, Tag("path")] | Annotated[SqlSourceOptions, Tag("table")], Discriminator(_tag)
]
Include = dict[str, Path]


class Families:
    """Walks through the children of each parent; `cursor` is over the children's time, alike for all parents.

    It moves at the end only, when the children of all parents are stored; where parents or children may have slipped
    past, it stays.
    """

    def __init__(
        self, source: RestSource, resource: ResourceOptions, parents: ForEach, cursor: CursorOptions | None
    ) -> None:
        self._source, self._parents, self._cursor = source, parents, cursor
        self._account = resource.account
        asked = places([resource.path, resource.params, resource.body])
        self._fields = {name: _descent(name) for name in asked if name.startswith(PLACE)}
        self._reached: list[str] = []
        self._missing = 0

    def pages(
        self, context: Context, include: Include, missing: Missing, parallel: int, stored: Json
    ) -> Generator[Page]:
        """Yields the children's pages in the order of their parents; `stored` is the cursor's value."""
        context.api(self._account)  # here, before several threads ask for it at once
        included = {column: getter(path) for column, path in include.items()}

        def walks() -> Generator[Generator[Page]]:
            with closing(self._parent_pages(context)) as pages:
                for page in pages:
                    if page.rejects or page.partial:
                        yield _alone(page)
                    for parent in page.records:
                        yield self._children(context, parent, included, missing, stored)

        partial = False
        for page in gathered(in_lanes(walks(), parallel)):
            partial = partial or page.partial
            yield page
        if self._missing:
            text = "parents whose children are not found (404) were passed over"
            context.log.warning(text, parents=self._missing)
        yield from self._moved(context, partial=partial)

    def _moved(self, context: Context, *, partial: bool) -> Generator[Page]:
        """Yields the page that moves the cursor, if it moves."""
        newest = max(self._reached, key=datetime.fromisoformat, default=None)
        if newest is not None and not partial:
            yield Page([], cursor=newest)
        elif newest is not None:
            text = "parents or children may have slipped past: the cursor stays for all parents, until the next run"
            context.log.warning(text)

    def _parent_pages(self, context: Context) -> Generator[Page]:
        parents = self._parents
        if isinstance(parents, SqlSourceOptions):
            return SqlSource(parents).pages(context)
        told = parents.model_copy(update={"account": parents.account or self._account})
        return Walk(told, context, NoMark(context)).pages()

    def _children(
        self, context: Context, parent: Json, included: Mapping[str, Getter], missing: Missing, stored: Json
    ) -> Generator[Page]:
        """Yields the pages of one parent's children; a parent that cannot fill the places becomes a reject."""
        try:
            values = {name: get(parent) for name, get in self._fields.items()}
            for page in self._source.walked(context, self._mark(context, stored), values):
                if page.cursor is not None:
                    self._reached.append(page.cursor)
                yield replace(page, records=_with(page.records, parent, included), cursor=None, total=None)
        except BadRecord as error:
            yield Page([], rejects=[(parent, f"its children cannot be asked for: {error}")])
        except FailedAnswer as error:
            if error.status != _NOT_FOUND:
                raise
            if missing == "fail":
                error.args = (f'{error} Set source.missing = "skip" to pass over such parents.', *error.args[1:])
                raise
            self._missing += 1

    def _mark(self, context: Context, stored: Json) -> Mark:
        if self._cursor is None:
            return NoMark(context)
        watermark = Watermark(self._cursor, read_time(stored, "iso"), context.window.until)
        return TimeMark(self._cursor, watermark, whole=False)


def _descent(place: str) -> Getter:
    return descent(tuple(place.removeprefix(PLACE).split(".")))


def _with(records: list[Json], parent: Json, included: Mapping[str, Getter]) -> list[Json]:
    """Returns the records with the parent's fields; they are this walk's own, and changed in place."""
    if included:
        told = {column: get(parent) for column, get in included.items()}
        for record in records:
            record.update(told)
    return records


def _alone(page: Page) -> Generator[Page]:
    yield Page([], rejects=page.rejects, partial=page.partial)
