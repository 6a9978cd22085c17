"""Paging: which request follows from the last answer; pure, no HTTP.

Each kind is its own options model with two answers: `start()`, and `after(seen)`, which is None at the end. A
kind keeps no state: all it needs of the way so far stands in the request that brought the last page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urljoin

from pydantic import Field

from jobs.contract import BadAnswer, Json
from jobs.options import Options
from jobs.paths import OptionalPath, Path, getter


@dataclass(frozen=True)
class Ask:
    """Where a page is: parameters beside the source's own, or a URL that stands for path and parameters."""

    params: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True)
class Seen:
    """What an answer tells about the way on; `count` is in records, `url` is without secrets."""

    ask: Ask
    url: str
    headers: Mapping[str, str]
    document: Json
    count: int


class NoPaging(Options):
    """Everything comes in one answer."""

    kind: Literal["none"] = "none"

    def start(self) -> Ask:
        """Returns the only request."""
        return Ask()

    def after(self, seen: Seen) -> Ask | None:  # noqa: ARG002 - one form for all kinds
        """Returns None: there is no second page."""
        return None

    def total_of(self, seen: Seen) -> int | None:
        """Returns the number of records in the answer."""
        return seen.count


class _Counted(Options):
    """Pages of a stated size, whose end shows by itself where the answer tells no total."""

    size: int = Field(ge=1, le=100_000, description="Records per page.")
    until: Literal["empty", "short"] = Field(
        default="empty",
        description="Without a total, the page that ends the walk. short saves a request, and loses records "
        "where the server gives fewer than asked for.",
    )

    def ended(self, count: int) -> bool:
        """Tells whether a page of so many records is the last one."""
        return count == 0 or (self.until == "short" and count < self.size)


class OffsetPaging(_Counted):
    """The next page starts so many records further on."""

    kind: Literal["offset"]
    offset_param: str = "offset"
    limit_param: str = "limit"
    total: OptionalPath = Field(default="", description="JMESPath to the number of all records.")
    snaps: bool = Field(
        default=False,
        description="The server moves an offset to the page that holds it: it stays a multiple of the size.",
    )

    def start(self) -> Ask:
        """Returns the request for the first page."""
        return self._at(0)

    def after(self, seen: Seen) -> Ask | None:
        """Returns the request behind this page; raises BadAnswer where total and page do not agree."""
        offset, total = int(seen.ask.params[self.offset_param]), self.total_of(seen)
        step = self.size if self.snaps else seen.count
        if total is None:
            return None if self.ended(seen.count) else self._at(offset + step)
        self._check(seen, offset, total)
        return self._at(offset + step) if offset + step < total else None

    def total_of(self, seen: Seen) -> int | None:
        """Returns how many records there are in all, where the answer tells."""
        return whole_number(seen, self.total) if self.total else None

    def _at(self, offset: int) -> Ask:
        return Ask({self.offset_param: str(offset), self.limit_param: str(self.size)})

    def _check(self, seen: Seen, offset: int, total: int) -> None:
        due = min(self.size, total - offset) if self.snaps else min(1, total - offset)
        if seen.count < due or (self.snaps and seen.count > self.size):
            raise BadAnswer(
                f"{seen.url} gave {seen.count} records at offset {offset}, where {due} of {total} were "
                "expected: the server has a page size of its own, or hides records that it counts. "
                f"Set paging.size to what it gives, check {self.limit_param} and {self.offset_param}, "
                "or leave paging.total out."
            )


