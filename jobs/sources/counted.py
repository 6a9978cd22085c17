"""Paging by counting: offsets and page numbers.

Where the answers tell a total, the positions to come are known and asked for side by side. An answer that was asked
for ahead counts only if it tells the same total as the page before it, else it is asked for again: a record that was
added in front between two requests in flight would otherwise be left out. What no total shows is a record that moves
to the front while another one goes: a list in which that happens (the latest change first) is read one page after the
other, with `parallel = false`.

Where the total sinks from one page to the next, a record left, and one behind it may have moved up past the walk. A
cursor of time then stays where it is, and the next run reads what this one may have missed.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from jobs.contract import BadAnswer
from jobs.paths import OptionalPath
from jobs.sources.steps import Ask, Carrier, Position, Seen, Sized, Span, whole_number


class Counted(Sized):
    """Pages whose end shows by itself where the answer tells no total."""

    until: Literal["empty", "short"] = Field(
        default="empty",
        description="Without a total, the page that ends the walk. short saves a request, and loses records "
        "where the server gives fewer than asked for.",
    )
    total: OptionalPath = Field(default="", description="JMESPath to the number of all records.")
    parallel: bool = Field(
        default=True,
        description="Pages are asked for side by side where the total is known; false for lists in which records move "
        "to the front while they are read.",
    )
    carrier: Carrier = Field(default="query", alias="in", description="Where the paging's parameters stand.")

    @property
    def carried_in(self) -> Carrier:
        """Where its parameters stand."""
        return self.carrier

    @property
    def slips(self) -> bool:
        """Says that they do."""
        return True

    def start(self) -> Position:
        """Returns the first record's offset."""
        return 0

    def ended(self, seen: Seen) -> bool:
        """Tells whether a page without a total is the last one."""
        return seen.count == 0 or (self.until == "short" and seen.count < seen.size)

    def total_of(self, seen: Seen) -> int | None:
        """Returns how many records there are in all, where the answer tells."""
        return whole_number(seen, self.total) if self.total else None

    def told(self, at: Position) -> str:
        """Returns an offset in words."""
        return f"offset {at}"

    def ahead(self, seen: Seen, size: int, end: int | None) -> Iterable[Position]:
        """Returns the offsets behind a page, up to an end where one is known."""
        return range(seen.at + seen.size, end, size) if self.parallel and end is not None else ()


class OffsetPaging(Counted):
    """The next page starts so many records further on."""

    kind: Literal["offset"]
    offset_param: str = "offset"
    limit_param: str = "limit"
    snaps: bool = Field(
        default=False,
        description="The server moves an offset to the page that holds it: it stays a multiple of the size.",
    )

    def ask(self, at: Position, size: int, span: Span) -> Ask:  # noqa: ARG002 - one form for all kinds
        """Returns the request for the page at this offset."""
        return Ask({self.offset_param: at, self.limit_param: size})

    def after(self, seen: Seen) -> Position | None:
        """Returns the offset behind this page; raises BadAnswer where total and page do not agree."""
        total, step = self.total_of(seen), seen.size if self.snaps else seen.count
        if total is None:
            return None if self.ended(seen) else seen.at + step
        due = min(seen.size, total - seen.at) if self.snaps else min(1, total - seen.at)
        check_count(seen, total, due, self.snaps, f"{self.limit_param} and {self.offset_param}")
        return seen.at + step if seen.at + step < total else None

    def foreseen(self, seen: Seen, size: int) -> Iterable[Position]:
        """Returns the offsets to come, where the server fills its pages."""
        return self.ahead(seen, size, self.total_of(seen)) if seen.count == seen.size else ()

    def fits(self, at: Position, size: int) -> bool:
        """Tells whether the offset is a multiple of the size, where it has to be."""
        return not self.snaps or at % size == 0


class PagePaging(Counted):
    """Pages have numbers; a position is the offset of a page's first record, so that pages can shrink."""

    kind: Literal["page"]
    page_param: str = "page"
    size_param: str = "per_page"
    first: int = Field(default=1, ge=0, description="The first page's number.")
    total_pages: OptionalPath = Field(default="", description="JMESPath to the number of pages.")

    def ask(self, at: Position, size: int, span: Span) -> Ask:  # noqa: ARG002 - one form for all kinds
        """Returns the request for the page that begins there."""
        return Ask({self.page_param: at // size + self.first, self.size_param: size})

    def after(self, seen: Seen) -> Position | None:
        """Returns the position of the page with the next number."""
        total, pages = self.total_of(seen), self._pages(seen)
        if seen.size != self.size and seen.count > seen.size:
            raise BadAnswer(
                f"{seen.place} gave {seen.count} records where {seen.size} were asked for: the server has a page size "
                "of its own, so that pages cannot shrink. Set paging.min_size to paging.size."
            )
        if total is not None:
            due = min(seen.size, total - seen.at)
            check_count(seen, total, due, True, f"{self.size_param} and {self.page_param}")
        end = total if pages is None else pages * seen.size
        ended = self.ended(seen) if end is None else seen.at + seen.size >= end
        return None if ended else seen.at + seen.size

    def foreseen(self, seen: Seen, size: int) -> Iterable[Position]:
        """Returns the positions of the pages to come."""
        total, pages = self.total_of(seen), self._pages(seen)
        return self.ahead(seen, size, total if pages is None else pages * seen.size)

    def fits(self, at: Position, size: int) -> bool:
        """Tells whether a page of this size begins there."""
        return bool(at % size == 0)

    def told(self, at: Position) -> str:
        """Returns a position in words."""
        return f"the page from record {at} on"

    def _pages(self, seen: Seen) -> int | None:
        return whole_number(seen, self.total_pages) if self.total_pages else None


def check_count(seen: Seen, total: int, due: int, exact: bool, names: str) -> None:  # noqa: FBT001 - of one caller each
    """Raises BadAnswer where a page holds other than what the total lets expect; `exact` where more is wrong too."""
    if seen.count < due or (exact and seen.count > seen.size):
        raise BadAnswer(
            f"{seen.place} gave {seen.count} records at offset {seen.at}, where {due} of {total} were expected: the "
            "server has a page size of its own, or hides records that it counts. Set paging.size to what it gives, "
            f"check {names}, or leave paging.total out."
        )
