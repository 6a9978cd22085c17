"""The contract between a job and the worker that runs it: the `Context` is all that a job knows of the daemon.

Errors are drawn in jobs/errors.py.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar

import orjson
import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from jobs.errors import (
    LONGEST_S,
    BadAnswer,
    BadRecord,
    FailedAnswer,
    GiveUp,
    Interrupted,
    JobSignal,
    RetryLater,
    Skip,
    TooManyRejects,
    Unanswered,
    WorkerError,
)
from jobs.shown import Shown, ShownColumn, ShownRequest

__all__ = [
    "BadAnswer",
    "BadRecord",
    "FailedAnswer",
    "GiveUp",
    "Interrupted",
    "JobSignal",
    "RetryLater",
    "Shown",
    "ShownColumn",
    "ShownRequest",
    "Skip",
    "TooManyRejects",
    "Unanswered",
    "WorkerError",
]

Json = Any  # what a JSON document decodes to: dict, list, str, int, float, bool or None
Record = dict[str, Json]

_BOM = b"\xef\xbb\xbf"  # RFC 8259 section 8.1: a reader may pass over it
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Returns the seconds of a duration such as `500ms`, `30s`, `15m`, `2h` or `90d`; raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text.strip())
    if match is None:
        raise ValueError(f"expected a duration such as 500ms, 30s, 15m, 2h or 90d, found {text!r}")
    return float(match[1]) * _UNITS_S[match[2]]


def _duration(value: object) -> object:
    if isinstance(value, float) and value >= 0.0:  # a default, or a value that was read before
        return min(value, LONGEST_S)
    if not isinstance(value, str):
        raise ValueError(f"expected a duration such as 30s, found {value!r}")  # noqa: TRY004  pydantic's wish
    return min(seconds(value), LONGEST_S)


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ms|s|m|h|d)$", "examples": ["30s", "15m"]}),
]
"""Seconds, written in TOML with their unit: `"30s"`."""


@dataclass(frozen=True)
class Reference:
    """Marks an option as the name of something configured elsewhere, so that the name can be checked."""

    section: str


AccountRef = Annotated[str, Reference("accounts")]
DatabaseRef = Annotated[str, Reference("databases")]
TableRef = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$", description="A table's name: letters, digits, underscores."),
]


@dataclass(frozen=True)
class Answer:
    """One complete answer of an API: its body is whole, decompressed and within bounds."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes = field(repr=False)  # it may be a token
    url: str  # without secrets
    call_id: int = 0
    method: str = "GET"
    account: str = ""

    @property
    def place(self) -> str:
        """How every message about the answer begins: what was asked of whom, and as whom."""
        return f"{self.method} {self.url} (account {self.account})" if self.account else f"{self.method} {self.url}"

    def json(self) -> Json:
        """Returns the decoded body; raises BadAnswer that says what was found in place of JSON."""
        try:
            return orjson.loads(self.body.removeprefix(_BOM))
        except orjson.JSONDecodeError:
            found = (
                "an HTML page" if b"<html" in self.body[:1000].lower() else f"{len(self.body)} bytes that are not JSON"
            )
            kind = self.headers.get("content-type", "no content type")
            raise BadAnswer(
                f"{self.place} answered {self.status} with {found} ({kind}); expected JSON. "
                "Check the account's base_url and the path."
            ) from None  # the decoder's error holds the whole body


class Api(Protocol):
    """Authenticated access to one account's API; every request is a call in the trail."""

    @property
    def base_url(self) -> str:
        """Where relative paths start, without a slash at its end."""

    def request(  # noqa: PLR0913  the parts of a request, by name
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        act_for: Mapping[str, str] | None = None,
        reads: bool = False,
    ) -> Answer:
        """Returns the answer to one request, whose status is below 400; several threads may ask at once.

        `path` is relative to the base URL, or absolute within the account's allowed origins. `reads` says that a POST
        only reads, as a search does, and may be sent again. `act_for` says on whose
        behalf, over what the account says; a blank value takes one back. Waits for the rate limit, repeats what may be
        repeated, and raises an error that names account, method, URL and status: FailedAnswer for a status of 400 or
        more, Unanswered where the request may have been acted upon.
        """


@dataclass(frozen=True)
class Cursor:
    """How far an incremental job has got: any JSON value; version 0 means it never moved."""

    value: Json = None
    version: int = 0


@dataclass(frozen=True)
class Kept:
    """A reject as it was kept, named by its hash; `record` is None where it was masked or cut."""

    hash: str
    reason: str
    record: Json


DeliveryState = Literal["sending", "delivered", "refused", "in_doubt", "absent"]


@dataclass(frozen=True)
class Delivery:
    """What became of a row that was sent to an API; `sending` found later means that nobody knows.

    `absent` is a row that is surely not there: never sent after all, or deleted. `fingerprint` tells the row's content,
    `remote_id` is what the API calls it: None where it was never delivered, "" where it was and no id is known.
    """

    key: str
    fingerprint: str
    state: DeliveryState
    remote_id: str | None = None
    run_id: int = 0  # the run that sent it last; 0: the one that remembers it


@dataclass(frozen=True)
class Window:
    """The span of time a run covers; `since` is None on a job's first run.

    One that is `given`, by a backfill or a replay, is all that the run is about: cursors are neither read nor moved.
    """

    since: datetime | None
    until: datetime
    given: bool = False


