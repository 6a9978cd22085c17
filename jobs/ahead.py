"""Reads ahead: what an iterator yields is fetched in a thread while what came before is still at work."""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
_POLL_S = 0.5  # how late a thread that waits for room notices that nobody wants more


@dataclass(frozen=True)
class _End:
    """The last word of the thread; with the error that ended the reading, where one did."""

    error: BaseException | None = None


@contextmanager
def ahead(items: Generator[T], depth: int, at_once: int = 1) -> Iterator[Iterator[list[T]]]:
    """Yields an iterator over groups of items: what lies ready, from one to `at_once`.

    Up to `depth` items are kept ready; 0 fetches each when it is asked for, without a thread. An error of `items` is
    raised after the items that came before it. The thread has ended when this is left.
    """
    if depth == 0:
        try:
            yield ([item] for item in items)
        finally:
            items.close()
        return
    reader = _Reader(items, depth)
    reader.start()
    try:
        yield reader.groups(at_once)
    finally:
        reader.leave()


class _Reader(Generic[T]):
    """Fetches in a thread that shares the starter's context variables."""

    def __init__(self, items: Generator[T], depth: int) -> None:
        self._items = items
        self._ready: queue.Queue[T | _End] = queue.Queue(depth)
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._fetch,), name="ahead", daemon=True)

    def start(self) -> None:
        """Begins to fetch."""
        self._thread.start()

    def leave(self) -> None:
        """Ends the reading; waits for what is being fetched."""
        self._unwanted.set()
        self._thread.join()

    def groups(self, at_once: int) -> Iterator[list[T]]:
        """Yields what lies ready; raises the error that ended the reading."""
        end: _End | None = None
        while end is None:
            group = list[T]()
            end = self._take(group, at_once)
            if group:
                yield group
        if end.error is not None:
            raise end.error

    def _take(self, group: list[T], at_once: int) -> _End | None:
        """Fills the group with what lies ready, and waits for its first; returns the end where it came to it."""
        found = self._ready.get()
        while not isinstance(found, _End):
            group.append(found)
            if len(group) == at_once:
                return None
            try:
                found = self._ready.get_nowait()
            except queue.Empty:
                return None
        return found

    def _fetch(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as raised:  # noqa: BLE001  it is raised where the items are taken
            error = raised
        finally:
            self._items.close()
        self._put(_End(error))

    def _put(self, found: T | _End) -> bool:
        while not self._unwanted.is_set():
            with suppress(queue.Full):
                self._ready.put(found, timeout=_POLL_S)
                return True
        return False
