"""What a REST destination can be told, and what contradicts itself."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from jobs.contract import AccountRef, Duration, Json
from jobs.options import Options
from jobs.paths import OptionalPath
from jobs.templates import places

Columns = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_WHOLE = frozenset({"row", "rows", "remote_id"})  # places that are no columns
_PATH = Field(min_length=1, description="Below the account's base_url; {column} stands for a row's value, escaped.")
_PARAMS = Field(default_factory=dict[str, str], description="Sent in the URL; {column} stands for a row's value.")


class LookupOptions(Options):
    """A GET that tells whether a row is there."""

    path: str = _PATH
    params: dict[str, str] = _PARAMS
    records: OptionalPath = Field(
        default="", description="JMESPath to the list of what was found; empty: the answer is it."
    )
    found: OptionalPath = Field(
        default="", description="JMESPath in the first of them: the row's id there, or true; empty: any record counts."
    )


class UpdateOptions(Options):
    """How a row is sent that was delivered before."""

    method: Literal["PATCH", "PUT", "POST"] = "PATCH"
    path: str = Field(min_length=1, description="With {remote_id}, or with the columns that the API knows a row by.")
    body: Json = Field(default=None, description="As the destination's body; absent: that one, or the row.")


class DeleteOptions(Options):
    """How a row is taken away that the source no longer has."""

    method: Literal["DELETE", "POST", "PATCH"] = "DELETE"
    path: str = Field(min_length=1, description="With {remote_id}, or with the columns of the key.")


class WriteBackOptions(Options):
    """Where the id goes that the API gave a row."""

    column: str = Field(min_length=1, description="A column of the source's table.")


class PollOptions(Options):
    """How one learns what became of rows that the API works on after its answer."""

    path: str = Field(min_length=1, description="What is asked; {answer.NAME} is a value of the first answer.")
    params: dict[str, str] = Field(default_factory=dict)
    done: OptionalPath = Field(
        default="", description="JMESPath in the answer: true once all is done; empty: when each row has its item."
    )
    items: OptionalPath = Field(default="", description="JMESPath to what became of each row.")
    item_key: OptionalPath = Field(default="", description="JMESPath in an item to the key of its row.")
    every: Duration = Field(default=2.0, gt=0)
    timeout: Duration = Field(default=300.0, gt=0, description="Then the rows are in doubt.")


class RestDestinationOptions(Options):
    """Where at an API rows go, and how it says what became of them."""

    account: AccountRef
    path: str = _PATH
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    params: dict[str, str] = _PARAMS
    headers: dict[str, str] = Field(default_factory=dict)
    body: Json = Field(
        default=None,
        description='A document in which "{column}", "{row}" and "{rows}" are filled in; absent: the row or the rows.',
    )
    key: Columns = Field(
        min_length=1, description="The columns that tell one row from another: each of its states is sent once."
    )
    batch: int = Field(default=1, ge=1, le=10_000, description="Rows per request.")
    parallel: int = Field(default=1, ge=1, le=32, description="Requests at once.")
    act_for: dict[str, str] = Field(
        default_factory=dict, description="On whose behalf it writes, over what the account says."
    )
    success: OptionalPath = Field(default="", description="JMESPath in the answer or item: true where the row is in.")
    failed: OptionalPath = Field(default="", description="JMESPath in the answer or item: there where it is refused.")
    error: OptionalPath = Field(default="", description="JMESPath in the answer or item to the reason.")
    id: OptionalPath = Field(default="", description="JMESPath in the answer or item to the id the row got.")
    items: OptionalPath = Field(default="", description="JMESPath to what became of each row of a batch.")
    item_key: OptionalPath = Field(
        default="", description="JMESPath in an item to the key of its row; empty: items come in the order of the rows."
    )
    idempotency_header: str = Field(
        default="", description="A header by which the API knows a request that it has had before."
    )
    in_doubt: Literal["hold", "resend", "lookup"] = Field(
        default="hold", description="What becomes of a row whose answer never came."
    )
    lookup: LookupOptions | None = None
    update: UpdateOptions | None = None
    delete: DeleteOptions | None = Field(default=None, description="Absent: what the source no longer has is left.")
    write_back: WriteBackOptions | None = None
    refuse_on: tuple[int, ...] = Field(
        default=(400, 409, 422), description="Statuses that make the row a reject; others fail the run."
    )
    poll: PollOptions | None = None

    @field_validator("path")
    @classmethod
    def _has_no_query(cls, path: str) -> str:
        if "?" in path or "#" in path:
            raise ValueError(f"expected a path such as /v2/orders/{{id}}, found {path!r}; parameters stand in params")
        return path

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        problem = next(filter(None, (self._batches(), self._ids(), self._answers())), "")
        if problem:
            raise ValueError(problem)
        return self

    def _batches(self) -> str:
        named = sorted(places([self.path, self.params]) - ({"row"} if self.batch == 1 else set()))
        if self.batch > 1 and named:
            return f"batch: {{{named[0]}}} cannot be filled in for several rows; leave it out, or set batch = 1"
        if self.batch > 1 and self.body is not None and places(self.body) != {"rows"}:
            return 'body: a batch needs "{rows}" in it, and nothing of one row; or leave body out'
        return "path: {remote_id} is known after the first delivery only; write it in update" if _early(self) else ""

    def _ids(self) -> str:
        if self.write_back and not self.id:
            return "write_back: needs id, the JMESPath to what is written back"
        wants = [one for one in (self.update, self.delete) if one and "remote_id" in places(one.model_dump())]
        if wants and not self.id and not (self.lookup and self.lookup.found):
            return "id is missing: {remote_id} is what it finds in the answer to a new row"
        return ""

    def _answers(self) -> str:
        if self.item_key and not self.items:
            return "item_key: needs items, the JMESPath to what became of each row"
        if self.poll and not (self.poll.done or self.poll.items):
            return "poll: needs done or items, else nothing tells that all is done"
        if self.poll and self.items:
            return "items: the verdicts come by polling; write it in poll"
        if (self.in_doubt == "lookup") != (self.lookup is not None):
            return 'in_doubt = "lookup" and lookup = { path = ... } go together; add the one that is missing'
        return ""

    @property
    def columns(self) -> set[str]:
        """The columns that a row must have: those of the key and those that templates name."""
        one = self.lookup.model_dump(include={"path", "params"}) if self.lookup else None
        others = [part.model_dump() for part in (self.update, self.delete) if part]
        return (places([self.path, self.params, self.body, one, *others]) - _WHOLE) | set(self.key)


def _early(options: RestDestinationOptions) -> bool:
    return "remote_id" in places([options.path, options.params, options.body])
