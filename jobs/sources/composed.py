"""Records from a REST API: one resource walked through, or many: slices of time, children of parents, deletions."""

from collections.abc import Generator
from typing import Self

from pydantic import Field, model_validator

from jobs.contract import Context
from jobs.flow import Page
from jobs.sources.cursor import CursorOptions, Watermark
from jobs.sources.parents import PLACE, Families, ForEach, Include, Missing, ParentResource
from jobs.sources.rest import RestOptions, RestSource
from jobs.sources.slices import SlicesOptions, sliced
from jobs.sources.tombstones import DeletionsOptions, Tombstones
from jobs.templates import places

_SLICE = "slice."


class ApiOptions(RestOptions):
    """A resource of an API, and what it takes to read all of it."""

    slices: SlicesOptions | None = Field(
        default=None, description="Ask for spans of time one after the other; the cursor moves along them."
    )
    for_each: ForEach | None = Field(
        default=None,
        description="Walk through the resource once for each row of a table, or record of another resource; "
        "{parent.NAME} in path, params and body is a field of it.",
    )
    include: Include = Field(
        default_factory=dict, description="Fields that each child takes from its parent: name to path in the parent."
    )
    missing: Missing = Field(default="fail", description="What a 404 for a parent's children means: skip or fail.")
    parallel: int = Field(default=1, ge=1, le=16, description="Parents whose children are read at once.")
    deletions: DeletionsOptions | None = Field(
        default=None, description="Another resource, whose records name what is gone; read before the first."
    )

    @model_validator(mode="after")
    def _parts_belong_together(self) -> Self:
        asked = places([self.path, self.params, self.body])
        self._check_slices(self.slices, asked)
        self._check_children(asked)
        for name, part in (("for_each", self.for_each), ("deletions", self.deletions)):
            own = places([part.path, part.params, part.body]) if isinstance(part, ParentResource | RestOptions) else ()
            if strange := sorted(place for place in own if place.startswith((PLACE, _SLICE))):
                raise ValueError(f"{name}: nothing is known to fill {{{strange[0]}}}")
        return self

    def _check_slices(self, slices: SlicesOptions | None, asked: set[str]) -> None:
        named = {place for place in asked if place.startswith(_SLICE)}
        if slices is None:
            if named:
                raise ValueError(f"{{{min(named)}}} is filled by slices, which is missing")
            return
        if self.cursor is not None or self.for_each is not None:
            raise ValueError("slices moves a cursor of its own, for one resource: leave cursor and for_each out")
        if strange := named - {"slice.since", "slice.until"}:
            raise ValueError(f"{{{min(strange)}}} is not known: write {{slice.since}} or {{slice.until}}")
        for end in ("since", "until"):
            if not getattr(slices, f"{end}_param") and f"slice.{end}" not in named:
                raise ValueError(f"slices.{end}_param is missing: the parameter of a slice's {end}")

    def _check_children(self, asked: set[str]) -> None:
        named = {place for place in asked if place.startswith(PLACE)}
        if self.for_each is None:
            if named:
                raise ValueError(f"{{{min(named)}}} is a parent's field; for_each, which names the parents, is missing")
            if self.include or self.parallel > 1:
                raise ValueError("include and parallel go with for_each, which is missing")
            return
        if not named:
            raise ValueError("for_each: nothing in path, params and body asks for a field as {parent.NAME}")
        if self.cursor is not None and not isinstance(self.cursor, CursorOptions):
            raise ValueError('cursor.kind = "opaque" does not go with for_each: each parent would have its own')
        if not isinstance(self.for_each, ParentResource) and (self.for_each.cursor or self.for_each.changed_only):
            raise ValueError("for_each: leave cursor and changed_only out; all parents are read in each run")


class ApiSource:
    """Reads what the options compose; `ahead` bounds the requests in flight where one resource is walked through."""

    def __init__(self, options: ApiOptions, ahead: int = 0, database: str | None = None) -> None:
        self._options, self._ahead, self._database = options, ahead, database

    def pages(self, context: Context) -> Generator[Page]:
        """Yields pages until there are no more; what is gone comes first, so that what was made again stays."""
        deletions = self._options.deletions
        if deletions is not None:
            yield from Tombstones(deletions, self._options.account, self._ahead, self._database).pages(context)
        yield from self._records(context)

    def _records(self, context: Context) -> Generator[Page]:
        options = self._options
        if options.slices is not None:
            context.api(options.account)  # here, before several threads ask for it at once
            ahead = self._ahead if options.slices.parallel == 1 else 0
            stored = context.cursor("", self._database).value
            return sliced(options.slices, RestSource(options, ahead), context, stored)
        if options.for_each is not None:
            return self._children(context, options.for_each)
        return RestSource(options, self._ahead, database=self._database).pages(context)

    def _children(self, context: Context, parents: ForEach) -> Generator[Page]:
        options, stored = self._options, None
        cursor = options.sorted_cursor if isinstance(options.sorted_cursor, CursorOptions) else None
        if cursor is not None:
            Watermark.of(cursor, context, "", self._database)  # refuses a cursor that is no time
            stored = context.cursor("", self._database).value
        source = RestSource(options, self._ahead if options.parallel == 1 else 0)
        families = Families(source, options, parents, cursor)
        return families.pages(context, options.include, options.missing, options.parallel, stored)
