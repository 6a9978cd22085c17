"""Connections that the watchdog can cut, and that know whether anything of the request has left."""

import queue
import socket
import threading
from ipaddress import ip_address
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from worker.wire.watchdog import current

Address = tuple[Any, ...]
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Address]


class Unreachable(OSError):
    """No connection came about; the text says why, for people."""


def _look_up(host: str, port: int) -> list[AddressInfo]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # type: ignore[return-value]  # no AF_UNIX here


def addresses(host: str, port: int, limit_s: float) -> list[AddressInfo]:
    """Returns a host's addresses; raises Unreachable.

    A name is looked up in a thread of its own, because nothing can stop a resolver that waits; connections are kept, so
    this is not done for each call.
    """
    try:
        ip_address(host)
    except ValueError:
        return _look_up_within(host, port, limit_s)
    return _look_up(host, port)


def _look_up_within(host: str, port: int, limit_s: float) -> list[AddressInfo]:
    found: queue.SimpleQueue[list[AddressInfo] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(_look_up(host, port))
        except (OSError, UnicodeError) as error:
            found.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="name look-up", daemon=True).start()
    try:
        answer = found.get(timeout=max(limit_s, 0.0))
    except queue.Empty:
        raise Unreachable(f"the name {host} was not resolved within {limit_s:.3g} s") from None
    if isinstance(answer, OSError):
        raise Unreachable(f"the name {host} was not found") from None
    return answer


def _dial(info: AddressInfo, limit_s: float) -> socket.socket:
    family, kind, proto, _, address = info
    sock = socket.socket(family, kind, proto)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(limit_s)
        current().hold_new(sock)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _why(error: OSError, limit_s: float) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(error, TimeoutError):
        return f"did not answer within {limit_s:.3g} s"
    return (error.strerror or type(error).__name__).lower()


class _Watched(HTTPConnection):
    """What plain and TLS connections share."""

    debuglevel = 0  # one that is set for the whole process, on http.client's class, would print every header

    def _new_conn(self) -> socket.socket:
        """Connects to the first address that answers; raises Unreachable."""
        watch = current()
        limit_s = float(self.timeout or 0)
        why = "it has no address"
        for info in addresses(self._dns_host, self.port, min(limit_s, watch.remaining_s())):
            patience_s = max(min(limit_s, watch.remaining_s()), 0.001)
            try:
                return _dial(info, patience_s)
            except OSError as error:
                why = f"{info[4][0]} port {self.port} {_why(error, patience_s)}"
        raise Unreachable(why)

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # handed through as it is
        """Connects, then sends; from here on the far end may have acted."""
        watch = current()
        if self.sock is None:
            self.connect()
        watch.hold(self.sock)
        watch.sent = True
        super().request(*args, **kwargs)


class _WatchedTls(_Watched, HTTPSConnection):
    """A TLS connection under watch."""


class PlainPool(HTTPConnectionPool):
    """The connections to one http origin."""

    ConnectionCls = _Watched


class TlsPool(HTTPSConnectionPool):
    """The connections to one https origin."""

    ConnectionCls = _WatchedTls
