"""Threads that work side by side; a process that leaves does not wait for them.

The interpreter waits at its end for the threads of a ThreadPoolExecutor, one that hangs in a request included.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Self, TypeVar

T = TypeVar("T")
_Task = tuple[Future[Any], Callable[[], Any]]


class Crew:
    """Does what it is given in up to `most` threads, which share the context variables of who gave it."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Waits for what is under way; what nobody began is cancelled."""
        while not self._tasks.empty():
            task = self._tasks.get()
            if task is not None:
                task[0].cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:  # noqa: ANN401  whatever the work wants
        """Returns what will come of the work."""
        future: Future[T] = Future()
        context = copy_context()
        self._tasks.put((future, lambda: context.run(work, *arguments)))
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
            self._hire()
        return future

    def _hire(self) -> None:
        number = len(self._threads) + 1
        thread = threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, work = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
                    future.set_exception(error)
            self._idle.release()
