"""An operator at the bench: leaves commands in the table, and reads what came of them."""

from tests.runs.bench import Bench
from worker.model.moments import new_id
from worker.model.records import Command
from worker.store import commands


def post(bench: Bench, verb: str, target: str, **arguments: object) -> int:
    """Leaves a command; returns its id."""
    command = Command(new_id(), bench.now, "somebody", verb, target, arguments)
    bench.writer.call(lambda connection: commands.post(connection, command))
    return command.id


def outcome(bench: Bench, request: int) -> str | None:
    """Returns what came of it so far."""
    with bench.database.read() as connection:
        command = commands.get(connection, request)
    return command.outcome if command else None


def ask(bench: Bench, verb: str, target: str, **arguments: object) -> str | None:
    """Leaves a command, lets the node carry it out, and returns the outcome."""
    request = post(bench, verb, target, **arguments)
    bench.inbox.once()
    return outcome(bench, request)
