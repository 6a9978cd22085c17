"""The local engine: threads of this process that take run ids from one queue."""

import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from worker.engine.base import Engine

_log = logging.getLogger(__name__)


class LocalPool(Engine):
    """Executes runs in `size` threads, in the order they were submitted.

    `execute` is called with a run's id; what it raises is told to `on_error` with that id, and the thread
    goes on. The threads are daemons: a run that does not end delays neither `stop` beyond its time-out nor
    the process's exit.
    """

    def __init__(
        self, size: int, execute: Callable[[int], None], on_error: Callable[[int, BaseException], None]
    ) -> None:
        self._execute = execute
        self._on_error = on_error
        self._queue: SimpleQueue[int | None] = SimpleQueue()  # None: the thread that takes it ends
        self._lock = threading.Lock()
        self._waiting: dict[int, None] = {}  # a set that keeps the order
        self._running: dict[int, threading.Thread] = {}
        self._stopping = False
        self._threads = [self._thread(f"run-{number}") for number in range(size)]

    @property
    def busy(self) -> int:
        """Runs being executed now."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Runs submitted and not begun."""
        return len(self._waiting)

    def start(self) -> None:
        """Starts the threads; once in the pool's life."""
        for thread in self._threads:
            thread.start()

    def submit(self, run_id: int) -> None:
        """Queues a run, unless it waits already or is being executed; after `stop` it is only kept in `left`.

        To have a run executed again, submit it after `execute` returned.
        """
        with self._lock:
            if run_id in self._waiting or run_id in self._running:
                return
            self._waiting[run_id] = None
            if not self._stopping:
                self._queue.put(run_id)

    def write_off(self, run_id: int) -> None:
        """Counts a run as ended whose thread does not come back, and puts a new thread in that one's place."""
        with self._lock:
            lost = self._running.pop(run_id, None)
            if lost is None or self._stopping:
                return
            place = self._threads.index(lost)
            self._threads[place] = self._thread(lost.name)
            self._threads[place].start()

    def stop(self, timeout_s: float) -> bool:
        """Begins nothing more and waits up to `timeout_s` for what runs; returns whether all of it ended."""
        with self._lock:
            self._stopping = True
        for _ in self._threads:
            self._queue.put(None)
        deadline = time.monotonic() + timeout_s
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def left(self) -> list[int]:
        """Returns the ids that were submitted and never begun, in order."""
        with self._lock:
            return list(self._waiting)

    def _thread(self, name: str) -> threading.Thread:
        return threading.Thread(target=self._work, name=name, daemon=True)

    def _work(self) -> None:
        while (run_id := self._queue.get()) is not None:
            if self._begin(run_id):
                self._run(run_id)
                if not self._end(run_id):
                    return

    def _begin(self, run_id: int) -> bool:
        with self._lock:
            if self._stopping:
                return False
            del self._waiting[run_id]
            self._running[run_id] = threading.current_thread()
            return True

    def _end(self, run_id: int) -> bool:
        """Notes that a run ended; False where it had been written off, and this thread with it."""
        with self._lock:
            mine = self._running.get(run_id) is threading.current_thread()
            if mine:
                del self._running[run_id]
            return mine

    def _run(self, run_id: int) -> None:
        try:
            self._execute(run_id)
        except BaseException as error:  # noqa: BLE001  SystemExit in a job must not cost the pool a thread
            self._report(run_id, error)

    def _report(self, run_id: int, error: BaseException) -> None:
        try:
            self._on_error(run_id, error)
        except Exception:  # noqa: BLE001  a failing listener must not cost the pool a thread either
            _log.exception("on_error failed", extra={"run": run_id})
