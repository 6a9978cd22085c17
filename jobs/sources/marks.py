"""How far a source has got, whatever its cursor is: what is asked for, what may come, and what the cursor moves to."""

from typing import Annotated, Protocol

from pydantic import BeforeValidator, Field

from jobs.contract import Context, FailedAnswer, Json
from jobs.flow import Refused
from jobs.sources.cursor import CursorOptions, Watermark
from jobs.sources.opaque import OpaqueCursorOptions, OpaqueMark
from jobs.sources.steps import Carrier, Span


def _timed(given: object) -> object:
    """A cursor that does not name its kind is one over time."""
    return {"kind": "time", **given} if isinstance(given, dict) else given


AnyCursor = Annotated[
    Annotated[CursorOptions | OpaqueCursorOptions, Field(discriminator="kind")], BeforeValidator(_timed)
]
"""A cursor as it is configured."""


class Mark(Protocol):
    """One run's standing."""

    @property
    def span(self) -> Span:
        """What is asked for, for kinds of paging that write it into their own query."""

    @property
    def carried_in(self) -> Carrier:
        """Where the parameters stand."""

    def params(self) -> dict[str, Json]:
        """Returns the parameters that ask for it."""

    def take(self, records: list[Json], place: str) -> tuple[list[Json], list[Refused]]:
        """Returns the records to keep and those that cannot be placed; raises BadAnswer where others were asked for."""

    def value(self, document: Json, place: str, *, last: bool) -> Json:
        """Returns what the cursor moves to with this page; None where it stays."""

    def anew(self, error: FailedAnswer) -> "Mark | None":
        """Returns what to start over from after this error; None where it is to be raised."""


class NoMark:
    """Everything is read, each time."""

    carried_in: Carrier = "query"

    def __init__(self, context: Context) -> None:
        self.span = Span(context.window.until)

    def params(self) -> dict[str, Json]:
        """Returns nothing."""
        return {}

    def take(self, records: list[Json], place: str) -> tuple[list[Json], list[Refused]]:  # noqa: ARG002 - one form
        """Returns all records."""
        return records, []

    def value(self, document: Json, place: str, *, last: bool) -> Json:  # noqa: ARG002 - one form
        """Returns None: there is no cursor."""
        return None

    def anew(self, error: FailedAnswer) -> Mark | None:  # noqa: ARG002 - one form
        """Returns None."""
        return None


class TimeMark:
    """A cursor over time, moved with each page where records come in its order, else with the last one.

    A walk that is not `whole` may bring few records, none of which needs to have the cursor's field.
    """

    def __init__(self, options: CursorOptions, watermark: Watermark, *, whole: bool = True) -> None:
        self._sorted, self._whole = options.sorted, whole
        self.carried_in = options.carrier
        self._watermark = watermark

    @property
    def span(self) -> Span:
        """What is asked for."""
        return self._watermark.span

    def params(self) -> dict[str, Json]:
        """Returns the cursor's parameters."""
        return dict(self._watermark.params())

    def take(self, records: list[Json], place: str) -> tuple[list[Json], list[Refused]]:
        """Returns the records whose time can be read, and the others; raises BadAnswer, see Watermark."""
        return self._watermark.take(records, place)

    def value(self, document: Json, place: str, *, last: bool) -> Json:  # noqa: ARG002 - one form
        """Returns how far the cursor moves; raises BadAnswer where no record of the walk had its field."""
        if last and self._whole:
            self._watermark.check_field(place)
        return self._watermark.value() if last or self._sorted else None

    def anew(self, error: FailedAnswer) -> Mark | None:  # noqa: ARG002 - one form
        """Returns None: a time does not run out."""
        return None


def mark_of(
    cursor: CursorOptions | OpaqueCursorOptions | None,
    context: Context,
    name: str = "",
    database: str | None = None,
) -> Mark:
    """Returns where a run stands; `database` is where its rows go, if not the worker's own. Raises GiveUp."""
    if cursor is None:
        return NoMark(context)
    if isinstance(cursor, OpaqueCursorOptions):
        return OpaqueMark.of(cursor, context, name, database)
    return TimeMark(cursor, Watermark.of(cursor, context, name, database))
