"""What the service manager is told, by the protocol of sd_notify(3): a datagram of lines to $NOTIFY_SOCKET.

Without a manager nothing is sent. What cannot be sent is dropped: the manager's trouble is no reason to end.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress

from worker.model.moments import elapsed_s

_STATUS_EVERY_S = 10.0
_MICROSECONDS = 1_000_000


class ServiceManager:
    """Tells the service manager how the daemon is."""

    def __init__(
        self, address: str = "", watchdog_s: float | None = None, now_s: Callable[[], float] = elapsed_s
    ) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address  # abstract sockets, unix(7)
        self._every_s = min(watchdog_s / 2, _STATUS_EVERY_S) if watchdog_s else _STATUS_EVERY_S
        self._watched = watchdog_s is not None
        self._now_s = now_s
        self._told_s = float("-inf")

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> "ServiceManager":
        """Returns the manager that the environment names, and takes it out, so that no child process speaks for us.

        A watchdog that is meant for another process is left alone.
        """
        address = environment.pop("NOTIFY_SOCKET", "")
        usec, pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        mine = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
        return cls(address, int(usec) / _MICROSECONDS if mine else None)

    def ready(self, status: str) -> None:
        """Says that the daemon works."""
        self._send("READY=1", f"STATUS={status}")

    def beat(self, status: Callable[[], str]) -> None:
        """Says from the scheduler's loop that it turns; called often, it sends at half the watchdog's time."""
        now_s = self._now_s()
        if not self._address or now_s < self._told_s + self._every_s:
            return
        self._told_s = now_s
        self._send(*(["WATCHDOG=1"] if self._watched else []), f"STATUS={status()}")

    def reloading(self) -> None:
        """Says that a new configuration is being read; `ready` ends it, whether that was taken or refused."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def starting(self, longest_s: float) -> None:
        """Asks for so much time to start, as a new schema may need."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(longest_s * _MICROSECONDS)}")

    def stopping(self, longest_s: float) -> None:
        """Says that the daemon leaves, which may take so long."""
        extended = f"EXTEND_TIMEOUT_USEC={round(longest_s * _MICROSECONDS)}"
        self._send("STOPPING=1", "STATUS=drains", extended)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), self._address)
