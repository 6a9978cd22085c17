"""A ledger with a million runs of a hundred jobs over a hundred days, made in seconds by the database itself.

Of each job 90 of 100 runs succeed, 5 fail, 4 are skipped and 1 is missed; but the last job only fails. What succeeds or
fails has an attempt, every second run a call, each failure a reject; the last twenty are open.
"""

from datetime import timedelta

import sqlalchemy as sa

from jobs.ids import id_at
from worker.model.moments import utc_now
from worker.store import jobs
from worker.store.database import Database
from worker.store.jobs import JobRow

JOBS = 100
DAYS = 100
_OPEN = 20

_SERIES = {
    "sqlite": "WITH RECURSIVE series(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n < :count - 1)",
    "postgresql": "WITH series(n) AS (SELECT generate_series(0, :count - 1))",
}
_AT = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f000Z', :first + n * :step, 'unixepoch')",
    "postgresql": "to_timestamp(:first + n * :step)",
}
_RUNS = """
INSERT INTO runs (id, job, cause, trigger, state, reason, tick, params, attempt, created_at, started_at, finished_at,
                  window_until, definition_hash, mutex)
{series}, timed AS (
  SELECT n, :id + n * :ids AS id, n / {jobs} % 100 AS k, n % {jobs} AS j, {at} AS at FROM series)
SELECT id, 'job-' || substr('0' || j, -2), 'tick:' || {cause}, 'tick',
  CASE WHEN n >= :count - {open} THEN 'queued' WHEN j = {jobs} - 1 OR k BETWEEN 90 AND 94 THEN 'failed'
       WHEN k < 90 THEN 'succeeded' WHEN k < 99 THEN 'skipped' ELSE 'missed' END,
  CASE WHEN k BETWEEN 95 AND 98 THEN 'overlap' WHEN k = 99 THEN 'downtime' END,
  at, '{{}}', 1, at, at, CASE WHEN n < :count - {open} THEN at END, at, 'hash',
  CASE WHEN n % 50 = 0 THEN 'erp' END
FROM timed
"""
_PARTS = (
    (
        "INSERT INTO attempts (run_id, number, node_id, state, started_at, ended_at)"
        " SELECT id, 1, 1, state, created_at, finished_at FROM runs WHERE state IN ('failed', 'succeeded')"
    ),
    (
        "INSERT INTO calls (id, run_id, attempt, job, account, purpose, at, method, url, status, ms, generation_used)"
        " SELECT id, id, 1, job, 'erp', 'read', created_at, 'GET', 'https://erp.example.com/v2/orders', 200, 12.5,"
        " id / 125829120000000 FROM runs WHERE id % 2 = 0"
    ),
    (
        "INSERT INTO rejects (job, record_hash, run_id, reason, record, whole, first_seen, last_seen)"
        " SELECT job, cause, id, 'bad', '{}', {true}, created_at, created_at FROM runs WHERE state = 'failed'"
    ),
    (
        "INSERT INTO locks (name, run_id, attempt, taken_at)"
        " SELECT 'job:' || job, min(id), 1, min(created_at) FROM runs WHERE state = 'queued' GROUP BY job"
    ),
)


def fill(database: Database, count: int = 1_000_000) -> None:
    """Fills an empty ledger with so many runs, up to now."""
    dialect, first = database.dialect, utc_now() - timedelta(days=DAYS)
    cause = "at" if dialect == "sqlite" else "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    parts = {"series": _SERIES[dialect], "at": _AT[dialect], "cause": cause, "jobs": JOBS, "open": _OPEN}
    step_s = DAYS * 86400 / count
    values = {"count": count, "first": first.timestamp(), "step": step_s, "id": id_at(first), "ids": ids_in(step_s)}
    with database.write() as connection:
        connection.execute(sa.text(_RUNS.format(**parts)), values)
        for part in _PARTS:
            connection.execute(sa.text(part.replace("{true}", "1" if dialect == "sqlite" else "true")))
        _jobs(connection)
    if dialect == "postgresql":  # its autovacuum would do so by and by
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def ids_in(seconds: float) -> int:
    """Returns how far ids move in so much time; even, so that ids are odd as the first one is."""
    return int(seconds * 1000) << 22 | 1


def _jobs(connection: sa.Connection) -> None:
    since = utc_now() - timedelta(days=DAYS)
    rows = [JobRow(f"job-{number:02}", "hash", enabled=True, since=since) for number in range(JOBS)]
    jobs.configure(connection, rows, [])
