"""The local engine: threads of this process that take run ids from one heap, highest priority first."""

import logging
import threading
import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from queue import SimpleQueue

from worker.engine.base import Engine

_log = logging.getLogger(__name__)


class LocalPool(Engine):
    """Executes runs in `size` threads, in the order of their priority and then of their submission.

    `execute` is called with a run's id; what it raises is told to `on_error` with that id, and the thread
    goes on. The threads are daemons: a run that does not end delays neither `stop` beyond its time-out nor
    the process's exit.
    """

    def __init__(
        self, size: int, execute: Callable[[int], None], on_error: Callable[[int, BaseException], None]
    ) -> None:
        self._execute = execute
        self._on_error = on_error
        self._places: SimpleQueue[bool] = SimpleQueue()  # one True for each run that waits; False ends a thread
        self._lock = threading.Lock()
        self._heap: list[tuple[int, int, int]] = []  # priority negated, number of submission, run
        self._numbers = count()
        self._waiting: set[int] = set()
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

    def submit(self, run_id: int, priority: int = 0) -> None:
        """Queues a run, unless it waits already or is being executed; after `stop` it is only kept in `left`.

        To have a run executed again, submit it after `execute` returned.
        """
        with self._lock:
            if run_id in self._waiting or run_id in self._running:
                return
            self._waiting.add(run_id)
            heappush(self._heap, (-priority, next(self._numbers), run_id))
        self._places.put(True)

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
            self._places.put(False)
        deadline = time.monotonic() + timeout_s
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def left(self) -> list[int]:
        """Returns the ids that were submitted and never begun, in order."""
        with self._lock:
            return [run_id for _, _, run_id in sorted(self._heap)]

    def _thread(self, name: str) -> threading.Thread:
        return threading.Thread(target=self._work, name=name, daemon=True)

    def _work(self) -> None:
        while self._places.get():
            run_id = self._begin()
            if run_id is None:
                return
            self._run(run_id)
            if not self._end(run_id):
                return

    def _begin(self) -> int | None:
        """Takes the run that is next; None once nothing more is to begin."""
        with self._lock:
            if self._stopping:
                return None
            _, _, run_id = heappop(self._heap)
            self._waiting.remove(run_id)
            self._running[run_id] = threading.current_thread()
            return run_id

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
