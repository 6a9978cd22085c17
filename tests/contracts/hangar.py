"""Processes that set out at the same instant: real ones, forked from one that has imported what they need."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from worker.model.moments import new_id

_WITHIN_S = 250.0
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.contracts.flight", "tests.contracts.swarm", "tests.store.upgrading"])

Main = Callable[[dict[str, Any], Callable[[], None]], Any]  # orders, and what waits for the word to go
Told = tuple[Any, int | None]  # what `main` returned, None where it died; and the exit code


def _fly(main: Main, orders: dict[str, Any], pipe: Connection) -> None:
    new_id._chance.seed()  # forks begin with one chance, and would make the same ids

    def ready() -> None:
        pipe.send("ready")
        pipe.recv()

    pipe.send(main(orders, ready))


class Flight:
    """One process, and the pipe to it."""

    def __init__(self, main: Main, orders: dict[str, Any]) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_fly, args=(main, orders, theirs), daemon=True)
        self._process.start()
        theirs.close()  # else nobody would hear that it died

    def ready(self) -> None:
        """Waits until it is ready."""
        assert self._heard() == "ready"

    def go(self) -> None:
        """Gives the word."""
        self._pipe.send("go")

    def told(self) -> Told:
        """Returns what came of it, once it has ended."""
        try:
            result = self._heard()
        except EOFError:
            result = None
        self._process.join(_WITHIN_S)
        return result, self._process.exitcode

    def stop(self) -> None:
        """Ends it where it still runs."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _heard(self) -> Any:  # noqa: ANN401  as `main` returns it
        assert self._pipe.poll(_WITHIN_S), f"it said nothing for {_WITHIN_S:g} s"
        return self._pipe.recv()


def fly(main: Main, orders: dict[str, Any], processes: int = 1) -> list[Told]:
    """Lets so many processes go at the same instant, and returns what came of each."""
    flights = [Flight(main, orders) for _ in range(processes)]
    try:
        for flight in flights:
            flight.ready()
        for flight in flights:
            flight.go()
        return [flight.told() for flight in flights]
    finally:
        for flight in flights:
            flight.stop()
