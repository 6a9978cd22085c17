"""The sections of fixed shape that say nothing of jobs: few verbs need more, and what jobs may say is long to import.

A key enters these sheets with its feature. Relative paths are relative to the file that names them; the configuration
makes them absolute before they come here.
"""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from jobs.contract import Duration
from worker.model.drivers import any_database_url
from worker.model.records import LONGEST_LEASE_S
from worker.model.secretref import SecretRef
from worker.model.urls import database_url, proxy_url
from worker.model.values import FilePath, Options, Zone

OWN_DATABASE = "sqlite:///worker.db"


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
