"""Table `commands`: the inbox of other processes, and the record of what operators did."""

from datetime import datetime

import sqlalchemy as sa

from worker.model.moments import utc_now
from worker.model.records import Command
from worker.store.dialect import insert_new
from worker.store.tables import commands


def post(connection: sa.Connection, command: Command) -> None:
    """Adds a command."""
    values = {column.name: getattr(command, column.name) for column in commands.columns}
    insert_new(connection, commands, [values])


def waiting(connection: sa.Connection, limit: int = 100) -> list[Command]:
    """Returns commands nobody carried out yet, oldest first.

    On SQLite a row written by hand may hold what cannot be read: it comes without a verb, to be refused.
    """
    query = sa.select(commands.c.id).where(commands.c.ended_at.is_(None)).order_by(commands.c.id).limit(limit)
    return _all_readable(connection, query)


def _all_readable(connection: sa.Connection, ids: sa.Select[int]) -> list[Command]:
    found = [_readable(connection, command_id) for command_id in connection.scalars(ids).all()]
    return [command for command in found if command is not None]


def _readable(connection: sa.Connection, command_id: int) -> Command | None:
    try:
        return get(connection, command_id)
    except ValueError:
        query = sa.select(commands.c.taken_by, commands.c.ended_at, commands.c.outcome)
        row = connection.execute(query.where(commands.c.id == command_id)).mappings().one()
        return Command(command_id, row["ended_at"] or utc_now(), "", "(unreadable)", "", **row)


def waiting_for(connection: sa.Connection, target: str) -> list[Command]:
    """Returns commands for one target that nobody carried out yet, oldest first."""
    return [command for command in waiting(connection) if command.target == target]


def take(connection: sa.Connection, command_id: int, node_id: int | None, now: datetime) -> bool:
    """Makes a command this transaction's own; False where another node was first. `answer` belongs to it."""
    change = sa.update(commands).where(commands.c.id == command_id, commands.c.ended_at.is_(None))
    return connection.execute(change.values(taken_by=node_id, ended_at=now)).rowcount == 1


def answer(connection: sa.Connection, command_id: int, outcome: str) -> None:
    """Records what came of a command, in the transaction that took it."""
    connection.execute(sa.update(commands).where(commands.c.id == command_id).values(outcome=outcome))


def get(connection: sa.Connection, command_id: int) -> Command | None:
    """Returns one command."""
    row = connection.execute(sa.select(commands).where(commands.c.id == command_id)).mappings().first()
    return Command(**row) if row else None


def listing(connection: sa.Connection, target: str | None = None, limit: int = 50) -> list[Command]:
    """Returns commands, newest first, for one target or for all; of one that cannot be read, what came of it."""
    query = sa.select(commands.c.id).order_by(commands.c.id.desc()).limit(limit)
    if target is not None:
        query = query.where(commands.c.target == target)
    try:
        return [Command(**row) for row in connection.execute(query.with_only_columns(*commands.c)).mappings()]
    except ValueError:  # one by one takes long, and is seldom needed
        return _all_readable(connection, query)
