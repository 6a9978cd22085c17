"""What a mapping makes of records: rows, and rejects beside them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import compress
from typing import Protocol

from jobs.cells import Reasons
from jobs.contract import Json, Record
from jobs.convert import found
from jobs.flow import Refused
from jobs.kinds import Kind

Parted = Callable[[list[Json]], tuple[list[Record], list[Refused]]]
"""Parts records into what was made of them and what could not be."""


@dataclass(frozen=True)
class Mapped:
    """Rows, and the records they were made from in the same order; beside them the rejects with their reasons."""

    rows: list[Record]
    records: list[Json]
    rejects: list[Refused] = field(default_factory=list)


class Mapping(Protocol):
    """How records become rows."""

    @property
    def kinds(self) -> dict[str, Kind]:
        """What columns are declared to hold; the others hold what their values are."""

    @property
    def required(self) -> frozenset[str]:
        """The columns that are never null."""

    def rows(self, records: list[Json]) -> Mapped:
        """Returns what becomes of the records: each is a row or a reject; rows keep the records' order."""


def parted(mapping: Mapping) -> Parted:
    """Returns a mapping that gives just the rows, and the records that cannot be mapped with the reason."""

    def rows(records: list[Json]) -> tuple[list[Record], list[Refused]]:
        mapped = mapping.rows(records)
        return mapped.rows, mapped.rejects

    return rows


def objects(records: list[Json]) -> tuple[list[Json], list[Refused]]:
    """Returns the records that are objects, and the others with the reason."""
    if set(map(type, records)) <= {dict}:
        return records, []
    reasons = {
        place: f"expected a record that is an object, found {found(record)}"
        for place, record in enumerate(records)
        if not isinstance(record, dict)
    }
    return without(records, reasons), refused(records, reasons)


def without(things: list[Json], reasons: Reasons) -> list[Json]:
    """Returns what has no reason at its place."""
    return list(compress(things, (place not in reasons for place in range(len(things)))))


def refused(records: list[Json], reasons: Reasons) -> list[Refused]:
    """Returns the records that have a reason, with it."""
    return [(records[place], reasons[place]) for place in sorted(reasons)]
