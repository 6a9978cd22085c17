"""A descriptor that is written to without ever waiting for whoever reads at its other end."""

import os
import select
import stat
from contextlib import suppress

_ANEW = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_ATOMIC = select.PIPE_BUF  # bytes that a pipe takes whole which says it takes any


class Sink:
    """Takes bytes: those it can take now.

    A pipe or a terminal is opened anew for us alone, non-blocking: the descriptor we were given stays as it is, for
    other processes share it. What cannot be opened anew, as a socket, is asked before each write. A regular file takes
    what it is given.
    """

    def __init__(self, descriptor: int, *, owned: bool = False) -> None:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        anew = None if regular or owned else _opened_anew(descriptor)
        self._descriptor = descriptor if anew is None else anew
        self._owned = owned or anew is not None
        self._poll: select.poll | None = None if regular or not os.get_blocking(self._descriptor) else select.poll()
        if self._poll is not None:
            self._poll.register(self._descriptor, select.POLLOUT)

    def write(self, data: bytes) -> int | None:
        """Returns how many bytes were taken, or None where none are taken now; raises OSError."""
        if self._poll is not None:
            if not self._poll.poll(0):
                return None
            data = data[:_ATOMIC]
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return None

    def wait(self, timeout_s: float) -> None:
        """Waits until more is taken, or the reader is gone, for at most so long."""
        poll = select.poll()
        with suppress(OSError, ValueError):  # closed meanwhile
            poll.register(self._descriptor, select.POLLOUT)
            poll.poll(timeout_s * 1000)

    def close(self) -> None:
        """Gives back what was opened here."""
        if self._owned:
            os.close(self._descriptor)


def _opened_anew(descriptor: int) -> int | None:
    try:
        return os.open(f"/proc/self/fd/{descriptor}", _ANEW)
    except OSError:
        return None
