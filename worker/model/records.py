"""What the rooms hand each other, one frozen record a thing.

States of a run:

    queued ──► running ──► succeeded
      ▲           │  └───► failed, cancelled, skipped (the job asked for it)
      └───────────┘        a retry: the same run waits for its next attempt
    skipped, missed        never ran; `reason` says why
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from jobs.contract import Counts, Json

LONGEST_LEASE_S = 3600.0
AGAIN = "/"  # in the cause of a tick that the wall clock showed twice


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    MISSED = "missed"

    @property
    def ended(self) -> bool:
        """True for a state a run never leaves."""
        return self not in (RunState.QUEUED, RunState.RUNNING)


class AttemptState(StrEnum):
    """Where one execution of a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    DEFERRED = "deferred"  # the job asked to be tried again later; not counted as a failure
    LOST = "lost"  # its node died, or it went on past its time: it may write no more


class Reason(StrEnum):
    """Why a run did not happen, or did not end by itself."""

    OVERLAP = "overlap"  # an earlier run of the job had not ended
    ACCOUNT = "account"  # the account it runs under is blocked or needs a login
    PAUSED = "paused"
    QUARANTINED = "quarantined"  # runs of the job took processes down again and again
    ACCOUNT_PAUSED = "account paused"
    DISABLED = "disabled"
    BLACKOUT = "blackout"
    DOWNTIME = "downtime"  # the worker was not running, and the catch-up policy leaves these ticks out
    UPSTREAM = "upstream"  # the job it comes after did not end as asked
    CONDITION = "condition"  # the job's condition did not hold
    STEP = "step"  # a step before the job called it off
    NOTHING = "nothing to do"  # the job said so
    REMOVED = "removed"  # the job is no longer configured
    TIMEOUT = "timeout"
    OPERATOR = "operator"
    SHUTDOWN = "shutdown"
    NODE_DIED = "node died"


class Trigger(StrEnum):
    """What caused a run."""

    TICK = "tick"
    CATCH_UP = "catch_up"
    AFTER = "after"
    MANUAL = "manual"
    BACKFILL = "backfill"
    REPLAY = "replay"

    @property
    def by_hand(self) -> bool:
        """True where a person asked for the run: it happens even if the job is paused or disabled."""
        return self in (Trigger.MANUAL, Trigger.REPLAY, Trigger.BACKFILL)


class Health(StrEnum):
    """Whether an account's credentials can be used."""

    UNKNOWN = "unknown"  # never asked for a token
    FRESH = "fresh"
    STALE = "stale"  # past its refresh time, still accepted
    DEGRADED = "degraded"  # the last refresh failed; it is tried again by itself
    BLOCKED = "blocked"  # refused; tried again when the secret changes
    NEEDS_LOGIN = "needs_login"
    UNDECRYPTABLE = "undecryptable"

    @property
    def usable(self) -> bool:
        """False where a job under this account could only fail."""
        return self not in (Health.BLOCKED, Health.NEEDS_LOGIN, Health.UNDECRYPTABLE)


class Purpose(StrEnum):
    """Why a call was made."""

    READ = "read"
    WRITE = "write"
    TOKEN = "token"  # noqa: S105  a purpose, no secret
    REFRESH = "refresh"
    VALIDATE = "validate"
    REVOKE = "revoke"
    LOGIN = "login"  # by a person
    DISCOVERY = "discovery"  # an issuer's metadata


@dataclass(frozen=True)
class Tick:
    """One instant at which a schedule says a job is due; `at` is UTC.

    `again` is set where the wall clock was set back and shows that instant once more: what had been told ended before.
    """

    job: str
    at: datetime
    again: datetime | None = None


@dataclass(frozen=True)
class Run:
    """One row of `runs`: what became of one tick or one request."""

    id: int
    job: str
    cause: str  # unique per job: `tick:T`, `after:RUN`, `manual:ID`, `backfill:ID:T`, `replay:RUN:ID`
    trigger: Trigger
    state: RunState
    created_at: datetime
    definition_hash: str
    reason: Reason | None = None
    tick: datetime | None = None
    tick_until: datetime | None = None  # the last of a range of ticks told in one row
    ticks: int = 1
    window_since: datetime | None = None
    window_until: datetime | None = None
    priority: int = 0
    not_before: datetime | None = None
    params: dict[str, Json] = field(default_factory=dict)
    attempt: int = 0  # number of the latest attempt; 0: none yet
    started_at: datetime | None = None
    finished_at: datetime | None = None
    counts: Counts = field(default_factory=Counts)
    calls: int = 0
    error_kind: str | None = None
    error: str | None = None
    mutex: str | None = None  # what it must hold to run, over jobs and nodes
    cancel_asked_by: str | None = None
    cancel_asked_at: datetime | None = None


