"""What operators and policies leave in the database: cancellations, mutexes, quarantine, backfills, reloads.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

moment = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
document = sa.Text().with_variant(postgresql.JSONB(), "postgresql")

_TO_CANCEL = "state IN ('queued', 'running') AND cancel_asked_at IS NOT NULL"
_WAITS = "state = 'queued' AND mutex IS NOT NULL"

_BY_STATE = {  # indexes of runs that hold some states only: their columns, and which states
    "ix_runs_succeeded": (["job", "id"], "state = 'succeeded'"),
    "ix_runs_failed": (["job", "id"], "state = 'failed'"),
    "ix_runs_unsuccessful": (["state", "id"], "state <> 'queued' AND state <> 'running' AND state <> 'succeeded'"),
}
_JOB_HEALTH = """
CREATE VIEW job_health AS
SELECT
  j.name AS job,
  j.enabled,
  j.paused_at IS NOT NULL AS paused,
  j.paused_by,
  j.paused_why,
  j.quarantined_at,
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


def upgrade() -> None:
    """Adds the columns, the table and the indexes, and tells in `job_health` why a job is paused."""
    for name, (columns, states) in _BY_STATE.items():
        which = sa.text(states)
        op.create_index(name, "runs", columns, sqlite_where=which, postgresql_where=which)
    op.add_column("runs", sa.Column("mutex", sa.Text))
    op.add_column("runs", sa.Column("cancel_asked_by", sa.Text))
    op.add_column("runs", sa.Column("cancel_asked_at", moment))
    where = sa.text(_TO_CANCEL)
    op.create_index("ix_runs_to_cancel", "runs", ["id"], sqlite_where=where, postgresql_where=where)
    where = sa.text(_WAITS)
    op.create_index("ix_runs_mutex", "runs", ["mutex", "priority", "id"], sqlite_where=where, postgresql_where=where)
    op.add_column("jobs", sa.Column("paused_why", sa.Text))
    op.add_column("jobs", sa.Column("quarantined_at", moment))
    op.add_column("jobs", sa.Column("resumed_at", moment))
    op.add_column("accounts", sa.Column("paused_why", sa.Text))
    op.add_column("nodes", sa.Column("configuration_hash", sa.Text))
    op.add_column("nodes", sa.Column("configured_at", moment))
    op.add_column("nodes", sa.Column("lease_s", sa.Float, nullable=False, server_default="30"))
    op.add_column("nodes", sa.Column("reload_error", sa.Text))
    op.add_column("nodes", sa.Column("lines_dropped", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("DROP VIEW job_health")
    op.execute(_JOB_HEALTH)
    _backfills()


def _backfills() -> None:
    op.create_table(
        "backfills",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("every_s", sa.Float),
        sa.Column("told_until", moment, nullable=False),
        sa.Column("total", sa.Integer, nullable=False, server_default="0"),
        sa.Column("ticks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("params", document, nullable=False),
        sa.Column("at_once", sa.Integer, nullable=False, server_default="1"),
        sa.Column("pause_s", sa.Float, nullable=False, server_default="0"),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("ended_at", moment),
        sa.Column("outcome", sa.Text),
    )
    where = sa.text("ended_at IS NULL")
    op.create_index("ix_backfills_open", "backfills", ["id"], sqlite_where=where, postgresql_where=where)
