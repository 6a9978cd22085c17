"""What the retention lets go, a few rows a transaction.

Ids grow with time, so age is a range of ids and needs no index of its own. What is found in one transaction may be
deleted in another one: a run that has ended never opens again, and a row that is not its job's newest run or last
success never becomes that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.model.records import RunState
from worker.store.tables import attempts, backfills, calls, commands, jobs, nodes, rejects, runs

# Spelled out in the statements: where a state is a parameter, SQLite takes no index that holds some rows only.
_OPEN: sa.BindParameter[list[str]] = sa.bindparam(
    "open", [str(RunState.QUEUED), str(RunState.RUNNING)], expanding=True, literal_execute=True
)
_SUCCEEDED = sa.literal(RunState.SUCCEEDED, literal_execute=True)

_LATER = runs.alias("later")
_IS_NEWEST = ~sa.exists().where(_LATER.c.job == runs.c.job, _LATER.c.id > runs.c.id)
_IS_LAST_SUCCESS = sa.and_(
    runs.c.state == _SUCCEEDED,
    ~sa.exists().where(_LATER.c.job == runs.c.job, _LATER.c.id > runs.c.id, _LATER.c.state == _SUCCEEDED),
)
_STAYS = sa.or_(_IS_NEWEST, _IS_LAST_SUCCESS, runs.c.state.in_(_OPEN)).label("stays")
_LOOK = sa.select(runs.c.id, _STAYS).order_by(runs.c.id)

BY_ID = {"calls": calls.c.id, "rejects": rejects.c.run_id, "commands": commands.c.id, "backfills": backfills.c.id}
"""Tables of which rows go by an id alone: a reject by that of the run which met it last."""
_ENDED = {"commands": commands.c.ended_at.is_not(None), "backfills": backfills.c.ended_at.is_not(None)}


@dataclass(frozen=True)
class Part:
    """The runs of one look that may go; the next look begins after `last`, None at the end."""

    doomed: Sequence[int]
    last: int | None


def old_runs(connection: sa.Connection, before: int, after: int, limit: int) -> Part:
    """Returns the next runs whose ids are above `after` and below `before` and that may go."""
    return _part(connection, _LOOK.where(runs.c.id > after, runs.c.id < before).limit(limit))


def surplus_runs(connection: sa.Connection, job: str, before: int, after: int, limit: int) -> Part:
    """Returns the same of one job."""
    return _part(connection, _LOOK.where(runs.c.job == job, runs.c.id > after, runs.c.id < before).limit(limit))


def oldest_kept(connection: sa.Connection, keep: int, after: str, limit: int) -> list[tuple[str, int | None]]:
    """Returns the next jobs whose names come after that one, each with the id of its `keep`-th newest run.

    None stands for that of a job which has fewer. Whatever was ever configured is a job here.
    """
    newest = sa.select(runs.c.id).where(runs.c.job == jobs.c.name).order_by(runs.c.id.desc())
    oldest = newest.offset(keep - 1).limit(1).scalar_subquery()
    query = sa.select(jobs.c.name, oldest).where(jobs.c.name > after).order_by(jobs.c.name).limit(limit)
    return [(name, run) for name, run in connection.execute(query)]


def drop_runs(connection: sa.Connection, doomed: Sequence[int]) -> tuple[int, int]:
    """Deletes runs with their attempts and returns how many of each; what another node deletes is left to it."""
    free = sa.select(runs.c.id).where(runs.c.id.in_(doomed), runs.c.state.not_in(_OPEN)).order_by(runs.c.id)
    mine = list(connection.scalars(free.with_for_update(skip_locked=True)))
    tried = connection.execute(sa.delete(attempts).where(attempts.c.run_id.in_(mine))).rowcount
    return connection.execute(sa.delete(runs).where(runs.c.id.in_(mine))).rowcount, tried


def count(connection: sa.Connection, table: str, before: int) -> int:
    """Returns how many rows of a table are old."""
    return connection.scalar(sa.select(sa.func.count()).where(*_old(table, before))) or 0


def drop(connection: sa.Connection, table: str, before: int, limit: int) -> int:
    """Deletes some old rows of a table and returns how many."""
    keys = list(BY_ID[table].table.primary_key)
    some = sa.select(*keys).where(*_old(table, before)).order_by(BY_ID[table]).limit(limit)
    mine = connection.execute(some.with_for_update(skip_locked=True)).all()
    if not mine:
        return 0
    gone = sa.delete(BY_ID[table].table).where(*(key == sa.bindparam(f"old_{key.name}") for key in keys))
    connection.execute(gone, [{f"old_{key}": value for key, value in row._mapping.items()} for row in mine])  # noqa: SLF001  SQLAlchemy's public name for it
    return len(mine)


def _old(table: str, before: int) -> list[sa.ColumnElement[bool]]:
    return [BY_ID[table] < before, *([_ENDED[table]] if table in _ENDED else [])]


def dead_nodes(connection: sa.Connection, before: int, beat_before: datetime) -> list[int]:
    """Returns old nodes that left, or whose heart has not beaten since (lease clock)."""
    gone = sa.or_(nodes.c.stopped_at.is_not(None), nodes.c.heartbeat_at < beat_before)
    return list(connection.scalars(sa.select(nodes.c.id).where(nodes.c.id < before, gone).order_by(nodes.c.id)))


def drop_nodes(connection: sa.Connection, doomed: Sequence[int]) -> int:
    """Deletes nodes and returns how many."""
    return connection.execute(sa.delete(nodes).where(nodes.c.id.in_(doomed))).rowcount


def _part(connection: sa.Connection, query: sa.Select[tuple[int, bool]]) -> Part:
    """Returns which of the rows found may go: not what is open, no job's newest run, no job's last success."""
    found = connection.execute(query).all()
    return Part([row.id for row in found if not row.stays], found[-1].id if found else None)
