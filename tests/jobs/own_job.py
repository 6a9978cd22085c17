"""Functions as a user would write them for the job type `python`."""

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from jobs.contract import Context, Skip

if TYPE_CHECKING:
    from jobs.testing import MemoryContext

calls: list[tuple[str, date, int]] = []
NUMBER = 7


def main(context: Context, region: str, day: date, limit: int = 10) -> None:
    """Takes note of what it was called with."""
    calls.append((region, day, limit))
    with context.unit() as unit:
        unit.count(read=limit)


def many(context: Context, **params: int) -> None:
    """Takes whatever it is given."""
    calls.extend((name, date.min, value) for name, value in params.items())


def nothing(context: Context) -> None:
    """Has nothing to do."""
    raise Skip("nothing to do today")


def bounded(context: "MemoryContext", limit: Annotated[int, Field(ge=1)]) -> None:
    """Has a context whose type is there for checkers only."""
    context.counts.read = limit


def strange(context: Context, day: Iterator["Nowhere"]) -> None:  # type: ignore[name-defined]  # noqa: F821 - as it is
    """Names what is nowhere."""


def untold(context: Context, day: Context) -> None:
    """Wants what no configuration can hold."""


async def later(context: Context) -> None:
    """Does nothing until someone waits for it."""


def bit_by_bit(context: Context) -> Iterator[int]:
    """Does nothing until someone asks for its values."""
    yield context.attempt


bound = partial(bounded, limit=3)
