"""When each job is due next, told to the database for people who look there."""

from collections.abc import Mapping
from datetime import datetime

from worker.runs.book import Book

_Ticks = Mapping[str, datetime | None]


class Announced:
    """Knows what was told; of 10,000 jobs few have another next tick than a heartbeat ago."""

    def __init__(self) -> None:
        self._told: dict[str, datetime | None] = {}
        self._book: Book | None = None

    def news(self, book: Book, ticks: _Ticks) -> dict[str, datetime | None]:
        """Returns what has to be told; all of it where the configuration is another, which sets rows anew."""
        if book is not self._book:
            return dict(ticks)
        return {name: tick for name, tick in ticks.items() if name not in self._told or self._told[name] != tick}

    def told(self, book: Book, news: _Ticks) -> None:
        """Notes what was told, once that is stored."""
        if book is not self._book:
            self._told, self._book = {}, book
        self._told.update(news)
