"""What flows through a sync: pages from a source, batches of rows to a destination."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from jobs.contract import Json, Record

Refused = tuple[Json, str]
"""A record that could not be mapped, typed or stored, and why."""


@dataclass(frozen=True)
class Page:
    """Records read together, and how far the source has got with them.

    `cursor` is the value that the cursor `cursor_name` moves to once this page is stored; None leaves it where it is.
    """

    records: list[Json]
    cursor: Json = None
    total: int | None = None  # records in the whole answer, where the source tells
    rejects: list[Refused] = field(default_factory=list)  # what was no record at all
    cursor_name: str = ""
    gone: list[Record] = field(default_factory=list)  # keys of records that the source no longer has, column to value
    gone_at: list[datetime | None] = field(default_factory=list)  # when each of them went; empty where none is told
    partial: bool = False  # records may have slipped past the walk that read this page
    settles: list[str] = field(default_factory=list)  # hashes of the kept rejects that `records` are, in their order
    upto_call: int | None = None  # the highest id of the calls that it rests on; None where that is not told

    @staticmethod
    def last_call(pages: Iterable["Page"]) -> int | None:
        """Returns the highest id of the calls that these pages rest on; None where one of them does not tell."""
        told = [page.upto_call for page in pages]
        return None if None in told else max((call for call in told if call is not None), default=None)


@dataclass(frozen=True)
class Batch:
    """A page whose records have become rows; `records[i]` is what `rows[i]` was made from.

    `rejects` are those of the page and of the mapping.
    """

    page: Page
    rows: list[Record]
    records: list[Json]
    rejects: list[Refused] = field(default_factory=list)

    @property
    def read(self) -> int:
        """The number of records that were read."""
        return len(self.page.records) + len(self.page.rejects)

    @property
    def is_empty(self) -> bool:
        """Tells whether there is nothing to store."""
        return not (self.read or self.page.gone or self.page.partial) and self.page.cursor is None


class Destination(Protocol):
    """Where rows go; made for one attempt of one run."""

    @property
    def at_once(self) -> int:
        """How many batches are stored together at most, where they lie ready."""

    def begin(self) -> None:
        """Prepares for the first page."""

    def store(self, batches: Sequence[Batch]) -> None:
        """Stores batches in their order, and books them: counts, rejects and cursor go with the rows."""

    def finish(self) -> None:
        """Ends a run whose pages are all stored: swaps tables, marks what is gone."""
