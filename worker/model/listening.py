"""What an event is, and who hears of it: emitted where it happens, told by whoever listens."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from jobs.contract import Json


@dataclass(frozen=True)
class Event:
    """One thing that happened; `name` is `noun.verb`."""

    name: ClassVar[str]
    level: ClassVar[str] = "info"

    def facts(self) -> dict[str, Json]:
        """Returns the event's fields that are set, by name."""
        return {key: value for key, value in vars(self).items() if value is not None}


Listener = Callable[[Event], None]


class Events:
    """Hands each event to every listener; one that fails is told of once a time and harms nobody."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()

    def listen(self, listener: Listener) -> None:
        """Adds a listener; it is called in the thread where things happen and must be quick."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def emit(self, event: Event) -> None:
        """Tells every listener."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                logging.getLogger(__name__).exception("listener failed", extra={"event_name": event.name})
