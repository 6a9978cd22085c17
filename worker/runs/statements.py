"""Statements of a job's condition and steps, with what a run fills in."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from jobs.sources.bound import moment_of
from worker.model.steps import Sql, names
from worker.runs.context import RunContext

_SHOWN = 200  # characters of a statement in a sentence


def execute(
    connection: sa.Connection, statement: str, params: Mapping[str, object], context: RunContext
) -> sa.CursorResult[Any]:
    """Executes a statement with its names filled; `since` is NULL in a job's first run."""
    window, dialect = context.window, connection.dialect.name
    since, until = (moment and moment_of(moment, dialect, "UTC") for moment in (window.since, window.until))
    values = {**params, "job": context.job, "run": context.run_id, "since": since, "until": until}
    bound = [sa.bindparam(name, values[name], type_=sa.types.NullType()) for name in names(statement)]
    return connection.execute(sa.text(statement).bindparams(*bound))


def shown(sql: Sql) -> str:
    """Returns the last statement and where it ran, for a sentence."""
    place = f"database {sql.database}" if sql.database else "the worker's own database"
    return f"{sql.sql[-1][:_SHOWN]}; {place}"
