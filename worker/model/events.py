"""What happened, as facts, one record a kind.

Each event is one frozen record; its fields become the fields of the log line. docs/events.md is the published table.
"""

from dataclasses import dataclass
from datetime import datetime

from jobs.contract import Json
from worker.model.listening import Event


@dataclass(frozen=True)
class CallFinished(Event):
    """One HTTP request ended, with an answer or without."""

    name = "call.finished"
    account: str
    method: str
    url: str
    call: int
    purpose: str
    status: int | None = None
    ms: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    tenant: str | None = None
    act_for: str | None = None
    job: str | None = None
    run: int | None = None
    attempt: int | None = None
    retry_of: int | None = None
    generation: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class CallRetried(Event):
    """A call is about to be sent again."""

    name = "call.retried"
    account: str
    call: int
    wait_s: float
    why: str
    job: str | None = None
    run: int | None = None


@dataclass(frozen=True)
class RunStarted(Event):
    """An attempt of a run began."""

    name = "run.started"
    job: str
    run: int
    attempt: int
    trigger: str
    late_s: float | None = None  # seconds after its tick


@dataclass(frozen=True)
class RunProgress(Event):
    """A run that takes longer has got this far; `left_s` where the source told how much there is."""

    name = "run.progress"
    job: str
    run: int
    attempt: int
    seconds: float
    pages: int
    read: int
    written: int
    rejected: int
    per_s: float
    expected: int | None = None
    left_s: float | None = None


@dataclass(frozen=True)
class RunFinished(Event):
    """A run ended; the state says how."""

    name = "run.finished"
    job: str
    run: int
    attempt: int
    state: str
    seconds: float
    read: int = 0
    written: int = 0
    rejected: int = 0
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class RunRetrying(Event):
    """An attempt failed and the run waits for its next one."""

    name = "run.retrying"
    level = "warning"
    job: str
    run: int
    attempt: int
    wait_s: float
    error: str


@dataclass(frozen=True)
class RunSkipped(Event):
    """A tick or a request did not become an execution; the reason is in its row."""

    name = "run.skipped"
    job: str
    run: int
    state: str
    reason: str
    ticks: int = 1


@dataclass(frozen=True)
class RunRescued(Event):
    """A run whose node died waits for another attempt."""

    name = "run.rescued"
    level = "warning"
    job: str
    run: int
    attempt: int
    node: int


@dataclass(frozen=True)
class TransactionsEnded(Event):
    """What a dead node was in the middle of writing was rolled back, so that its locks hold up nobody."""

    name = "transactions.ended"
    level = "warning"
    transactions: int


@dataclass(frozen=True)
class JobQuarantined(Event):
    """Runs of a job took the worker's process down again and again; it is paused until somebody resumes it."""

    name = "job.quarantined"
    level = "error"
    job: str
    run: int
    reason: str


@dataclass(frozen=True)
class TokenRefreshed(Event):
    """An account has a new token."""

    name = "token.refreshed"
    account: str
    generation: int
    grant: str
    expires_in_s: float | None = None
    call: int | None = None


@dataclass(frozen=True)
class TokenRefreshFailed(Event):
    """A token could not be had now; an old one stays in use while it is good."""

    name = "token.refresh_failed"
    level = "warning"
    account: str
    error: str
    failures: int
    retry_in_s: float | None = None


@dataclass(frozen=True)
class AccountBlocked(Event):
    """An account's secrets or client were refused; its jobs are skipped until that changes."""

    name = "account.blocked"
    level = "error"
    account: str
    reason: str


@dataclass(frozen=True)
class AccountNeedsLogin(Event):
    """An account needs a person to log in."""

    name = "account.needs_login"
    level = "error"
    account: str
    reason: str


@dataclass(frozen=True)
class AccountRecovered(Event):
    """An account that was degraded, blocked or waiting for a login works again."""

    name = "account.recovered"
    account: str


@dataclass(frozen=True)
class AccountWarned(Event):
    """Something about an account wants a person's eye."""

    name = "account.warned"
    level = "warning"
    account: str
    warning: str


@dataclass(frozen=True)
class TickDelayed(Event):
    """Due ticks could not be recorded yet; they are kept and tried again."""

    name = "tick.delayed"
    level = "error"
    what: str
    error: str


@dataclass(frozen=True)
class DaemonReady(Event):
    """The daemon works: the schema is current and the clock is armed."""

    name = "daemon.ready"
    node: int
    jobs: int
    accounts: int
    database: str
    next_tick: datetime | None = None


@dataclass(frozen=True)
class DaemonStopping(Event):
    """The daemon drains: it takes no new work and waits for what runs."""

    name = "daemon.stopping"
    signal: str
    running: int
    queued: int
    drain_s: float


@dataclass(frozen=True)
class DaemonStopped(Event):
    """The daemon left."""

    name = "daemon.stopped"
    drained: bool


@dataclass(frozen=True)
class DaemonState(Event):
    """Somebody asked by USR1 how the daemon stands."""

    name = "daemon.state"
    jobs: int
    configuration: str  # its hash
    running: int
    queued: int
    runs: list[str]  # underway: job, run, for how long
    writes_waiting: int
    ticks_waiting: int  # due, and not recorded yet
    log_waiting: int
    log_dropped: int
    threads: int
    next_tick: datetime | None = None


@dataclass(frozen=True)
class ThreadState(Event):
    """Where one thread was when somebody asked by USR1: places in the code, innermost first."""

    name = "daemon.thread"
    thread: str
    ident: int
    stack: list[str]


@dataclass(frozen=True)
class ConfigurationReloaded(Event):
    """A changed configuration is in force: how many jobs came, changed and went; accounts that are begun anew."""

    name = "configuration.reloaded"
    added: int
    changed: int
    removed: int
    accounts: list[str]
    at_next_start: list[str]  # keys that changed and that a running process cannot take up
    seconds: float


@dataclass(frozen=True)
class ConfigurationRefused(Event):
    """The configuration that lies there was not taken up, and why not: every problem with file and line."""

    name = "configuration.refused"
    level = "error"
    problems: list[str]
    instead: str


@dataclass(frozen=True)
class CommandTaken(Event):
    """An operator's command was carried out or refused."""

    name = "command.taken"
    verb: str
    target: str
    by: str
    outcome: str


@dataclass(frozen=True)
class HistoryPruned(Event):
    """History that is older than the retention was deleted."""

    name = "history.pruned"
    runs: int
    attempts: int
    calls: int
    rejects: int
    commands: int  # backfills included
    nodes: int


@dataclass(frozen=True)
class LogLinesLost(Event):
    """So many lines before this one went nowhere: a disk was full, a pipe closed, or its reader did not read."""

    name = "log.lines_lost"
    level = "warning"
    lines: int


@dataclass(frozen=True)
class WorkerFailed(Event):
    """Part of the worker failed in a way no job explains; it goes on."""

    name = "worker.failed"
    level = "error"
    part: str
    error: str


@dataclass(frozen=True)
class JobSaid(Event):
    """A job says something of its own."""

    name = "job.said"
    job: str
    run: int
    attempt: int
    text: str
    details: Json = None


@dataclass(frozen=True)
class JobWarned(Event):
    """A job says something that somebody should look at."""

    name = "job.warned"
    level = "warning"
    job: str
    run: int
    attempt: int
    text: str
    details: Json = None
