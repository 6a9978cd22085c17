"""Paging by the last record's key, or by the pair of its time of change and its key."""

from typing import Literal, Self

from pydantic import Field, model_validator

from jobs.contract import BadAnswer, Json
from jobs.options import Options
from jobs.paths import OptionalPath, descent
from jobs.sources.steps import Ask, Carrier, Position, Seen, Sized, Span, whole_number


class StampOptions(Options):
    """The time that a server sorts by, before the key."""

    field: str = Field(min_length=1, description="The record's time; dotted for one inside.")
    param: str = Field(min_length=1, description="The parameter that takes the last record's time.")


class KeysetPaging(Sized):
    """The next page holds what comes after the last record; the server sorts by the key, or by time and key.

    Nothing is lost while rows come and go, as happens with offsets. The first request names no key; with a cursor, the
    cursor's own parameter says where it starts.
    """

    kind: Literal["keyset"]
    field: str = Field(min_length=1, description="The record's key; dotted for one inside.")
    param: str = Field(min_length=1, description="The parameter that takes the last record's key.")
    size: int = Field(default=0, ge=0, le=100_000, description="Records per page; 0: as many as the server likes.")
    size_param: str = Field(default="", description="The parameter that takes the size.")
    stamp: StampOptions | None = Field(
        default=None, description="{ field, param } where the server sorts by a time first and by the key second."
    )
    until: Literal["empty", "short"] = Field(default="empty", description="The page that ends the walk.")
    total: OptionalPath = Field(default="", description="JMESPath to the number of records, read on the first page.")
    carrier: Carrier = Field(default="query", alias="in", description="Where the paging's parameters stand.")

    @model_validator(mode="after")
    def _size_has_its_parameter(self) -> Self:
        if bool(self.size) != bool(self.size_param):
            raise ValueError("size and size_param go together: give both or neither")
        if self.until == "short" and not self.size:
            raise ValueError('until = "short" needs a size to be short of')
        return self

    @property
    def sizes(self) -> tuple[int, int] | None:
        """The most and the least records a page is asked for, where a size is sent."""
        return super().sizes if self.size else None

    @property
    def carried_in(self) -> Carrier:
        """Where its parameters stand."""
        return self.carrier

    def start(self) -> Position:
        """Returns the position before the first key."""
        return ()

    def ask(self, at: Position, size: int, span: Span) -> Ask:  # noqa: ARG002 - one form for all kinds
        """Returns the request for what comes after this key."""
        names = (self.param, self.stamp.param) if self.stamp else (self.param,)
        sized: dict[str, Json] = {self.size_param: size} if self.size else {}
        return Ask(sized | dict(zip(names, at, strict=False)))

    def after(self, seen: Seen) -> Position | None:
        """Returns the last record's key, and its time; raises BadAnswer where it has none."""
        if seen.count == 0 or (self.until == "short" and seen.count < seen.size):
            return None
        fields = (self.field, self.stamp.field) if self.stamp else (self.field,)
        last = next((record for record in reversed(seen.records) if isinstance(record, dict)), None)
        return tuple(value_of(seen, last, name) for name in fields)

    def total_of(self, seen: Seen) -> int | None:
        """Returns the number of records, as the first page tells it: later ones may count what is left."""
        return whole_number(seen, self.total) if self.total and seen.at == () else None

    def told(self, at: Position) -> str:
        """Returns a position in words."""
        return f"what comes after {self.field} {at[0]!r:.80}" if at else "the first page"


def value_of(seen: Seen, record: Json, name: str) -> str | int | float:
    """Returns what a record is sorted by; raises BadAnswer where that is missing or cannot be sent."""
    found = descent(tuple(name.split(".")))(record)
    if isinstance(found, bool) or not isinstance(found, str | int | float) or found == "":
        what = "nothing" if found is None or found == "" else f"a {type(found).__name__}"
        raise BadAnswer(
            f"{seen.place} has a record with {what} at {name}, after which the next page is to begin; let the answer "
            "hold that field, or choose another kind of paging."
        )
    return found
