"""Who asked for the configuration to be read again, until all of them are answered by one reading."""

import threading
from collections.abc import Iterable

from worker.model.records import Command


class Reloads:
    """Gathers what asks; signals carry no name, commands wait for an outcome."""

    def __init__(self) -> None:
        self._commands: dict[int, Command] = {}
        self._asked = threading.Event()

    def ask(self, command: Command | None = None) -> None:
        """Asks; a command that asked before and is not answered yet changes nothing."""
        if command is not None:
            if command.id in self._commands:
                return
            self._commands[command.id] = command
        self._asked.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until somebody asks and takes that in; returns False where nobody did in time."""
        if not self._asked.wait(timeout_s):
            return False
        self._asked.clear()
        return True

    def commands(self) -> list[Command]:
        """Returns the commands that wait for an outcome."""
        return list(self._commands.values())

    def answered(self, commands: Iterable[Command]) -> None:
        """Forgets commands that have their outcome."""
        for command in commands:
            self._commands.pop(command.id, None)
