"""Views for people with a SQL prompt, and for the command line.

Revision: 0002, after 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_JOB_HEALTH = """
CREATE VIEW job_health AS
SELECT
  j.name AS job,
  j.enabled,
  j.paused_at IS NOT NULL AS paused,
  j.paused_by,
  latest.id AS last_run,
  latest.state AS last_state,
  latest.reason AS last_reason,
  latest.created_at AS last_at,
  good.finished_at AS last_success_at,
  (SELECT count(*) FROM runs r
    WHERE r.job = j.name AND r.state = 'failed' AND r.id > coalesce(good.id, 0)) AS consecutive_failures,
  bad.finished_at AS last_failure_at,
  bad.error_kind AS last_error_kind,
  bad.error AS last_error,
  j.next_tick
FROM jobs j
LEFT JOIN runs latest ON latest.id =
  (SELECT r.id FROM runs r WHERE r.job = j.name ORDER BY r.id DESC LIMIT 1)
LEFT JOIN runs good ON good.id =
  (SELECT r.id FROM runs r WHERE r.job = j.name AND r.state = 'succeeded' ORDER BY r.id DESC LIMIT 1)
LEFT JOIN runs bad ON bad.id =
  (SELECT r.id FROM runs r WHERE r.job = j.name AND r.state = 'failed' ORDER BY r.id DESC LIMIT 1)
WHERE j.configured
"""

_RUN_HISTORY = """
CREATE VIEW run_history AS
SELECT
  id AS run, job, state, reason, trigger, tick, ticks, started_at, finished_at,
  {seconds} AS seconds,
  {late} AS late_s,
  attempt AS attempts, read, written, unchanged, deleted, rejected, calls, error_kind, error
FROM runs
ORDER BY id DESC
"""

_CALL_STATS = """
CREATE VIEW call_stats AS
SELECT
  account, purpose, status,
  count(*) AS calls,
  sum(CASE WHEN error IS NOT NULL OR status >= 400 THEN 1 ELSE 0 END) AS errors,
  avg(ms) AS average_ms,
  CAST(coalesce(sum(bytes_in), 0) AS bigint) AS bytes_in,
  CAST(coalesce(sum(bytes_out), 0) AS bigint) AS bytes_out,
  max(at) AS last_at
FROM calls
GROUP BY account, purpose, status
"""

_SECONDS = {  # from one moment to another, in thousandths
    "sqlite": "round((julianday({until}) - julianday({since})) * 86400.0, 3)",
    "postgresql": "CAST(round(extract(epoch FROM {until} - {since}), 3) AS double precision)",
}


def upgrade() -> None:
    """Creates the views."""
    seconds = _SECONDS[op.get_bind().dialect.name]
    took = seconds.format(since="started_at", until="finished_at")
    late = seconds.format(since="tick", until="started_at")
    op.execute(_JOB_HEALTH)
    op.execute(_RUN_HISTORY.format(seconds=took, late=late))
    op.execute(_CALL_STATS)
