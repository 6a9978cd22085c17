"""What is sent, on whose behalf, and what came back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.contract import Answer
from worker.model.records import Purpose
from worker.store.writer import Ticket
from worker.vault.secret import Secret

Value = str | Secret


@dataclass(frozen=True)
class Outgoing:
    """One request as its sender means it; what is a Secret never shows up in a log, a row or an error.

    `body` is sent with `content_type`; `form` is sent form-encoded in its place. A redirect or a next link has a query
    in its `url` already: it is kept as it stands, `params` come behind it.
    """

    method: str
    url: str  # absolute
    params: Mapping[str, Value] = field(default_factory=dict)
    headers: Mapping[str, Value] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = ""
    form: Mapping[str, Value] | None = None


@dataclass(frozen=True)
class About:
    """On whose behalf a request is sent, and for what; it becomes the call's row.

    A `durable` call is sent only once its row is committed. Token requests and unsafe methods always are.
    """

    account: str
    purpose: Purpose
    tenant: str | None = None
    job: str | None = None
    run_id: int | None = None
    attempt: int | None = None
    retry_of: int | None = None
    generation_used: int | None = None
    act_for: str | None = None
    durable: bool = False


@dataclass(frozen=True)
class Reply:
    """A complete answer of any status; once `ticket` is done, the call's row is durable with it."""

    answer: Answer = field(repr=False)  # its body may be a token
    call_id: int
    ticket: Ticket[None]
    ms: float


@dataclass(frozen=True)
class Limits:
    """How long a call may take and how large its answer may be; seconds and bytes."""

    connect_s: float  # for each address of the host
    read_s: float  # without a single byte
    deadline_s: float  # from the look-up of the name to the last byte of the body, redirects included
    max_body: int  # as sent and inflated


def place_of(method: str, url: str, account: str) -> str:
    """Returns how every message about a call begins; `url` holds no secret."""
    return f"{method} {url} (account {account})"
