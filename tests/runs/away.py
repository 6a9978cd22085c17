"""Attempts of one run that store pages, on databases whose commits fail when a test says so."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
import sqlalchemy as sa

from jobs.contract import Json, RejectLimit
from jobs.flow import Batch, Page
from jobs.progress import Progress
from jobs.sinks.sql import Intake, SqlDestination, SqlOptions
from worker.model.listening import Events
from worker.model.records import Run, RunState, Trigger
from worker.runs.context import Leash, Resources, RunContext
from worker.store import attempts, runs
from worker.store.database import Database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Faults:
    """Makes chosen commits of a database fail, before they happen or after."""

    def __init__(self, database: Database) -> None:
        self._plan: list[str] = []
        self._commit = database.engine.dialect.do_commit
        self._error: Exception = psycopg.OperationalError("the connection was lost")
        if database.dialect == "sqlite":
            self._error = sqlite3.OperationalError("disk I/O error")
            self._error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        database.engine.dialect.do_commit = self._do  # type: ignore[assignment, method-assign]

    def plan(self, *steps: str) -> None:
        """Says what becomes of the next commits: `well`, `not` at all, or `unknown`: only its answer is lost."""
        self._plan = list(steps)

    def _do(self, connection: Any) -> None:  # noqa: ANN401  the driver's own
        step = self._plan.pop(0) if self._plan else "well"
        if step == "not":
            connection.rollback()
        else:
            self._commit(connection)
        if step != "well":
            if isinstance(self._error, psycopg.Error):
                connection.driver_connection.close()
            raise self._error


@dataclass
class Attempts:
    """A run of a job that reads pages by a cursor; each attempt goes on where the cursor stands."""

    own: Database
    other: Database
    options: dict[str, Json]
    pages: list[list[Json]]
    with_cursor: bool = True
    run_id: int = 1
    number: int = 0
    contexts: list[RunContext] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Claims the run."""
        self.begin_run(self.run_id)

    def begin_run(self, run_id: int) -> None:
        """Begins another run of the job."""
        self.run_id, self.number = run_id, 0
        run = Run(run_id, "orders", f"manual:{run_id}", Trigger.MANUAL, RunState.QUEUED, NOW, "hash")
        with self.own.write() as connection:
            runs.claim(connection, [run])
        self._run = run

    def context(self) -> RunContext:
        """Begins the next attempt."""
        self.number += 1
        with self.own.write() as connection:
            attempts.begin(connection, self.run_id, self.number, 1, NOW)
        run = Run(**(self._run.__dict__ | {"attempt": self.number}))
        resources = Resources(self.own, {"other": self.other}, {}, lambda: NOW, Events())
        self.contexts.append(RunContext(run, resources, RejectLimit(share=1.0), Leash(60.0)))
        return self.contexts[-1]

    def execute(self) -> None:
        """Makes one attempt, to its end or to the first error."""
        context = self.context()
        options = SqlOptions.model_validate({"table": "t", "database": "other"} | self.options)
        complete, resumes = not self.with_cursor, self.with_cursor
        intake = Intake(resumes=resumes, complete=complete)
        target = SqlDestination(options, context, Progress(context), intake, now=lambda: NOW)
        start = context.cursor("", "other").value or 0 if self.with_cursor else 0
        for number, page in enumerate(self.pages[start:], start + 1):
            cursor = number if self.with_cursor else None
            rows = [row for row in page if isinstance(row, dict)]
            broken = [(row, "no object") for row in page if not isinstance(row, dict)]
            target.store([Batch(Page(rows, cursor=cursor, rejects=broken), rows, rows, broken)])
        target.finish()

    def rows(self) -> list[Any]:
        """Returns the ids in the table, in their order."""
        with self.other.read() as connection:
            if not sa.inspect(connection).has_table("t"):
                return []
            return list(connection.execute(sa.text("SELECT id FROM t ORDER BY id, _run_id")).scalars())


@contextmanager
def fresh(*databases: Database) -> Iterator[None]:
    """Leaves databases without what an example of a property stored."""
    yield
    for database in databases:
        with database.write() as connection:
            for table in ("t", "t__new", "t__seen", "_sync_tables", "_sync_cursors"):
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
            if sa.inspect(connection).has_table("runs"):
                for table in ("attempts", "runs", "cursors", "rejects"):
                    connection.exec_driver_sql(f"DELETE FROM {table}")
        database.engine.dispose()
