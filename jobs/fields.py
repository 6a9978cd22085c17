"""Which fields rows have and what is in them, told fast: nearly always each row has those of the first."""

from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import TypeVar

from jobs.contract import Json

NameT = TypeVar("NameT", str, "str | tuple[str, ...]")


def names_in(rows: Sequence[dict[NameT, Json]]) -> list[NameT]:
    """Returns the names of all fields, in the order in which they first appear."""
    first = list(rows[0]) if rows else []
    if len(set().union(*rows)) == len(first):  # three times as fast as to go through all names in order
        return first
    return list(dict.fromkeys(chain.from_iterable(rows)))


def values_of(rows: Sequence[dict[str, Json]], name: str) -> list[Json]:
    """Returns a field of each row; None where it is missing."""
    try:
        return list(map(itemgetter(name), rows))
    except KeyError:
        return [row.get(name) for row in rows]