@dataclass
class Counts:
    """What one attempt did, in records; `expected` is the total where the source told it."""

    read: int = 0
    written: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0
    pages: int = 0
    expected: int | None = None


class Unit(Protocol):
    """One transaction: rows, rejects, counts and cursor are stored together or not at all."""

    @property
    def connection(self) -> sa.Connection:
        """The connection on which the job writes its rows; never commit it yourself."""

    def reject(self, record: Json, reason: str, key: str | None = None) -> None:
        """Keeps a record that could not be stored, with the reason; it takes the place of older ones of its key."""

    def settle(self, keys: Sequence[str]) -> None:
        """Removes kept rejects by their keys: a newer state of those records got through."""

    def advance(self, value: Json, name: str = "") -> None:
        """Moves the job's cursor to `value`; seen by others only if the unit commits."""

    def count(self, *, read: int = 0, written: int = 0, unchanged: int = 0, deleted: int = 0, pages: int = 0) -> None:
        """Adds to the attempt's counts, in records and pages."""

    def forget(self, hashes: Sequence[str]) -> None:
        """Removes kept rejects of this job whose records got through, by the hash that `Context.kept` gave."""

    def deliver(self, deliveries: Sequence["Delivery"]) -> None:
        """Remembers what became of rows that were sent to an API."""


@dataclass(frozen=True)
class RejectLimit:
    """How many rejects a run bears: a number, or a share of the records read."""

    count: int | None = None
    share: float | None = None  # 0.01 is one per cent

    def passed(self, counts: Counts) -> bool:
        """Tells whether more was rejected than allowed."""
        if self.count is not None:
            return counts.rejected > self.count
        return counts.rejected > (self.share or 0.0) * counts.read


class Log(Protocol):
    """What a job says, as structured lines."""

    def info(self, text: str, **facts: Json) -> None:
        """Writes a line of the level info."""

    def warning(self, text: str, **facts: Json) -> None:
        """Writes a line of the level warning."""


class Context(Protocol):
    """What a job is handed for one attempt of one run."""

    @property
    def job(self) -> str:
        """The job's configured name."""

    @property
    def run_id(self) -> int:
        """The run this attempt belongs to."""

    @property
    def attempt(self) -> int:
        """The attempt's number, from 1."""

    @property
    def window(self) -> Window:
        """The span of time this run covers."""

    @property
    def params(self) -> Mapping[str, Json]:
        """Parameters given by hand with `worker trigger --param`."""

    @property
    def counts(self) -> Counts:
        """What this attempt has committed so far."""

    @property
    def max_rejects(self) -> RejectLimit:
        """How many rejects the job's policy bears."""

    def api(self, account: str) -> Api:
        """Returns access to a configured account."""

    @property
    def log(self) -> "Log":
        """Where a job says something; the line carries job, run and attempt."""

    @property
    def dry(self) -> bool:
        """True in a preview: what the job stores is rolled back, and it must send nothing that changes something."""

    def cursor(self, name: str = "", database: str | None = None) -> Cursor:
        """Returns the job's cursor as last committed.

        `database` is where the rows go whose units move it, where that is not the worker's own.
        """

    def kept(self) -> Iterator[Kept]:
        """Yields the rejects of this job that are kept."""

    def rejected(self) -> set[str]:
        """Returns the keys of this job's kept rejects."""

    def deliveries(self, keys: Sequence[str]) -> dict[str, Delivery]:
        """Returns what is remembered of these keys' rows."""

    def read(self, database: str | None = None) -> AbstractContextManager[sa.Connection]:
        """Opens a transaction that reads on a configured database, by default the worker's own; it may last."""

    def unit(self, database: str | None = None, upto_call: int | None = None) -> AbstractContextManager[Unit]:
        """Opens one transaction on a configured database, by default the worker's own.

        What it stores is never found without the rows of the calls that brought it: those of all answers so far, or of
        the calls up to the id `upto_call`, where it rests on no later ones.

        Leaving it commits, unless this attempt has lost its right to write: then nothing is stored and an error
        is raised. Keep it short, a page or a few, and make no call inside it.
        """

    def expect(self, total: int) -> None:
        """Says how many records the run will read, for progress."""

    def check(self) -> None:
        """Raises Interrupted once the run was cancelled, has timed out or the daemon wants to leave."""


OptionsT = TypeVar("OptionsT", bound=BaseModel)


class Job(ABC, Generic[OptionsT]):
    """A type of job: declares its options, and runs with them."""

    options_model: ClassVar[type[BaseModel]]

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    @abstractmethod
    def run(self, context: Context) -> None:
        """Does the work of one attempt; returns when all is stored, raises otherwise."""

    def window_problem(self, params: Mapping[str, Json]) -> str:  # noqa: ARG002 - a type that has some needs them
        """Returns why a run with these parameters cannot be held to a given window; empty where it can."""
        return ""

    def backfill_problem(self, params: Mapping[str, Json]) -> str:
        """Returns why runs over windows of the past make no sense for this job; empty where they do."""
        return self.window_problem(params)

    def preview(self, context: Context, rows: int) -> Shown:  # noqa: ARG002 - a type that knows how needs both
        """Returns what a run would do, with up to `rows` rows or requests; `context.dry` is true.

        A type of job that does not say how raises GiveUp here.
        """
        raise GiveUp(
            f"the job {context.job} cannot be previewed: its type {type(self).__name__} does not tell how; "
            "`worker trigger` runs it."
        )
