"""Every section of fixed shape, in the order of config.example.toml; accounts and job types have sheets of their own.

A key enters these sheets with its feature. Relative paths are relative to the file that names them; the configuration
makes them absolute before they come here.
"""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from jobs.contract import Duration, RejectLimit
from worker.model.blackouts import Blackout, Holiday
from worker.model.catchup import CatchUp, CatchUpOptions
from worker.model.drivers import any_database_url
from worker.model.hours import Hours
from worker.model.records import LONGEST_LEASE_S
from worker.model.retry import JobRetryOptions
from worker.model.schedules import Dst, Manual, OneOrMany, Schedule
from worker.model.secretref import SecretRef
from worker.model.steps import Condition, StepAfter, StepBefore
from worker.model.urls import database_url, proxy_url
from worker.model.values import FilePath, Options, Rejects, Zone


class WorkerOptions(Options):
    """The daemon itself."""

    name: str = Field(default="", description="For people; empty: the host's name.")
    timezone: Zone = Field(default=ZoneInfo("UTC"), description="Zone of schedules that name none.")
    concurrency: int = Field(default=8, ge=1, le=500, description="Runs at once on this node.")
    drain_timeout: Duration = Field(default=30.0, description="How long a stop waits for what runs.")
    lease: Duration = Field(
        default=30.0,
        ge=2.0,
        le=LONGEST_LEASE_S,
        description="How long this worker may be silent before others take it for dead and its runs over; its "
        "heart beats eight times in it.",
    )


class DatabaseOptions(Options):
    """The worker's database, by SQLAlchemy URL; a password stands beside the URL, as a secret reference."""

    url: Annotated[str, AfterValidator(database_url)] = Field(
        description="sqlite:///file.db or postgresql://user@host/name"
    )
    password: SecretRef | None = None


class OtherDatabaseOptions(DatabaseOptions):
    """A database that jobs read from and write to: any that SQLAlchemy has an installed driver for."""

    url: Annotated[str, AfterValidator(any_database_url)] = Field(
        description="sqlite:///file.db, postgresql://user@host/name, mysql+pymysql://user@host/name ..."
    )


class VaultOptions(Options):
    """Where the key ring lies that seals stored tokens."""

    keys: SecretRef


class LogOptions(Options):
    """The log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json", "logfmt"] = Field(
        default="auto", description="auto: console on a terminal, json elsewhere"
    )
    file: FilePath = Field(default=None, description="Absent or empty: stdout.")


class NetworkOptions(Options):
    """How calls leave this machine; the environment is not asked."""

    proxy: Annotated[str, AfterValidator(proxy_url)] = Field(default="", description="Empty: none.")
    ca_bundle: FilePath = Field(default=None, description="Absent or empty: the system's certificates.")


class RetentionOptions(Options):
    """How long history is kept. A job's newest run, its last success and what has not ended always are."""

    runs: Duration = Field(
        default=180 * 86400.0, description="Runs with their attempts; operators' commands and nodes that left, too."
    )
    runs_per_job: int = Field(default=10_000, ge=1, description="Of these at most so many of one job, the newest.")
    calls: Duration = Field(default=30 * 86400.0, description="The trail of calls.")
    rejects: Duration = Field(default=90 * 86400.0, description="Rejected records, since a run last met them.")


class PolicyOptions(Options):
    """What a job may say about its running; `[defaults]` says it for all."""

    timeout: Duration = 600.0
    retry: JobRetryOptions = JobRetryOptions()
    catch_up: CatchUp = CatchUpOptions(policy="last")
    overlap: Literal["skip", "queue"] = "skip"
    mutex: str | None = Field(
        default=None, min_length=1, max_length=200, description="Runs that name the same one run one at a time."
    )
    priority: int = Field(
        default=0, ge=-100, le=100, description="Of what waits, the highest runs first; requests of a person: 10 more."
    )
    max_rejects: Rejects = RejectLimit(share=0.01)
    blackout: Annotated[tuple[Blackout, ...], OneOrMany(least=0)] = Field(
        default=(), description="Ticks in these times are skipped; in the job's zone."
    )
    holidays: Annotated[tuple[Holiday, ...], OneOrMany(least=0)] = Field(
        default=(), description="Days from Monday to Friday that are no business days."
    )


class JobOptions(PolicyOptions):
    """A job, without what its type adds."""

    type: str
    schedule: Schedule = Manual()
    timezone: Zone | None = Field(default=None, description="Default: the worker's.")
    dst: Dst = Field(
        default="once",
        description="A time of day that a change of clocks leaves out or brings twice. once: it fires once, at the end "
        "of the gap or at its first passage; skip: what is left out does not fire; both: what comes twice fires twice.",
    )
    hours: Hours | None = Field(default=None, description="Hours of the day in which the schedule is due.")
    enabled: bool = True
    condition: Condition | None = Field(default=None, description="What must hold, else the run is skipped.")
    steps_before: Annotated[tuple[StepBefore, ...], OneOrMany(least=0)] = Field(
        default=(), description="Done before the work; each may call the run off."
    )
    steps_after: Annotated[tuple[StepAfter, ...], OneOrMany(least=0)] = Field(
        default=(), description="Done after the work, before the run ends."
    )


OWN_DATABASE = "sqlite:///worker.db"


class Sections(Options):
    """The sections of fixed shape; accounts, databases and jobs come beside them, by name."""

    worker: WorkerOptions = WorkerOptions()
    database: DatabaseOptions = DatabaseOptions(url=OWN_DATABASE)
    vault: VaultOptions
    log: LogOptions = LogOptions()
    network: NetworkOptions = NetworkOptions()
    retention: RetentionOptions = RetentionOptions()
    defaults: PolicyOptions = PolicyOptions()
