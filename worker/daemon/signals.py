"""Signals, heard by a thread of their own: also while the main thread is held up in C code or waits for a lock.

The interpreter writes each signal's number into a pipe in the very moment it comes; handlers in Python would have to
wait for the main thread.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_LEAVE = (signal.SIGTERM, signal.SIGINT)
ACTING = (*_LEAVE, signal.SIGHUP, signal.SIGUSR1)
_AT_ONCE = 4096  # bytes taken from the pipe, one a signal
_END = 0  # no signal has this number


class Heard:
    """What signals asked for: to leave, or one of the actions, of which many in a row are done once."""

    def __init__(self) -> None:
        self.name = ""  # of the signal that asked to leave
        self._leave = threading.Event()
        self._actions: dict[int, Callable[[], object]] = {}
        self._early: set[int] = set()  # came before there was an action for them
        self._lock = threading.Lock()

    def on(self, number: int, action: Callable[[], object]) -> None:
        """Says what a signal does, which must not raise; one that has come by now does it at once."""
        with self._lock:
            self._actions[number] = action
            came = number in self._early
        if came:
            action()

    def wait(self) -> None:
        """Returns once TERM or INT has come."""
        self._leave.wait()

    def take(self, numbers: bytes) -> None:
        """Does what came; a second request to leave ends the process at once, with 128 plus its number."""
        for number in dict.fromkeys(numbers):
            self._act(number)
        for number in numbers:
            if number not in _LEAVE:
                continue
            if self.name:
                os._exit(128 + number)
            self.name = signal.Signals(number).name
            self._leave.set()

    def _act(self, number: int) -> None:
        if number in _LEAVE:
            return
        with self._lock:
            action = self._actions.get(number)
            self._early.add(number)
        if action is not None:
            action()


@contextmanager
def heard() -> Iterator[Heard]:
    """Yields what signals ask for; only for the main thread. HUP and USR1 that come before `on` are kept."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    found = Heard()
    thread = threading.Thread(target=_listen, args=(reading, found), name="signals", daemon=True)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _noted) for number in ACTING}
    thread.start()
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        with suppress(BlockingIOError):
            os.write(writing, bytes([_END]))
        thread.join(1.0)
        os.close(reading)
        os.close(writing)


def _listen(pipe: int, found: Heard) -> None:
    while numbers := os.read(pipe, _AT_ONCE):
        found.take(numbers)
        if _END in numbers:
            return


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Takes the place of the default action, which would end the process; the pipe has the number."""
