"""The view `job_health`, read with types; migrations/versions/0003_control.py makes it."""

from typing import Any

import sqlalchemy as sa

from worker.store.columns import Moment

_TYPES: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "job": sa.Text,
    "enabled": sa.Boolean,
    "paused": sa.Boolean,
    "paused_by": sa.Text,
    "paused_why": sa.Text,
    "quarantined_at": Moment,  # paused by the worker itself
    "last_run": sa.BigInteger,  # of whatever outcome, skipped and missed ones included
    "last_state": sa.Text,
    "last_reason": sa.Text,
    "last_at": Moment,
    "last_success_at": Moment,
    "consecutive_failures": sa.BigInteger,  # since the last success
    "last_failure_at": Moment,
    "last_error_kind": sa.Text,
    "last_error": sa.Text,  # of the latest failed run, however long ago
    "next_tick": Moment,
}
_health = sa.table("job_health", *(sa.column(name, kind) for name, kind in _TYPES.items()))


def job_health(connection: sa.Connection) -> list[dict[str, Any]]:
    """Returns how each configured job has been doing, by name."""
    rows = connection.execute(sa.select(_health).order_by(_health.c.job)).mappings()
    return [dict(row) for row in rows]
