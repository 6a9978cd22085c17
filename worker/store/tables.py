"""The schema on one sheet; migrations/versions makes it, a test holds the two together."""

import sqlalchemy as sa

from worker.store.columns import Document, Moment, Words

metadata = sa.MetaData()
Id = sa.BigInteger


def _partial(name: str, *columns: str, where: str) -> sa.Index:
    """Returns an index over some rows; PostgreSQL has it from the migrations.

    To say it here in that one's word too would load its dialect, the slowest import of most verbs.
    """
    return sa.Index(name, *columns, sqlite_where=sa.text(where))


def _counts() -> list[sa.Column[int]]:
    names = ("read", "written", "unchanged", "deleted", "rejected", "pages")
    return [
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in names),
        sa.Column("expected", sa.BigInteger),
    ]


installation = sa.Table(
    "installation",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # part of what every sealed value is bound to
    sa.Column("created_at", Moment, nullable=False),
)

boots = sa.Table(  # the lease clock: a wall-clock time for one instant of each boot, agreed by all processes
    "boots",
    metadata,
    sa.Column("boot_id", sa.Text, primary_key=True),
    sa.Column("wall_at", Moment, nullable=False),
    sa.Column("elapsed_s", sa.Float, nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("definition_hash", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("configured", sa.Boolean, nullable=False),  # false: no longer in the configuration
    sa.Column("paused_by", sa.Text),
    sa.Column("paused_at", Moment),
    sa.Column("last_tick", Moment),  # the latest tick that has a row
    sa.Column("next_tick", Moment),
    sa.Column("since", Moment, nullable=False),  # ticks before this are none of ours
    sa.Column("paused_why", Words),
    sa.Column("quarantined_at", Moment),  # paused by the worker itself, after the job's runs took processes down
    sa.Column("resumed_at", Moment),  # deaths of processes before it no longer count
)

definitions = sa.Table(
    "definitions",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("first_seen", Moment, nullable=False),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("tick", Moment),
    sa.Column("tick_until", Moment),
    sa.Column("ticks", sa.Integer, nullable=False, server_default="1"),
    sa.Column("window_since", Moment),
    sa.Column("window_until", Moment),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
    sa.Column("not_before", Moment),
    sa.Column("params", Document, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("started_at", Moment),
    sa.Column("finished_at", Moment),
    *_counts(),
    sa.Column("calls", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error_kind", sa.Text),
    sa.Column("error", Words),
    sa.Column("definition_hash", sa.Text, nullable=False),
    sa.Column("mutex", sa.Text),  # held while an attempt runs, over jobs and nodes
    sa.Column("cancel_asked_by", Words),
    sa.Column("cancel_asked_at", Moment),
    sa.UniqueConstraint("job", "cause", name="uq_runs_job_cause"),
    sa.Index("ix_runs_job_id", "job", "id"),
    _partial("ix_runs_open", "job", "id", where="state IN ('queued', 'running')"),
    _partial("ix_runs_to_cancel", "id", where="state IN ('queued', 'running') AND cancel_asked_at IS NOT NULL"),
    # who waits for a mutex, first come first
    _partial("ix_runs_mutex", "mutex", "priority", "id", where="state = 'queued' AND mutex IS NOT NULL"),
    _partial("ix_runs_succeeded", "job", "id", where="state = 'succeeded'"),  # a job's last success
    _partial("ix_runs_failed", "job", "id", where="state = 'failed'"),  # its failures since
    # what went otherwise than planned, over all jobs; an IN would double what a change costs SQLite
    _partial(
        "ix_runs_unsuccessful", "state", "id", where="state <> 'queued' AND state <> 'running' AND state <> 'succeeded'"
    ),
    # how far a job's successes reach
    _partial("ix_runs_covered", "job", "window_until", where="state = 'succeeded'"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("run_id", Id, sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("node_id", Id, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    *_counts(),
    sa.Column("error_kind", sa.Text),
    sa.Column("error", Words),
    _partial("ix_attempts_running", "node_id", where="state = 'running'"),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("run_id", Id),
    sa.Column("attempt", sa.Integer),
    sa.Column("job", sa.Text),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text),
    sa.Column("act_for", sa.Text),
    sa.Column("node_id", Id),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("url", Words, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("ms", sa.Float),
    sa.Column("bytes_in", sa.BigInteger),
    sa.Column("bytes_out", sa.BigInteger),
    sa.Column("retry_of", Id),
    sa.Column("generation_used", sa.Integer),
    sa.Column("generation_issued", sa.Integer),
    sa.Column("error", Words),
    sa.Index("ix_calls_run", "run_id", "id"),
    sa.Index("ix_calls_account", "account", "id"),
    sa.Index("ix_calls_used", "account", "generation_used"),
    _partial("ix_calls_issued", "account", "generation_issued", where="generation_issued IS NOT NULL"),
    # calls without an answer, looked for when a process died
    _partial("ix_calls_open", "node_id", where="ms IS NULL AND error IS NULL"),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("value", Document),
    sa.Column("run_id", Id),
    sa.Column("moved_at", Moment, nullable=False),
)

rejects = sa.Table(
    "rejects",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("record_hash", sa.Text, primary_key=True),
    sa.Column("run_id", Id, nullable=False),
    sa.Column("reason", Words, nullable=False),
    sa.Column("record", Words, nullable=False),
    sa.Column("whole", sa.Boolean, nullable=False),  # false: secrets were masked or its end was cut off
    sa.Column("key", Words),  # of the record; one that gets through later takes its rejects away
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
    sa.Index("ix_rejects_run", "run_id"),
    sa.Index("ix_rejects_key", "job", "key"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("remote_id", Words),  # what the API calls it
    sa.Column("run_id", Id),
    sa.Column("changed_at", Moment, nullable=False),
)

locks = sa.Table(
    "locks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("run_id", Id, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("taken_at", Moment, nullable=False),
    sa.Index("ix_locks_run", "run_id"),
)

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("by", Words, nullable=False),
    sa.Column("verb", Words, nullable=False),
    sa.Column("target", Words, nullable=False),
    sa.Column("arguments", Document, nullable=False),
    sa.Column("taken_by", Id),
    sa.Column("ended_at", Moment),
    sa.Column("outcome", Words),
    _partial("ix_commands_open", "id", where="ended_at IS NULL"),
)

backfills = sa.Table(  # the ticks of a span of the past, made runs one after the other
    "backfills",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),  # the command that asked for it
    sa.Column("job", sa.Text, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("until", Moment, nullable=False),
    sa.Column("every_s", sa.Float),  # between two ticks; absent: those of the job's schedule
    sa.Column("told_until", Moment, nullable=False),  # ticks up to here have their rows
    sa.Column("total", sa.Integer, nullable=False, server_default="0"),  # ticks of the span
    sa.Column("ticks", sa.Integer, nullable=False, server_default="0"),  # that have their rows
    sa.Column("params", Document, nullable=False),
    sa.Column("at_once", sa.Integer, nullable=False, server_default="1"),  # runs of it that may be open
    sa.Column("pause_s", sa.Float, nullable=False, server_default="0"),  # between the starts of two
    sa.Column("by", Words, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("outcome", Words),
    _partial("ix_backfills_open", "id", where="ended_at IS NULL"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("key_id", sa.Text),
    sa.Column("issued_at", Moment),
    sa.Column("expires_at", Moment),
    sa.Column("refresh_at", Moment),
    sa.Column("refresh_expires_at", Moment),
    sa.Column("lease_owner", sa.Text),
    sa.Column("lease_until", Moment),
    sa.Column("attempt_id", Id),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_at", Moment),
    sa.Column("last_error", Words),
    sa.Column("secret_fingerprint", sa.Text),
    sa.Column("refreshed_at", Moment),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("health", sa.Text, nullable=False),
    sa.Column("reason", Words),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("paused_by", sa.Text),
    sa.Column("paused_at", Moment),
    sa.Column("paused_why", Words),
)

nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("boot_id", sa.Text, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("heartbeat_at", Moment, nullable=False),  # by the lease clock
    sa.Column("stopped_at", Moment),
    sa.Column("configuration_hash", sa.Text),  # of what it works by
    sa.Column("configured_at", Moment),
    sa.Column("lease_s", sa.Float, nullable=False, server_default="30"),  # silent for so long it is dead
    sa.Column("reload_error", Words),  # why the configuration that lies there was not taken; null: it was
    sa.Column("lines_dropped", sa.BigInteger, nullable=False, server_default="0"),  # by its log, in its life
)

keyring = sa.Table(
    "keyring",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("check_value", sa.LargeBinary, nullable=False),
    sa.Column("first_seen", Moment, nullable=False),
    sa.Column("last_seen", Moment, nullable=False),
)

_OTHERS = {"alembic_version", "job_health", "run_history", "call_stats", "_sync_tables", "_sync_cursors"}
OWN_NAMES = frozenset(metadata.tables) | _OTHERS
"""Tables and views of the worker's own, into which no job may write."""
