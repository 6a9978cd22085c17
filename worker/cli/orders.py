"""Requests whose outcome is told at once: posted, and waited for while a daemon works."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import typer

from jobs.contract import Json, WorkerError
from worker.cli.opening import is_daemon_alive, operator
from worker.cli.output import harmless, out, print_json, warn
from worker.model.moments import new_id, utc_now
from worker.model.records import Command
from worker.store import commands
from worker.store.database import Database

Wait = Annotated[
    bool,
    typer.Option("--wait", metavar="", help="Wait for the outcome, however long no daemon works; exit 1 if refused."),
]

_LOOK_EVERY_S = 0.1
_PATIENCE_S = 10.0  # for a daemon that works: it looks every half second
_INTERRUPTED = 130  # 128 + INT, as a shell says it


def post(database: Database, verb: str, target: str, arguments: Mapping[str, Json]) -> int:
    """Leaves a request where the daemon finds it; returns its id."""
    command = Command(new_id(), utc_now(), operator(), verb, target, dict(arguments))
    with database.write() as connection:
        commands.post(connection, command)
    return command.id


@dataclass(frozen=True)
class Order:
    """One request of an operator, from here to its outcome."""

    database: Database
    verb: str
    target: str
    request: int

    @classmethod
    def post(cls, database: Database, verb: str, target: str, arguments: Mapping[str, Json]) -> "Order":
        """Leaves the request where the daemon finds it."""
        given = {name: value for name, value in arguments.items() if value is not None}
        return cls(database, verb, target, post(database, verb, target, given))

    def tell(self, *, wait: bool, as_json: bool) -> bool:
        """Tells the outcome, or that there is none yet; raises WorkerError where it was refused.

        Returns whether it was carried out.
        """
        outcome, _ = self.settled(wait=wait)
        if as_json:
            print_json({"request": self.request, "verb": self.verb, "target": self.target, "outcome": outcome})
        if outcome and not outcome.startswith("done"):
            raise WorkerError(outcome)
        if outcome and not as_json:
            out.print(harmless(f"{self.verb} {self.target}: {outcome.removeprefix('done: ')}"), soft_wrap=True)
        return outcome is not None

    def settled(self, *, wait: bool = False) -> tuple[str | None, bool]:
        """Waits for the outcome and returns it with whether a daemon works; warns where none does.

        Without `wait` it waits no longer than a daemon that works takes.
        """
        try:
            return self._settled(wait=wait)
        except KeyboardInterrupt:
            warn("no longer waiting; the request stands, and `worker commands` shows what becomes of it")
            raise typer.Exit(_INTERRUPTED) from None

    def _settled(self, *, wait: bool) -> tuple[str | None, bool]:
        patience_until, warned = time.monotonic() + _PATIENCE_S, False
        while True:
            outcome, alive = self._look()
            if outcome is not None:
                return outcome, alive
            if not alive and not warned:
                warned = True
                warn("no daemon works on this database; the request is carried out when `worker run` is started")
            if not wait and (not alive or time.monotonic() > patience_until):
                return None, alive
            time.sleep(_LOOK_EVERY_S)

    def _look(self) -> tuple[str | None, bool]:
        with self.database.read() as connection:
            command = commands.get(connection, self.request)
            return command.outcome if command else None, is_daemon_alive(self.database, connection)
