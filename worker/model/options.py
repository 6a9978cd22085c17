"""What jobs may say about their running, and every section of fixed shape; accounts and job types have own sheets.

A key enters these sheets with its feature. Relative paths are relative to the file that names them; the configuration
makes them absolute before they come here.
"""

from typing import Annotated, Literal

from pydantic import Field

from jobs.contract import Duration, RejectLimit
from worker.model.blackouts import Blackout, Holiday
from worker.model.catchup import CatchUp, CatchUpOptions
from worker.model.hours import Hours
from worker.model.retry import JobRetryOptions
from worker.model.schedules import Dst, Manual, OneOrMany, Schedule
from worker.model.sections import (
    OWN_DATABASE,
    DatabaseOptions,
    LogOptions,
    NetworkOptions,
    OtherDatabaseOptions,
    RetentionOptions,
    VaultOptions,
    WorkerOptions,
)
from worker.model.steps import Condition, StepAfter, StepBefore
from worker.model.values import Options, Rejects, Zone

__all__ = [
    "OWN_DATABASE",
    "DatabaseOptions",
    "JobOptions",
    "LogOptions",
    "NetworkOptions",
    "OtherDatabaseOptions",
    "PolicyOptions",
    "RetentionOptions",
    "Sections",
    "VaultOptions",
    "WorkerOptions",
]


class PolicyOptions(Options):
    """What a job may say about its running; `[defaults]` says it for all."""

    timeout: Duration = 600.0
    retry: JobRetryOptions = JobRetryOptions()
    catch_up: CatchUp = Field(default=CatchUpOptions(policy="last"), json_schema_extra={"default": "last"})
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


class Sections(Options):
    """The sections of fixed shape; accounts, databases and jobs come beside them, by name."""

    worker: WorkerOptions = WorkerOptions()
    database: DatabaseOptions = DatabaseOptions(url=OWN_DATABASE)
    vault: VaultOptions
    log: LogOptions = LogOptions()
    network: NetworkOptions = NetworkOptions()
    retention: RetentionOptions = RetentionOptions()
    defaults: PolicyOptions = PolicyOptions()
