"""Incremental reading by a token of the server's own: the last page of one run names where the next one starts."""

from typing import Literal

from pydantic import Field

from jobs.contract import BadAnswer, Context, FailedAnswer, Json
from jobs.flow import Refused
from jobs.options import Options
from jobs.paths import Path, getter
from jobs.sources.steps import Carrier, Span


class OpaqueCursorOptions(Options):
    """How a source is asked for what changed since a token was given."""

    kind: Literal["opaque"]
    param: str = Field(min_length=1, description="The parameter that takes the token of the run before.")
    next: Path = Field(description="JMESPath to the next run's token, in the last page.")
    expired: tuple[int, ...] = Field(
        default=(410,), description="Statuses that say that a token has run out: everything is read again."
    )
    initial_params: dict[str, str] = Field(
        default_factory=dict, description="Sent only where everything is read, without a token."
    )
    carrier: Carrier = Field(default="query", alias="in", description="Where these parameters stand.")


class OpaqueMark:
    """How one run stands to its token: which one it began with, which one the last page gave."""

    def __init__(self, options: OpaqueCursorOptions, context: Context, token: Json) -> None:
        self._options = options
        self._context = context
        self._token = token

    @classmethod
    def of(
        cls, options: OpaqueCursorOptions, context: Context, name: str = "", database: str | None = None
    ) -> "OpaqueMark":
        """Returns what a run starts from."""
        return cls(options, context, context.cursor(name, database).value)

    @property
    def span(self) -> Span:
        """What is asked for, in no other words than the token."""
        return Span(self._context.window.until)

    @property
    def carried_in(self) -> Carrier:
        """Where the parameters stand."""
        return self._options.carrier

    def params(self) -> dict[str, Json]:
        """Returns the token of the run before; without one, what asks for everything."""
        return dict(self._options.initial_params) if self._token is None else {self._options.param: self._token}

    def take(self, records: list[Json], place: str) -> tuple[list[Json], list[Refused]]:  # noqa: ARG002 - one form
        """Returns all records: the server alone knows what its token stands for."""
        return records, []

    def value(self, document: Json, place: str, *, last: bool) -> Json:
        """Returns the token of the last page, None before it; raises BadAnswer where that holds none.

        An answer without a body says that nothing changed: the token stays.
        """
        if not last or (document is None and self._token is not None):
            return None
        token = getter(self._options.next)(document)
        if token is None or token == "":
            raise BadAnswer(
                f"{place} is the last page and has no token at {self._options.next!r}, from which the next run is to "
                "start. Check cursor.next, and cursor.initial_params for what the API wants before it gives one."
            )
        return None if token == self._token else token

    def anew(self, error: FailedAnswer) -> "OpaqueMark | None":
        """Returns what to start over from after this error; None where the error does not say that."""
        if self._token is None or error.status not in self._options.expired:
            return None
        text = (
            f"the API no longer takes the token of the last run (status {error.status}): everything is read again, and "
            "deletions since then are not told"
        )
        self._context.log.warning(text)
        return OpaqueMark(self._options, self._context, None)
