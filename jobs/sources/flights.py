"""Requests in flight: answers that will be needed are asked for ahead, side by side, and used in their order."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from itertools import islice
from typing import Self

from jobs.contract import Answer
from jobs.crew import Crew
from jobs.sources.steps import Position

Place = tuple[Position, int]  # a position and the number of records asked for there


class Flights:
    """Asks for pages, up to `most` at once; below two, one after the other and without a thread.

    Being left it waits for what is in flight: a request whose run has ended would be nobody's.
    """

    def __init__(self, request: Callable[[Position, int], Answer], most: int) -> None:
        self._request = request
        self._most = most if most > 1 else 0
        self._flying: dict[Place, Future[Answer]] = {}
        self._crew = Crew(most, "page")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()
        self._crew.close()

    def take(self, at: Position, size: int) -> tuple[Answer, bool]:
        """Returns the answer for a page, and whether it was asked for ahead; raises what asking for it raised."""
        flight = self._flying.pop((at, size), None)
        if flight is not None:
            return flight.result(), True
        self.forget()  # the walk went another way than foreseen
        return self._request(at, size), False

    def foresee(self, positions: Iterable[Position], size: int) -> None:
        """Asks for the pages that come next, as far as there is room."""
        if self._most:
            for at in islice(positions, self._most):
                if (at, size) not in self._flying:
                    self._flying[at, size] = self._start(at, size)

    def forget(self) -> None:
        """Drops what was asked for ahead."""
        for flight in self._flying.values():
            flight.cancel()
        self._flying.clear()

    def _start(self, at: Position, size: int) -> Future[Answer]:
        return self._crew.submit(self._request, at, size)
