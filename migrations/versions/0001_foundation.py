"""The tables a first release needs.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

moment = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
document = sa.Text().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Creates the tables."""
    _installation()
    _nodes()
    _jobs()
    _progress()
    _locks()
    _runs()
    _attempts()
    _credentials()
    _calls()


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _counts() -> list[sa.Column[int]]:
    names = ("read", "written", "unchanged", "deleted", "rejected", "pages")
    return [
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in names),
        sa.Column("expected", sa.BigInteger),
    ]


def _installation() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", moment, nullable=False),
    )
    op.create_table(
        "boots",
        sa.Column("boot_id", sa.Text, primary_key=True),
        sa.Column("wall_at", moment, nullable=False),
        sa.Column("elapsed_s", sa.Float, nullable=False),
    )
    op.create_table(
        "keyring",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("check_value", sa.LargeBinary, nullable=False),
        sa.Column("first_seen", moment, nullable=False),
        sa.Column("last_seen", moment, nullable=False),
    )


def _nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("boot_id", sa.Text, nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("heartbeat_at", moment, nullable=False),
        sa.Column("stopped_at", moment),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("verb", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("arguments", document, nullable=False),
        sa.Column("taken_by", sa.BigInteger),
        sa.Column("ended_at", moment),
        sa.Column("outcome", sa.Text),
    )
    _partial_index("ix_commands_open", "commands", ["id"], "ended_at IS NULL")


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("definition_hash", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("configured", sa.Boolean, nullable=False),
        sa.Column("paused_by", sa.Text),
        sa.Column("paused_at", moment),
        sa.Column("last_tick", moment),
        sa.Column("next_tick", moment),
        sa.Column("since", moment, nullable=False),
    )
    op.create_table(
        "definitions",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("first_seen", moment, nullable=False),
    )


def _progress() -> None:
    op.create_table(
        "cursors",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("value", document),
        sa.Column("run_id", sa.BigInteger),
        sa.Column("moved_at", moment, nullable=False),
    )
    op.create_table(
        "rejects",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("record_hash", sa.Text, primary_key=True),
        sa.Column("run_id", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("key", sa.Text),
        sa.Column("first_seen", moment, nullable=False),
        sa.Column("last_seen", moment, nullable=False),
    )
    op.create_index("ix_rejects_run", "rejects", ["run_id"])
    op.create_index("ix_rejects_key", "rejects", ["job", "key"])
    op.create_table(
        "deliveries",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("remote_id", sa.Text),
        sa.Column("run_id", sa.BigInteger),
        sa.Column("changed_at", moment, nullable=False),
    )


def _locks() -> None:
    op.create_table(
        "locks",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("run_id", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("taken_at", moment, nullable=False),
    )
    op.create_index("ix_locks_run", "locks", ["run_id"])


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("tick", moment),
        sa.Column("tick_until", moment),
        sa.Column("ticks", sa.Integer, nullable=False, server_default="1"),
        sa.Column("window_since", moment),
        sa.Column("window_until", moment),
        sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", moment),
        sa.Column("params", document, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("started_at", moment),
        sa.Column("finished_at", moment),
        *_counts(),
        sa.Column("calls", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error_kind", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("definition_hash", sa.Text, nullable=False),
        sa.UniqueConstraint("job", "cause", name="uq_runs_job_cause"),
    )
    op.create_index("ix_runs_job_id", "runs", ["job", "id"])
    _partial_index("ix_runs_open", "runs", ["job", "id"], "state IN ('queued', 'running')")
    _partial_index("ix_runs_covered", "runs", ["job", "window_until"], "state = 'succeeded'")


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column(
            "run_id", sa.BigInteger, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("node_id", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("ended_at", moment),
        *_counts(),
        sa.Column("error_kind", sa.Text),
        sa.Column("error", sa.Text),
    )
    _partial_index("ix_attempts_running", "attempts", ["node_id"], "state = 'running'")


def _credentials() -> None:
    op.create_table(
        "tokens",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("key_id", sa.Text),
        sa.Column("issued_at", moment),
        sa.Column("expires_at", moment),
        sa.Column("refresh_at", moment),
        sa.Column("refresh_expires_at", moment),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", moment),
        sa.Column("attempt_id", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", moment),
        sa.Column("last_error", sa.Text),
        sa.Column("secret_fingerprint", sa.Text),
        sa.Column("refreshed_at", moment),
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("health", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("changed_at", moment, nullable=False),
        sa.Column("paused_by", sa.Text),
        sa.Column("paused_at", moment),
    )


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.BigInteger),
        sa.Column("attempt", sa.Integer),
        sa.Column("job", sa.Text),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("tenant", sa.Text),
        sa.Column("act_for", sa.Text),
        sa.Column("node_id", sa.BigInteger),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("ms", sa.Float),
        sa.Column("bytes_in", sa.BigInteger),
        sa.Column("bytes_out", sa.BigInteger),
        sa.Column("retry_of", sa.BigInteger),
        sa.Column("generation_used", sa.Integer),
        sa.Column("generation_issued", sa.Integer),
        sa.Column("error", sa.Text),
    )
    op.create_index("ix_calls_account", "calls", ["account", "id"])
    op.create_index("ix_calls_used", "calls", ["account", "generation_used"])
    _partial_index("ix_calls_issued", "calls", ["account", "generation_issued"], "generation_issued IS NOT NULL")
    _partial_index("ix_calls_open", "calls", ["node_id"], "ms IS NULL AND error IS NULL")
    op.create_index("ix_calls_run", "calls", ["run_id", "id"])
