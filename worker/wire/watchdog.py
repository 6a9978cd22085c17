"""The wall-clock limit of a call: one thread a process cuts the connection of whoever is late.

A socket's timeout is none: it begins anew with each byte, so a server that drips is read for ever.
"""

import os
import socket
import threading
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from worker.model.moments import elapsed_s

_LOOK_S = 0.2  # how late a late call is noticed, at most


class Watch:
    """One call under watch, from its begin to its end; a context manager."""

    __slots__ = ("_before", "_dog", "_lock", "_own", "_sock", "due", "expired", "length_s", "sent")

    def __init__(self, dog: "Watchdog", deadline_s: float) -> None:
        self._dog = dog
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._own: socket.socket | None = None
        self.length_s = deadline_s
        self.due = elapsed_s() + deadline_s
        self.expired = False
        self.sent = False  # True: bytes of the request may have left

    def remaining_s(self) -> float:
        """Returns the seconds left; zero or less once the call is late."""
        return self.due - elapsed_s()

    def hold_new(self, sock: socket.socket) -> None:
        """Takes a duplicate of a socket about to connect: in a TLS handshake another object takes its place."""
        own = socket.socket(sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))
        self.let_go()
        self._own = own
        self.hold(own)

    def hold(self, sock: socket.socket) -> None:
        """Takes the socket the call goes through now; cuts it at once when the call is late already."""
        with self._lock:
            self._sock = sock
        if self.expired:
            self.expire()

    def let_go(self) -> None:
        """Leaves the connection alone from now on: another call may go through it next."""
        with self._lock:
            self._sock = None
        if self._own is not None:
            self._own.close()
            self._own = None

    def expire(self) -> None:
        """Cuts the connection: whatever reads or writes on it ends at once."""
        with self._lock:
            self.expired = True
            if self._sock is None:
                return
            try:
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # an SSLSocket's own would end TLS as well
            except OSError:  # not connected yet, or gone
                return

    def __enter__(self) -> Self:
        self._before = _current.set(self)
        self._dog.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._before)
        self._dog.remove(self)
        self.let_go()


_current: ContextVar[Watch] = ContextVar("watch")


def current() -> Watch:
    """Returns the watch over this thread's call; raises LookupError outside one."""
    return _current.get()


class Watchdog:
    """Looks after all calls of the process; its thread starts with the first call and sleeps while there is none."""

    def __init__(self) -> None:
        self._some = threading.Condition()
        self._watches: set[Watch] = set()
        self._thread: threading.Thread | None = None
        self._never = threading.Event()

    def watch(self, deadline_s: float) -> Watch:
        """Returns a watch whose time begins now."""
        return Watch(self, deadline_s)

    def add(self, watch: Watch) -> None:
        """Begins to look after a call."""
        with self._some:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            self._some.notify()

    def remove(self, watch: Watch) -> None:
        """Stops looking after a call."""
        with self._some:
            self._watches.discard(watch)

    def once(self) -> int:
        """Cuts the calls that are late now and returns how many there were."""
        now = elapsed_s()
        with self._some:
            late = [watch for watch in self._watches if watch.due <= now]
        for watch in late:
            watch.expire()
        return len(late)

    def _run(self) -> None:
        while True:
            with self._some:
                self._some.wait_for(lambda: self._watches)
            self.once()
            self._never.wait(_LOOK_S)


WATCHDOG = Watchdog()
