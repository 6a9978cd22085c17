"""Lives of a daemon, forked from a process that has it all imported: each dies at its N-th step, or leaves when done.

A program: it reads one order a line, as JSON, and answers each with the exit code, and the steps that were counted.
`tests/process/steps.c` counts, and has to be preloaded.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

import orjson

from tests.process.cradle import import_all
from worker.daemon import life as daemon
from worker.model.events import RunFinished
from worker.model.listening import Event
from worker.store import cursors
from worker.wiring.build import Worker

_STEPS = ctypes.CDLL(None)


class Life:
    """One daemon; it leaves once the jobs named had a run that succeeded and the cursors stand where they are to."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._at = int(order["at"])
        self._cursors: dict[str, Any] = order["cursors"]
        self._waiting = set[str](order["jobs"])
        self._worker: Worker | None = None
        self._start = daemon.start

    def live(self, config: str) -> None:
        """Runs the daemon to its end."""
        daemon.start = self._armed
        daemon.run(Path(config))

    def _armed(self, worker: Worker) -> None:
        self._worker = worker
        worker.ground.events.listen(self._hear)
        _STEPS.steps_arm(ctypes.c_long(self._at))
        self._start(worker)

    def _hear(self, fact: Event) -> None:
        if not self._waiting or not isinstance(fact, RunFinished):
            return
        if fact.state == "succeeded" and self._stands(fact.job):
            self._waiting.discard(fact.job)
            if not self._waiting:
                os.kill(os.getpid(), signal.SIGTERM)

    def _stands(self, job: str) -> bool:
        wanted = self._cursors.get(job)
        if wanted is None or self._worker is None:
            return True
        with self._worker.ground.database.read() as connection:
            return bool(cursors.get(connection, job).value == wanted)


def _lived(order: dict[str, Any]) -> int:
    """Forks a life and returns its process."""
    child = os.fork()
    if child:
        return child
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        Life(order).live(order["config"])
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Carries out orders until there are no more."""
    import_all()  # before the first fork
    for line in sys.stdin.buffer:
        order = orjson.loads(line)
        _, status = os.waitpid(_lived(order), 0)
        sys.stdout.buffer.write(orjson.dumps(os.waitstatus_to_exitcode(status)) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
