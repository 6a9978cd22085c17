"""A bench for the runs room: real databases, job definitions, and an engine that only notes what it is handed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from jobs import registry
from jobs.contract import Context, Job
from worker.calls.session import AccountApi
from worker.config.configuration import JobDefinition
from worker.model.listening import Event, Events
from worker.model.moments import new_id
from worker.model.options import JobOptions
from worker.model.records import Node, Run, Tick
from worker.model.retry import JobRetryOptions
from worker.runs.book import Book
from worker.runs.context import Resources
from worker.runs.dispatch import Dispatch
from worker.runs.executor import Executor
from worker.runs.inbox import Inbox
from worker.runs.pulse import Pulse
from worker.store import jobs, nodes, pastruns
from worker.store.database import Database
from worker.store.writer import Writer

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Nothing(BaseModel):
    """Options of a job that has none."""


class Probe(Job[Nothing]):
    """A job that does what the test says."""

    options_model = Nothing
    act: ClassVar[Callable[[Context], None]]

    def run(self, context: Context) -> None:
        """Does it."""
        type(self).act(context)


def definition(name: str, schedule: object = "* * * * *", **policy: object) -> JobDefinition:
    """Returns a job as the configuration would hand it over."""
    retry = JobRetryOptions(attempts=2, backoff=10.0, max=60.0)
    options = JobOptions.model_validate({"type": "probe", "schedule": schedule, "retry": retry, **policy})
    return JobDefinition(name, options, "probe", Nothing(), f"hash-{name}", "{}")


@dataclass
class Bench:
    """One node's runs room."""

    database: Database
    writer: Writer
    definitions: dict[str, JobDefinition]
    now: datetime = START
    submitted: list[int] = field(default_factory=list)
    written_off: list[int] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)
    node: int = field(default_factory=new_id)
    accounts: dict[str, AccountApi] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Joins the parts."""
        events = Events()
        events.listen(self.heard.append)
        clock = lambda: self.now  # noqa: E731  the parts are handed a function
        resources = Resources(self.database, {"other": self.database}, self.accounts, clock, events)
        submit = lambda run_id, _priority: self.submitted.append(run_id)  # noqa: E731  the same
        self.dispatch = Dispatch(self.book, self.writer, submit, events, clock)
        hold = lambda: resources  # noqa: E731  the same
        self.executor = Executor(self.node, self.book, self.writer, hold, self.dispatch, self.written_off.append)
        self.pulse = Pulse(self.node, self.database, self.writer, self.book, self.dispatch, clock, dict)
        self.inbox = Inbox(self.node, self.database, self.writer, self.book, self.dispatch, clock)
        rows = [jobs.JobRow(job.name, job.hash, job.policy.enabled, START) for job in self.definitions.values()]
        self.writer.call(lambda connection: jobs.configure(connection, rows, []))
        self.register(self.node)

    def register(self, node: int, silent_for_s: float = 0.0) -> None:
        """Adds a node whose heart beat so long ago."""

        def add(connection: sa.Connection) -> None:
            beat = self.database.lease_now(connection) - timedelta(seconds=silent_for_s)
            nodes.register(connection, Node(node, "bench", 1, "boot", START, beat))

        self.writer.call(add)

    def book(self) -> Book:
        """Returns the definitions."""
        return Book(self.definitions)

    def twin(self) -> "Bench":
        """Returns another node on the same database."""
        return Bench(self.database, self.writer, self.definitions, now=self.now)

    def fire(self, job: str, *minutes: float) -> None:
        """Fires ticks so many minutes after the start, with the clock at the last one."""
        ticks = [Tick(job, START + timedelta(minutes=minute)) for minute in minutes]
        self.now = max(self.now, ticks[-1].at)
        self.dispatch.fire(ticks)

    def execute_all(self) -> None:
        """Executes what was submitted, in order, until nothing is left."""
        while self.submitted:
            self.executor.execute(self.submitted.pop(0))

    def runs(self, job: str | None = None) -> list[Run]:
        """Returns the ledger, oldest first."""
        with self.database.read() as connection:
            return list(reversed(pastruns.listing(connection, job, limit=1000)))

    def last(self, job: str) -> Run:
        """Returns the job's newest run."""
        return self.runs(job)[-1]

    def states(self, job: str) -> list[str]:
        """Returns the states of the job's runs, oldest first."""
        return [str(run.state) for run in self.runs(job)]


Make = Callable[..., Bench]


@pytest.fixture
def make_bench(database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes benches; `act` is what every job of theirs does."""
    monkeypatch.setitem(registry._BUILT_IN, "probe", Probe)

    def make(*definitions: JobDefinition, act: Callable[[Context], None] = lambda _: None) -> Bench:
        monkeypatch.setattr(Probe, "act", staticmethod(act), raising=False)
        return Bench(database, writer, {one.name: one for one in definitions})

    return make


def disabled(job: JobDefinition) -> JobDefinition:
    """Returns the job as one that is not enabled."""
    return replace(job, policy=job.policy.model_copy(update={"enabled": False}))
