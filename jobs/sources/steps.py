"""What the kinds of paging share: where a walk stands, what is asked for there, what the answer tells; no HTTP.

A kind keeps no state. It names a position by a value of its own, writes the request for it, and says which position
follows from an answer. How many records a page is asked for stands apart from the position, so that pages can shrink.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from jobs.contract import BadAnswer, Json
from jobs.options import Options
from jobs.paths import getter

Position = Any
"""Where a page begins: a hashable value that only its kind of paging can read; None is behind the last page."""

Carrier = Literal["query", "body"]
_SHARE = 16  # how far a page shrinks unless told otherwise


@dataclass(frozen=True)
class Span:
    """What a run asks for, for kinds of paging that write that into their own query: `field` from `since` to `until`.

    `field` is empty where everything is read.
    """

    until: datetime
    field: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Ask:
    """Where a page is: parameters beside the source's own, or a URL that stands for path and parameters."""

    params: Mapping[str, Json] = field(default_factory=dict)
    url: str = ""


@dataclass(frozen=True)
class Seen:
    """What an answer tells about the way on; `place` is how messages about it begin, without secrets."""

    at: Position
    size: int  # of records, as asked for; 0 where the kind has no sizes
    span: Span
    place: str
    url: str
    headers: Mapping[str, str]
    document: Json
    records: list[Json]
    unread: int = 0  # records of the page that could not be read: they count on the way on

    @property
    def count(self) -> int:
        """The number of records that the page held."""
        return len(self.records) + self.unread


class Pager(Options):
    """A kind of paging; what is answered here holds for kinds without sizes, totals or surprises."""

    @property
    def sizes(self) -> tuple[int, int] | None:
        """The most and the least records a page is asked for; None where that cannot be said."""
        return None

    @property
    def carried_in(self) -> Carrier:
        """Where its parameters stand."""
        return "query"

    @property
    def slips(self) -> bool:
        """Tells whether records slip past where others in front of them leave: pages are counted from the start."""
        return False

    def start(self) -> Position:
        """Returns the position of the first page."""
        return ""

    @abstractmethod
    def ask(self, at: Position, size: int, span: Span) -> Ask:
        """Returns the request for a page of so many records."""

    @abstractmethod
    def after(self, seen: Seen) -> Position | None:
        """Returns the position behind a page, None at the end; raises BadAnswer where the answer makes no sense."""

    def taken(self, seen: Seen) -> list[Json]:
        """Returns the page's records that count; None among them is none."""
        return seen.records

    def blank(self, seen: Seen) -> int:  # noqa: ARG002 - one form for all kinds
        """Returns how many records came without content and are left out."""
        return 0

    def total_of(self, seen: Seen) -> int | None:  # noqa: ARG002 - one form for all kinds
        """Returns the number of records in all pages, where the answer tells."""
        return None

    def foreseen(self, seen: Seen, size: int) -> Iterable[Position]:  # noqa: ARG002 - one form for all kinds
        """Returns the positions that will follow if nothing changes, where they can be known."""
        return ()

    def fits(self, at: Position, size: int) -> bool:  # noqa: ARG002 - one form for all kinds
        """Tells whether a page of so many records may begin at this position."""
        return True

    @abstractmethod
    def told(self, at: Position) -> str:
        """Returns a position in words."""


class Sized(Pager):
    """Pages of a stated size, which shrink where the server cannot bear it."""

    size: int = Field(ge=1, le=100_000, description="Records per page.")
    min_size: int | None = Field(
        default=None,
        ge=1,
        description="How far a page shrinks that times out or fails; absent: to a sixteenth; as size: not at all.",
    )

    @property
    def sizes(self) -> tuple[int, int] | None:
        """The most and the least records a page is asked for."""
        return self.size, min(self.min_size or max(1, self.size // _SHARE), self.size)


def whole_number(seen: Seen, path: str) -> int | None:
    """Returns the number at a path, None where there is none; raises BadAnswer for anything else."""
    found = getter(path)(seen.document)
    if isinstance(found, str) and found.strip().isdecimal():
        return int(found)
    if found is None or (isinstance(found, int) and not isinstance(found, bool)):
        return found
    raise BadAnswer(
        f"{seen.place} has a {type(found).__name__} at {path!r}; expected a whole number. Check the paging's options."
    )


def stored_total(seen: Seen) -> int | None:
    """Returns what X-Total-Count says, where it is sent."""
    text = seen.headers.get("x-total-count", "").strip()
    return int(text) if text.isdecimal() else None


class Circles:
    """Guards one walk over pages: raises BadAnswer where it goes in circles."""

    def __init__(self) -> None:
        self._passed: set[int] = set()  # hashes of positions: tokens can be long
        self._last: list[Json] = []
        self._total: int | None = None

    def check(self, seen: Seen, records: list[Json], total: int | None) -> None:
        """Takes note of a page and those of its records that count; raises BadAnswer where it came before.

        A page that comes again under another total is one that was shifted by what was put in front of it.
        """
        place = hash((type(seen.at), seen.at))  # the texts "" and "0" are others than the numbers
        if place in self._passed:
            raise BadAnswer(f"{seen.place} was led to before: the pages form a circle. Check the paging's options.")
        if records and records == self._last and total == self._total:
            raise BadAnswer(
                f"{seen.place} gave the same {len(records)} records as the page before: the server does not know "
                "the paging's parameters. Check their names and the kind of paging."
            )
        self._passed.add(place)
        self._last, self._total = records, total
