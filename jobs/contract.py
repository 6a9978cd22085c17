"""The contract between a job and the worker that runs it.

    WorkerError                 the root of every error of ours
    ├── BadAnswer               an API answered with something that is not what was asked for
    ├── BadRecord               one record cannot be mapped or typed; it becomes a reject
    ├── TooManyRejects          more records were rejected than the job allows
    ├── Interrupted             the run must end now: cancelled, timed out or shutting down
    └── JobSignal               what a job asks for, by raising it
        ├── RetryLater          try this run again, not before a while
        ├── Skip                there was nothing to do; the run ends as skipped
        └── GiveUp              trying again cannot help; the run ends as failed

A job knows its `Context` and nothing of the daemon around it.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

import orjson
import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

Json = Any  # what a JSON document decodes to: dict, list, str, int, float, bool or None
Record = dict[str, Json]


class WorkerError(Exception):
    """The root of every error of ours; its text is one sentence that ends in the remedy."""

    kind: ClassVar[str] = "error"  # stands in runs.error_kind: what people filter by
    permanent: ClassVar[bool] = False  # True: another attempt would fail alike, so none is made
    retry_after_s: float | None = None  # seconds the far end asked us to wait, where it did


class BadAnswer(WorkerError):
    """An API answered with something that is not what was asked for."""

    kind = "bad_answer"


class BadRecord(WorkerError):
    """One record cannot be mapped or typed; the reason goes into its reject."""

    kind = "bad_record"


class TooManyRejects(WorkerError):
    """More records were rejected than the job's `max_rejects` allows."""

    kind = "too_many_rejects"
    permanent = True


class Interrupted(WorkerError):
    """The run must end now; raised by `Context.check`."""

    kind = "interrupted"


class JobSignal(WorkerError):
    """What a job asks for by raising a word; the executor owns the consequence."""


class RetryLater(JobSignal):
    """The run is to be attempted again, not before `after_s` seconds have passed."""

    kind = "retry_later"

    def __init__(self, reason: str, after_s: float) -> None:
        super().__init__(reason)
        self.retry_after_s = after_s


class Skip(JobSignal):
    """There was nothing to do; the run ends as skipped with this reason."""

    kind = "skipped"


class GiveUp(JobSignal):
    """Trying again cannot help; the run ends as failed with this reason."""

    kind = "gave_up"
    permanent = True


_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Returns the seconds of a duration such as `500ms`, `30s`, `15m`, `2h` or `90d`; raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text.strip())
    if match is None:
        raise ValueError(f"expected a duration such as 500ms, 30s, 15m, 2h or 90d, found {text!r}")
    return float(match[1]) * _UNITS_S[match[2]]


def _duration(value: object) -> object:
    if isinstance(value, float):  # a default, or a value that was read before
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected a duration such as 30s, found {value!r}")  # noqa: TRY004  pydantic's wish
    return seconds(value)


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
            return orjson.loads(self.body)
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

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        act_for: Mapping[str, str] | None = None,
    ) -> Answer:
        """Returns the answer to one request, whose status is below 400.

        `path` is relative to the base URL, or absolute within the account's allowed origins. `act_for` says on whose
        behalf, over what the account says; a blank value takes one back. Waits for the rate limit, repeats what may be
        repeated, and raises an error that names account, method, URL and status.
        """


@dataclass(frozen=True)
class Cursor:
    """How far an incremental job has got: any JSON value; version 0 means it never moved."""

    value: Json = None
    version: int = 0


@dataclass(frozen=True)
class Window:
    """The span of time a run covers; `since` is None on a job's first run."""

    since: datetime | None
    until: datetime


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

    def reject(self, record: Json, reason: str) -> None:
        """Keeps a record that could not be stored, with the reason."""

    def advance(self, value: Json, name: str = "") -> None:
        """Moves the job's cursor to `value`; seen by others only if the unit commits."""

    def count(self, *, read: int = 0, written: int = 0, unchanged: int = 0, deleted: int = 0) -> None:
        """Adds to the attempt's counts, in records."""


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

    def cursor(self, name: str = "") -> Cursor:
        """Returns the job's cursor as last committed."""

    def unit(self, database: str | None = None) -> AbstractContextManager[Unit]:
        """Opens one transaction on a configured database, by default the worker's own.

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


@dataclass(frozen=True)
class Page:
    """Records read together, and how far the source has got with them.

    `cursor` is the value to advance to once this page is stored; None leaves the cursor where it is.
    """

    records: list[Json]
    cursor: Json = None
    total: int | None = None  # records in the whole answer, where the source tells
    rejects: list[tuple[Json, str]] = field(default_factory=list)  # what was no record at all, and why


class Source(Protocol):
    """Where records come from."""

    def pages(self, context: Context) -> Iterator[Page]:
        """Yields pages until there are no more."""


class Sink(Protocol):
    """Where records go."""

    def write(self, unit: Unit, rows: list[Record], context: Context) -> None:
        """Stores rows inside the unit, counts them, and rejects those that cannot be stored."""
