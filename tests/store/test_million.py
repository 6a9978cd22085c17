"""What the daemon and the command line ask stays quick at a million runs: work is counted, not time."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from benchmarks.million import fill
from jobs.ids import id_at
from tests.conftest import Server
from tests.fresh import open_new
from worker.model.moments import utc_now
from worker.model.records import AttemptState, Reason, RunState
from worker.runs import explaining
from worker.store import (
    accounts,
    attempts,
    batches,
    calls,
    commands,
    durations,
    jobs,
    lineage,
    locks,
    nodes,
    openruns,
    pastruns,
    rejects,
    retention,
    runs,
)
from worker.store.database import Database, open_database
from worker.store.views import job_health

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JOB = "job-07"
NOW = utc_now()
OLD = id_at(NOW - timedelta(days=99))
MOST_STEPS = 60_000  # of SQLite's machine: a million rows are at least five million
MOST_STEPS_OF_ALL = 3_000_000  # the calls of fifty tokens; a hundred jobs, one of which failed ten thousand times
MOST_PAGES = 2_000  # of PostgreSQL: the table has more than thirty thousand
MOST_PAGES_OF_ALL = 30_000

Ask = Callable[[sa.Connection], object]
"""One question, as the daemon or a verb asks it."""


def run_of(connection: sa.Connection) -> int:
    """Returns a run of the job that has ended."""
    return pastruns.listing(connection, JOB, limit=20)[-1].id


def open_runs(connection: sa.Connection) -> list[int]:
    """Returns the runs that have not ended."""
    return [run_id for run_id, _ in openruns.open_jobs(connection)]


def beginning(run_id: int) -> batches.Beginning:
    """Returns how a run is to begin."""
    return batches.Beginning(run_id, 1, NOW, None, NOW, follows=True, definition_hash="hash")


def finish(run_id: int) -> batches.Finish:
    """Returns how a run is to end."""
    return batches.Finish(run_id, RunState.SUCCEEDED, NOW, None, None)


QUESTIONS: dict[str, Ask] = {
    "due": lambda connection: openruns.due(connection, NOW),
    "waiting": lambda connection: openruns.waiting(connection, JOB, NOW),
    "mutex": lambda connection: openruns.next_of_mutex(connection, "erp", NOW),
    "to cancel": openruns.to_cancel,
    "open jobs": openruns.open_jobs,
    "open of a job": lambda connection: openruns.open_of(connection, JOB),
    "covered": lambda connection: pastruns.covered(connection, JOB),
    "by cause": lambda connection: runs.by_cause(connection, JOB, "tick:2026"),
    "of a backfill": lambda connection: pastruns.states_of(connection, JOB, "backfill:1:"),
    "last success": lambda connection: pastruns.last_success(connection, JOB),
    "how long runs take": lambda connection: durations.typical_s(connection, [JOB]),
    "deaths": lambda connection: attempts.of_job(connection, JOB, 3),
    "start many": lambda connection: batches.start(connection, [beginning(one) for one in open_runs(connection)]),
    "end many": lambda connection: batches.end(connection, [finish(one) for one in open_runs(connection)]),
    "skipped again": lambda connection: runs.extend_skip(connection, pastruns.listing(connection, JOB, limit=1)[0]),
    "near": lambda connection: pastruns.near(connection, JOB, "tick:", "tick:2999", newest=True),
    "history": pastruns.listing,
    "history of a job": lambda connection: pastruns.listing(connection, JOB),
    "older history": lambda connection: pastruns.listing(connection, JOB, before=OLD),
    "attempts": lambda connection: attempts.of_run(connection, run_of(connection)),
    "running": attempts.running,
    "calls": calls.listing,
    "calls of a run": lambda connection: calls.listing(connection, run_id=run_of(connection)),
    "calls of an account": lambda connection: calls.listing(connection, account="erp"),
    "rejects of a run": lambda connection: rejects.listing(connection, run_id=run_of(connection)),
    "rejects": rejects.listing,
    "rejects of a job": lambda connection: rejects.of_job(connection, JOB, "", 100),
    "commands": commands.waiting,
    "unusable accounts": accounts.unusable,
    "lock": lambda connection: locks.held(connection, locks.job_lock(JOB)),
    "nodes": lambda connection: nodes.living(connection, NOW),
    "job": lambda connection: jobs.get(connection, JOB),
    "why": lambda connection: explaining.of_tick(connection, JOB, NOW),
    "old runs": lambda connection: retention.old_runs(connection, OLD, 0, 200),
    "surplus runs": lambda connection: retention.surplus_runs(connection, JOB, OLD, 0, 200),
    "oldest kept": lambda connection: retention.oldest_kept(connection, 9_000, "job-06", 1),
    "begin": lambda connection: runs.begin(connection, openruns.open_jobs(connection)[0][0], 2, NOW, "hash"),
    "finish": lambda connection: runs.finish(connection, openruns.open_jobs(connection)[0][0], RunState.FAILED, NOW),
    "requeue": lambda connection: runs.requeue(connection, run_of(connection), 1, None, Reason.SHUTDOWN),
    "end": lambda connection: attempts.end(connection, run_of(connection), 1, AttemptState.LOST, NOW),
    "abandon": lambda connection: calls.abandon(connection, {1}),
    "drop runs": lambda connection: retention.drop_runs(connection, [run_of(connection)]),
    "drop calls": lambda connection: retention.drop(connection, "calls", OLD, 200),
    "drop rejects": lambda connection: retention.drop(connection, "rejects", OLD, 200),
    **{f"history: {state}": partial(pastruns.listing, states=[state]) for state in RunState},
    "history: all but good": partial(pastruns.listing, states=[*RunState][3:]),
    "failures of a job": lambda connection: pastruns.listing(connection, JOB, [RunState.FAILED]),
    "health": job_health,
    "lineage": lambda connection: lineage.of_account(connection, "erp", [401]),
}
WIDE = {"health", "lineage"}  # speak of every job, or of all calls of fifty tokens
SORTED = {"due", "mutex", "history: queued", "history: running"}  # a few open runs
IN_ORDER_OF_THE_TABLE = {"history", "history: succeeded", "calls"}


def _hasten(connection: sqlite3.Connection, _entry: object) -> None:
    """Lets a connection keep its pages in memory and wait for no disk, until all is filled in."""
    connection.execute("PRAGMA cache_size=-1000000")  # KiB
    connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A file with a million runs."""
    opened = open_new(tmp_path_factory.mktemp("million") / "worker.db")
    sa.event.listen(opened.engine, "connect", _hasten)
    opened.engine.dispose()
    fill(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def postgres(postgres_server: Server) -> Iterator[Database]:
    """A PostgreSQL database with a million runs."""
    opened = open_database(postgres_server.database_url(migrated=True))
    fill(opened)
    yield opened
    opened.close()


@contextmanager
def undone(database: Database) -> Iterator[sa.Connection]:
    """Opens a transaction that leaves no trace."""
    with database.write() as connection:
        yield connection
        connection.get_transaction().rollback()  # type: ignore[union-attr]  # there is one


def asked(connection: sa.Connection, question: str) -> list[tuple[str, Any]]:
    """Asks a question and returns its statements with their values, of many the first."""
    heard: list[tuple[str, Any]] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *call: heard.append((call[2], call[3])))
    QUESTIONS[question](connection)
    return [(one, values[0] if isinstance(values, list) else values) for one, values in heard]


