"""The kinds of paging, as they are configured."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.sources.counted import OffsetPaging, PagePaging
from jobs.sources.keyset import KeysetPaging
from jobs.sources.linked import LinkPaging, NextUrlPaging, TokenPaging
from jobs.sources.steps import Ask, Pager, Position, Seen, Span
from jobs.sources.tableapi import ServiceNowPaging


class NoPaging(Pager):
    """Everything comes in one answer."""

    kind: Literal["none"] = "none"

    def ask(self, at: Position, size: int, span: Span) -> Ask:  # noqa: ARG002 - one form for all kinds
        """Returns the only request."""
        return Ask()

    def after(self, seen: Seen) -> Position | None:  # noqa: ARG002 - one form for all kinds
        """Returns None: there is no second page."""
        return None

    def total_of(self, seen: Seen) -> int | None:
        """Returns the number of records in the answer."""
        return seen.count

    def told(self, at: Position) -> str:  # noqa: ARG002 - one form for all kinds
        """Returns the only position in words."""
        return "the only page"


Paging = Annotated[
    NoPaging | OffsetPaging | PagePaging | LinkPaging | NextUrlPaging | TokenPaging | KeysetPaging | ServiceNowPaging,
    Field(discriminator="kind"),
]
