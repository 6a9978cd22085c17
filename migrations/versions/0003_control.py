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


def upgrade() -> None:
    """Adds the columns and the table."""
    op.add_column("runs", sa.Column("mutex", sa.Text))
    op.add_column("runs", sa.Column("cancel_asked_by", sa.Text))
    op.add_column("runs", sa.Column("cancel_asked_at", moment))
    where = sa.text(_TO_CANCEL)
    op.create_index("ix_runs_to_cancel", "runs", ["id"], sqlite_where=where, postgresql_where=where)
    where = sa.text(_WAITS)
    op.create_index("ix_runs_mutex", "runs", ["mutex", "priority", "id"], sqlite_where=where, postgresql_where=where)
    op.add_column("jobs", sa.Column("paused_why", sa.Text))
    op.add_column("jobs", sa.Column("quarantined_at", moment))
    op.add_column("accounts", sa.Column("paused_why", sa.Text))
    op.add_column("nodes", sa.Column("configuration_hash", sa.Text))
    op.add_column("nodes", sa.Column("configured_at", moment))
    op.add_column("nodes", sa.Column("lease_s", sa.Float, nullable=False, server_default="30"))
    op.add_column("nodes", sa.Column("reload_error", sa.Text))
    op.add_column("nodes", sa.Column("lines_dropped", sa.BigInteger, nullable=False, server_default="0"))
    _backfills()


def _backfills() -> None:
    op.create_table(
        "backfills",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("told_until", moment, nullable=False),
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