@pytest.mark.xdist_group("a million runs on SQLite")  # filled in once, by one worker of pytest
@pytest.mark.parametrize("question", QUESTIONS)
def test_sqlite_takes_few_steps(lite: Database, question: str) -> None:
    """No table is read whole, none is sorted; the steps of its machine are counted."""
    steps = itertools.count()
    with undone(lite) as connection:
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: next(steps) < 0, 1000)
        statements = asked(connection, question)
        raw.set_progress_handler(None, 0)
        explained = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values) for one, values in statements]
        plans = [row[3] for rows in explained for row in rows]
    whole = {"SCAN runs", "SCAN attempts", "SCAN calls"}
    assert question in IN_ORDER_OF_THE_TABLE or not whole & set(plans), plans
    assert question in SORTED or "USE TEMP B-TREE FOR ORDER BY" not in plans, plans
    assert next(steps) * 1000 <= (MOST_STEPS_OF_ALL if question in WIDE else MOST_STEPS), plans


@pytest.mark.xdist_group("a million runs on PostgreSQL")
@pytest.mark.parametrize("question", QUESTIONS)
def test_postgres_touches_few_pages(postgres: Database, question: str) -> None:
    """No table of history is read whole; the pages that each statement touches are counted."""
    with undone(postgres) as connection:
        statements = asked(connection, question)
    with undone(postgres) as connection:
        words = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
        explained = [connection.exec_driver_sql(f"{words} {one}", values) for one, values in statements]
        plans = [one.scalar_one()[0]["Plan"] for one in explained]
    nodes_told = [node for plan in plans for node in nodes_of(plan)]
    read_whole = {node["Relation Name"] for node in nodes_told if node["Node Type"] == "Seq Scan"}
    assert not read_whole & {"runs", "attempts", "calls"}, plans
    pages = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
    assert pages <= (MOST_PAGES_OF_ALL if question in WIDE else MOST_PAGES), plans


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields a plan's nodes."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)