class PagePaging(_Counted):
    """Pages have numbers."""

    kind: Literal["page"]
    page_param: str = "page"
    size_param: str = "per_page"
    first: int = Field(default=1, ge=0, description="The first page's number.")
    total_pages: OptionalPath = Field(default="", description="JMESPath to the number of pages.")

    def start(self) -> Ask:
        """Returns the request for the first page."""
        return self._at(self.first)

    def after(self, seen: Seen) -> Ask | None:
        """Returns the request for the page with the next number."""
        page = int(seen.ask.params[self.page_param])
        pages = whole_number(seen, self.total_pages) if self.total_pages else None
        ended = self.ended(seen.count) if pages is None else page - self.first + 1 >= pages
        return None if ended else self._at(page + 1)

    def total_of(self, seen: Seen) -> int | None:  # noqa: ARG002 - one form for all kinds
        """Returns None: pages are counted, not records."""
        return None

    def _at(self, page: int) -> Ask:
        return Ask({self.page_param: str(page), self.size_param: str(self.size)})


class LinkPaging(Options):
    """The `Link` header names the next page with rel=next (RFC 8288); an empty page is not the end."""

    kind: Literal["link"]

    def start(self) -> Ask:
        """Returns the request as configured."""
        return Ask()

    def after(self, seen: Seen) -> Ask | None:
        """Returns the request for the linked page."""
        link = next_link(seen.headers.get("link", ""))
        return Ask(url=urljoin(seen.url, link)) if link else None

    def total_of(self, seen: Seen) -> int | None:
        """Returns what X-Total-Count says, where it is sent."""
        text = seen.headers.get("x-total-count", "").strip()
        return int(text) if text.isdecimal() else None


class NextUrlPaging(Options):
    """The body holds the next page's URL; an empty page is not the end."""

    kind: Literal["next_url"]
    next: Path = Field(description="JMESPath to the next URL; absent, null or empty on the last page.")

    def start(self) -> Ask:
        """Returns the request as configured."""
        return Ask()

    def after(self, seen: Seen) -> Ask | None:
        """Returns the request for the page that the body names; raises BadAnswer where it is no text."""
        link = getter(self.next)(seen.document)
        if link is None or link == "":
            return None
        if not isinstance(link, str):
            raise BadAnswer(
                f"{seen.url} has a {type(link).__name__} at {self.next!r}; expected the next page's URL. "
                "Check paging.next."
            )
        return Ask(url=urljoin(seen.url, link))

    def total_of(self, seen: Seen) -> int | None:  # noqa: ARG002 - one form for all kinds
        """Returns None: the answer does not tell."""
        return None


Paging = Annotated[NoPaging | OffsetPaging | PagePaging | LinkPaging | NextUrlPaging, Field(discriminator="kind")]


def whole_number(seen: Seen, path: str) -> int | None:
    """Returns the number at a path, None where there is none; raises BadAnswer for anything else."""
    found = getter(path)(seen.document)
    if isinstance(found, str) and found.strip().isdecimal():
        return int(found)
    if found is None or (isinstance(found, int) and not isinstance(found, bool)):
        return found
    raise BadAnswer(
        f"{seen.url} has a {type(found).__name__} at {path!r}; expected a whole number. Check the paging's options."
    )


_PARAMETER = re.compile(r';\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+)))?')
_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))?)*)')


def next_link(header: str) -> str:
    """Returns the target of the first link whose relation is `next`, or nothing (RFC 8288 section 3)."""
    for target, parameters in _LINK.findall(header):
        for name, quoted, bare in _PARAMETER.findall(parameters):
            if name.lower() == "rel" and "next" in (quoted or bare).lower().split():
                return str(target).strip()
    return ""


class Walk:
    """Guards one walk over pages: raises BadAnswer where it goes in circles."""

    def __init__(self) -> None:
        self._asked: set[object] = set()
        self._last: list[Json] = []

    def check(self, seen: Seen, records: list[Json]) -> None:
        """Takes note of a page; raises BadAnswer where it, or the request for it, came before."""
        place = seen.ask.url or tuple(sorted(seen.ask.params.items()))
        if place in self._asked:
            raise BadAnswer(f"{seen.url} was led to before: the pages form a circle. Check the paging's options.")
        if records and records == self._last:
            raise BadAnswer(
                f"{seen.url} gave the same {len(records)} records as the page before: the server does not know "
                "the paging's parameters. Check their names and the kind of paging."
            )
        self._asked.add(place)
        self._last = records
