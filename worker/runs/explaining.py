"""The facts that explain a job, read from ledger and configuration; `hindrances` and `telling` put them in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.config.configuration import Configuration, JobDefinition
from worker.engine.schedule import Occurrences, of_job
from worker.model.records import (
    Attempt,
    AttemptState,
    Backfill,
    Call,
    Command,
    Node,
    Reason,
    Run,
    RunState,
    TokenRow,
    Trigger,
)
from worker.model.schedules import After
from worker.runs.candidates import tick_cause
from worker.store import (
    accounts,
    attempts,
    backfills,
    calls,
    commands,
    jobs,
    locks,
    nodes,
    openruns,
    pastruns,
    runs,
    tokens,
)
from worker.store.accounts import AccountState
from worker.store.database import Database
from worker.store.jobs import JobRow
from worker.store.locks import LockHolder

_LATEST = 5  # rows of a job that are told
_LOOK_BACK = 50  # rows of a job among which a run that was in the way is looked for


@dataclass(frozen=True)
class RunFacts:
    """One run with its attempts; `other` is the run that was in its way, or that it came after."""

    run: Run
    attempts: Sequence[Attempt] = ()
    other: Run | None = None
    mutex: LockHolder | None = None  # who holds its mutex


@dataclass(frozen=True)
class AccountFacts:
    """How an account stands; `last_call` is its latest one."""

    name: str
    state: AccountState | None
    token: TokenRow
    last_call: Call | None


@dataclass(frozen=True)
class Cluster:
    """The nodes: those that live, those that the job's runs speak of, and how many runs each performs now."""

    living: Mapping[int, Node]
    known: Mapping[int, Node]
    busy: Mapping[int, int]


@dataclass(frozen=True)
class Facts:
    """What there is to know of one job at one moment."""

    now: datetime
    name: str
    configuration: Configuration
    job: JobDefinition | None
    row: JobRow | None
    defined_at: datetime | None  # when its definition was first seen
    due: Occurrences | None
    past: Sequence[RunFacts]  # newest first
    open: Sequence[RunFacts]  # oldest first
    lock: LockHolder | None
    cluster: Cluster
    accounts: Sequence[AccountFacts] = ()
    parents: Mapping[str, Run | None] | None = None  # the latest run of each job it comes after
    commands: Sequence[Command] = ()
    backfills: Sequence[Backfill] = ()


def read(
    database: Database, connection: sa.Connection, configuration: Configuration, name: str, now: datetime
) -> Facts:
    """Returns the facts of a job, its latest rows among them; `connection` is one of the database's."""
    job, row = configuration.jobs.get(name), jobs.get(connection, name)
    past = pastruns.listing(connection, name, limit=_LATEST)
    waiting = openruns.open_of(connection, name)
    return Facts(
        now=now,
        name=name,
        configuration=configuration,
        job=job,
        row=row,
        defined_at=jobs.defined_at(connection, job.hash) if job else None,
        due=of_job(job.policy, configuration.worker.timezone, name) if job else None,
        past=[of_run(connection, run) for run in past],
        open=[of_run(connection, run) for run in waiting],
        lock=locks.held(connection, locks.job_lock(name)),
        cluster=_cluster(database, connection, [*past, *waiting]),
        accounts=[_account(connection, one) for one in sorted(job.accounts if job else ())],
        parents=_parents(connection, job),
        commands=commands.waiting_for(connection, name),
        backfills=backfills.opened(connection, name),
    )


def of_run(connection: sa.Connection, run: Run) -> RunFacts:
    """Returns what there is to know of one run."""
    mutex = locks.held(connection, locks.mutex_lock(run.mutex)) if run.mutex and not run.state.ended else None
    return RunFacts(run, attempts.of_run(connection, run.id), _other(connection, run), mutex)


def of_tick(connection: sa.Connection, job: str, at: datetime) -> RunFacts | None:
    """Returns the run whose row tells of a job's tick, alone or in a range."""
    run = pastruns.near(connection, job, "tick:", tick_cause(at), newest=True)
    if run is None or run.tick is None or not run.tick <= at <= (run.tick_until or run.tick):
        return None
    return of_run(connection, run)


def _other(connection: sa.Connection, run: Run) -> Run | None:
    """Returns the run before it that had not ended when it came, or the one whose end it follows."""
    if run.trigger is Trigger.AFTER:
        return runs.get(connection, int(run.cause.rpartition(":")[2]))
    if run.reason is not Reason.OVERLAP:
        return None
    before = pastruns.listing(connection, run.job, limit=_LOOK_BACK, before=run.id)
    went_on = (one for one in before if one.finished_at is None or one.finished_at >= run.created_at)
    return next((one for one in went_on if one.state not in (RunState.SKIPPED, RunState.MISSED)), None)


def _cluster(database: Database, connection: sa.Connection, told: Iterable[Run]) -> Cluster:
    living = {node.id: node for node in nodes.living(connection, database.lease_now(connection))}
    running = attempts.running(connection)
    spoken_of = {one.node_id for run in told for one in attempts.of_run(connection, run.id)}
    busy = {node: sum(one.node_id == node for one in running) for node in living}
    return Cluster(living, nodes.named(connection, spoken_of | living.keys()), busy)


def _account(connection: sa.Connection, name: str) -> AccountFacts:
    latest = calls.listing(connection, account=name, limit=1)
    state = accounts.get(connection, name)
    return AccountFacts(name, state, tokens.load(connection, name), latest[0] if latest else None)


def _parents(connection: sa.Connection, job: JobDefinition | None) -> dict[str, Run | None]:
    schedule = job.policy.schedule if job else None
    names = schedule.after if isinstance(schedule, After) else ()
    return {name: next(iter(pastruns.listing(connection, name, limit=1)), None) for name in names}


def running_attempt(facts: RunFacts) -> Attempt | None:
    """Returns the attempt that runs now."""
    return next((one for one in facts.attempts if one.state is AttemptState.RUNNING), None)
