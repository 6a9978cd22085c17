"""What the daemon asks again and again reads an index, not the history: at a million runs a scan takes 0.3 s."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from worker.model.records import RunState
from worker.store import attempts, batches, durations, openruns, runs
from worker.store.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEGINNING = batches.Beginning(1, 1, NOON, None, NOON, True, "hash")
FINISH = batches.Finish(1, RunState.SUCCEEDED, NOON, None, None)
QUESTIONS: dict[str, tuple[Callable[[sa.Connection], object], str]] = {
    "what is due": (lambda connection: openruns.due(connection, NOON), "ix_runs_open"),
    "who waits": (lambda connection: openruns.waiting(connection, "orders", NOON), "ix_runs_open (job=?)"),
    "who waits for a mutex": (
        lambda connection: openruns.next_of_mutex(connection, "erp", NOON),
        "ix_runs_mutex (mutex=?)",
    ),
    "what starts": (lambda connection: batches.start(connection, [BEGINNING]), "sqlite_autoindex_runs_1 (id=?)"),
    "whose lock it is": (
        lambda connection: batches.start(connection, [BEGINNING]),
        "sqlite_autoindex_locks_1 (name=?)",
    ),
    "what its job covered": (lambda connection: batches.start(connection, [BEGINNING]), "ix_runs_covered (job=?)"),
    "what ends": (lambda connection: batches.end(connection, [FINISH]), "sqlite_autoindex_attempts_1 (run_id=? AND"),
    "who waits for it": (lambda connection: batches.end(connection, [FINISH]), "ix_runs_open (job=?)"),
    "how many calls it made": (lambda connection: batches.end(connection, [FINISH]), "ix_calls_run (run_id=?)"),
    "what is to be cancelled": (openruns.to_cancel, "ix_runs_to_cancel"),
    "what is open": (openruns.open_jobs, "ix_runs_open"),
    "what is covered": (lambda connection: runs.begin(connection, 1, 1, NOON, "hash"), "ix_runs_covered (job=?)"),
    "how long runs take": (lambda connection: durations.typical_s(connection, ["orders"]), "ix_runs_covered (job=?)"),
    "what runs": (attempts.running, "ix_attempts_running"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_index_answers(sqlite_database: Database, question: str) -> None:
    """The plan names the index that holds only the rows asked for."""
    ask, index = QUESTIONS[question]
    asked: list[tuple[str, Any]] = []
    sa.event.listen(sqlite_database.engine, "before_cursor_execute", lambda *call: asked.append((call[2], call[3])))

    with sqlite_database.write() as connection:
        ask(connection)
        statement, values = asked[-1]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()

    assert [row for row in plan if f"INDEX {index}" in row[3]], plan


@pytest.mark.postgres
@pytest.mark.parametrize("statement", ["_START_ALL", "_END_ALL"])
@pytest.mark.parametrize("analyzed", [False, True], ids=["never analyzed", "analyzed while empty"])
def test_what_is_done_at_once_looks_each_row_up(postgres_database: Database, statement: str, analyzed: bool) -> None:
    """PostgreSQL takes tables for small until it analyzes them again, and keeps the plans that it makes meanwhile."""
    for table in ("runs", "attempts", "locks", "jobs", "calls"):
        with postgres_database.write() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
            if analyzed:
                connection.exec_driver_sql(f"ANALYZE {table}")
    read: dict[int, list[str]] = {}
    for first, until in pairwise((0, 1000, 20_000)):
        with postgres_database.write(by_index=True) as connection:
            for insert in _INSERTS:
                connection.exec_driver_sql(insert, (first, until - 1))
            explain = f"EXPLAIN (FORMAT JSON) {getattr(batches, statement)}"
            plan = connection.exec_driver_sql(explain, ("[]",)).scalar_one()[0]["Plan"]
            read[until] = [str(node) for node in _nodes(plan) if _reads_all(node)]
    assert not any(read.values()), read


_INSERTS = [
    f"INSERT INTO {table} SELECT {values} FROM generate_series(%s::bigint, %s::bigint) AS n"
    for table, values in {
        "runs (id, job, cause, trigger, state, params, attempt, created_at, definition_hash)": (
            "n, 'job-' || n %% 100, 'tick:' || n, 'tick', 'succeeded', '{}', 1, now(), 'hash'"
        ),
        "attempts (run_id, number, node_id, state, started_at)": "n, 1, 1, 'succeeded', now()",
        "locks (name, run_id, attempt, taken_at)": "'job:' || n, n, 1, now()",
    }.items()
]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _reads_all(node: dict[str, Any]) -> bool:
    of_table = "Relation Name" in node and node["Node Type"].endswith("Scan")
    return of_table and not node.keys() & {"Index Cond", "Recheck Cond"}