def altered(run: Run, news: Mapping[str, object]) -> Run:
    """Returns the run with other values in some fields: what `replace` does, in a tenth of its time."""
    copy = object.__new__(Run)
    vars(copy).update(vars(run), **news)
    return copy


@dataclass(frozen=True)
class Attempt:
    """One row of `attempts`: one execution of a run on one node; (run_id, number) fences every write."""

    run_id: int
    number: int
    node_id: int
    state: AttemptState
    started_at: datetime
    ended_at: datetime | None = None
    counts: Counts = field(default_factory=Counts)
    error_kind: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Call:
    """One row of `calls`: one HTTP request under an account; `ms` is None until an answer or an error was seen."""

    id: int
    account: str
    purpose: Purpose
    at: datetime
    method: str
    url: str  # without secrets
    node_id: int | None = None
    run_id: int | None = None
    attempt: int | None = None
    job: str | None = None
    tenant: str | None = None
    act_for: str | None = None
    status: int | None = None
    ms: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    retry_of: int | None = None
    generation_used: int | None = None
    generation_issued: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class TokenRow:
    """One row of `tokens`: sealed, with everything the refresh protocol needs around it."""

    account: str
    generation: int = 0  # 0: no token was ever stored
    sealed: bytes | None = None
    key_id: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None  # None: the server did not say
    refresh_at: datetime | None = None  # from here on one caller refreshes, the others go on
    refresh_expires_at: datetime | None = None
    lease_owner: str | None = None
    lease_until: datetime | None = None  # by the lease clock, not the wall clock
    attempt_id: int | None = None  # written before a token request leaves; its answer may be lost
    failures: int = 0
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    secret_fingerprint: str | None = None
    health: Health = Health.UNKNOWN
    reason: str | None = None  # why the health is what it is, and what to do
    refreshed_at: datetime | None = None


@dataclass(frozen=True)
class Node:
    """One row of `nodes`: one worker process."""

    id: int
    name: str
    pid: int
    boot_id: str
    started_at: datetime
    heartbeat_at: datetime  # by the lease clock
    stopped_at: datetime | None = None
    configuration_hash: str | None = None  # of what it works by
    configured_at: datetime | None = None
    lease_s: float = 30.0  # silent for so long it is dead
    reload_error: str | None = None  # why the configuration that lies there was not taken
    lines_dropped: int = 0  # by its log


@dataclass(frozen=True)
class Reject:
    """One row of `rejects`: a record that could not be mapped, typed or stored."""

    job: str
    record_hash: str
    run_id: int
    reason: str
    record: str  # JSON, secrets masked
    whole: bool  # nothing was masked or cut: the record can be tried again
    key: str | None  # of the record, as JSON; None where nobody can tell
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class Command:
    """One row of `commands`: what an operator asked for, and what came of it."""

    id: int
    at: datetime
    by: str
    verb: str
    target: str
    arguments: Json = field(default_factory=dict)  # parameters by name; anybody can write to the table
    taken_by: int | None = None
    ended_at: datetime | None = None
    outcome: str | None = None


@dataclass(frozen=True)
class Backfill:
    """One row of `backfills`: a span of the past whose ticks become runs, a few at a time."""

    id: int  # of the command that asked for it
    job: str
    since: datetime
    until: datetime
    told_until: datetime  # ticks up to here have their rows
    by: str
    at: datetime
    every_s: float | None = None  # between two ticks; None: those of the job's schedule
    total: int = 0  # ticks of the span
    ticks: int = 0  # that have their rows
    params: dict[str, Json] = field(default_factory=dict)
    at_once: int = 1  # runs of it that may be open
    pause_s: float = 0.0  # between the starts of two
    ended_at: datetime | None = None
    outcome: str | None = None
