"""Table `commands`: the inbox of other processes, and the record of what operators did."""

from datetime import datetime

import sqlalchemy as sa

from worker.model.records import Command
from worker.store.dialect import insert_new
from worker.store.tables import commands


def post(connection: sa.Connection, command: Command) -> None:
    """Adds a command."""
    values = {column.name: getattr(command, column.name) for column in commands.columns}
    insert_new(connection, commands, [values])


def waiting(connection: sa.Connection, limit: int = 100) -> list[Command]:
    """Returns commands nobody carried out yet, oldest first."""
    query = sa.select(commands).where(commands.c.ended_at.is_(None)).order_by(commands.c.id).limit(limit)
    return [Command(**row) for row in connection.execute(query).mappings()]


def waiting_for(connection: sa.Connection, target: str) -> list[Command]:
    """Returns commands for one target that nobody carried out yet, oldest first."""
    return [command for command in waiting(connection) if command.target == target]


def end(connection: sa.Connection, command_id: int, node_id: int, now: datetime, outcome: str) -> bool:
    """Records what came of a command; False where another node was first."""
    change = (
        sa.update(commands)
        .where(commands.c.id == command_id, commands.c.ended_at.is_(None))
        .values(taken_by=node_id, ended_at=now, outcome=outcome)
    )
    return connection.execute(change).rowcount == 1


def get(connection: sa.Connection, command_id: int) -> Command | None:
    """Returns one command."""
    row = connection.execute(sa.select(commands).where(commands.c.id == command_id)).mappings().first()
    return Command(**row) if row else None
