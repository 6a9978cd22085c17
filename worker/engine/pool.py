"""The local engine: threads of this process that take runs from one heap, highest priority first."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count

from worker.engine.base import Engine

Task = Callable[[], None]
Begin = Callable[[int, Callable[[Task | None], None]], None]
_log = logging.getLogger(__name__)


class LocalPool(Engine):
    """Executes runs in `size` threads, in the order of their priority and then of their submission.

    `execute` is called with a run's id; what it raises is told to `on_error` with that id, and the thread
    goes on. Where `begin` is given, it is called instead as soon as the run has a place, and must not wait: it is
    handed a function to be called, once, with what a thread is to do, or with None where there is nothing.
    The threads are daemons: a run that does not end delays neither `stop` beyond its time-out nor the process's exit.
    """

    def __init__(
        self,
        size: int,
        execute: Callable[[int], None],
        on_error: Callable[[int, BaseException], None],
        begin: Begin | None = None,
    ) -> None:
        self._size = size
        self._begin: Begin = begin or (lambda run_id, ready: ready(partial(execute, run_id)))
        self._on_error = on_error
        self._heap: list[tuple[int, int, int]] = []  # priority negated, number of submission, run
        self._numbers = count()
        self._waiting: set[int] = set()
        self._begun: set[int] = set()  # runs that have a place, at most `size`
        self._ready: deque[tuple[int, Task]] = deque()
        self._running: dict[int, threading.Thread] = {}
        self._changed = threading.Condition()
        self._idle = 0
        self._waking = False  # an idle thread was woken and has not looked yet
        self._open = False  # started, and not stopped
        self._stopping = False
        self._threads = [self._thread(f"run-{number}") for number in range(size)]

    @property
    def busy(self) -> int:
        """Runs being executed now."""
        return len(self._begun)

    @property
    def waiting(self) -> int:
        """Runs submitted and not begun."""
        return len(self._heap)

    def start(self) -> None:
        """Starts the threads; once in the pool's life."""
        self._open = True
        for thread in self._threads:
            thread.start()
        self._fill()

    def submit(self, run_id: int, priority: int = 0) -> None:
        """Queues a run, unless it waits already or is being executed; after `stop` it is only kept in `left`.

        To have a run executed again, submit it after `execute` returned.
        """
        with self._changed:
            if run_id in self._waiting or run_id in self._begun:
                return
            self._waiting.add(run_id)
            heappush(self._heap, (-priority, next(self._numbers), run_id))
        self._fill()

    def write_off(self, run_id: int) -> None:
        """Counts a run as ended whose thread does not come back, and puts a new thread in that one's place."""
        with self._changed:
            lost = self._running.pop(run_id, None)
            if lost is None or self._stopping:
                return
            self._begun.discard(run_id)
            place = self._threads.index(lost)
            self._threads[place] = self._thread(lost.name)
            self._threads[place].start()
        self._fill()

    def stop(self, timeout_s: float) -> bool:
        """Begins nothing more and waits up to `timeout_s` for what runs; returns whether all of it ended."""
        with self._changed:
            self._open, self._stopping = False, True
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_s
        started = [thread for thread in self._threads if thread.ident is not None]
        for thread in started:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in started)

    def left(self) -> list[int]:
        """Returns the ids that were submitted and never begun, in order."""
        with self._changed:
            return [run_id for _, _, run_id in sorted(self._heap)]

    def _fill(self) -> None:
        """Begins what waits, as far as there are places."""
        while (run_id := self._next()) is not None:
            try:
                self._begin(run_id, partial(self._put, run_id))
            except Exception as error:  # noqa: BLE001  the run stays in the ledger, its place is another one's
                self._report(run_id, error)
                self._leave(run_id)

    def _next(self) -> int | None:
        if not self._heap:  # looked at without the lock: whoever fills it comes here afterwards
            return None
        with self._changed:
            if not self._open or not self._heap or len(self._begun) >= self._size:
                return None
            _, _, run_id = heappop(self._heap)
            self._waiting.remove(run_id)
            self._begun.add(run_id)
            return run_id

    def _put(self, run_id: int, task: Task | None) -> None:
        """Takes what `begin` made of a run."""
        if task is None:
            self._leave(run_id)
            self._fill()
            return
        with self._changed:
            self._ready.append((run_id, task))
            self._wake()

    def _wake(self) -> None:
        """Wakes one idle thread, which wakes the next: where tasks are short, one does them all, and no other wakes."""
        if self._idle and not self._waking:
            self._waking = True
            self._changed.notify()

    def _thread(self, name: str) -> threading.Thread:
        return threading.Thread(target=self._work, name=name, daemon=True)

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            self._run(*taken)
            if not self._end(taken[0]):
                return
            self._fill()

    def _take(self) -> tuple[int, Task] | None:
        """Waits for something to do and returns it; None once stopped and nothing more can come."""
        with self._changed:
            while not self._ready:
                if self._stopping and not self._begun:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
                self._waking = False
            run_id, task = self._ready.popleft()
            self._running[run_id] = threading.current_thread()
            if self._ready:
                self._wake()
            return run_id, task

    def _end(self, run_id: int) -> bool:
        """Notes that a run ended; False where it had been written off, and this thread with it."""
        with self._changed:
            mine = self._running.get(run_id) is threading.current_thread()
            if mine:
                del self._running[run_id]
        if mine:
            self._leave(run_id)
        return mine

    def _leave(self, run_id: int) -> None:
        with self._changed:
            self._begun.discard(run_id)
            if self._stopping and not self._begun:
                self._changed.notify_all()

    def _run(self, run_id: int, task: Task) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001  SystemExit in a job must not cost the pool a thread
            self._report(run_id, error)

    def _report(self, run_id: int, error: BaseException) -> None:
        try:
            self._on_error(run_id, error)
        except Exception:  # noqa: BLE001  a failing listener must not cost the pool a thread either
            _log.exception("on_error failed", extra={"run": run_id})
