"""A far end that misbehaves byte by byte, and the parts to call it with."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from worker.model.account import CorrelationOptions
from worker.model.events import CallFinished
from worker.model.listening import Event, Events
from worker.model.records import Call, Purpose
from worker.store import calls
from worker.store.database import Database
from worker.store.writer import Writer
from worker.wire.line import Line
from worker.wire.outgoing import About, Limits, Outgoing
from worker.wire.trail import Trail

READ = About("tangoe", Purpose.READ)
LIMITS = Limits(connect_s=2.0, read_s=5.0, deadline_s=10.0, max_body=1_000_000)


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes


Play = Callable[[socket.socket, Request], bool]
"""Answers a request by hand; tells whether the connection stays open."""


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """Returns a whole answer of the stated length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """Returns a redirect."""
    return answer(b"", status, f"Location: {location}")


class FarEnd:
    """Serves on loopback; each request is answered by the next of `plays`, the last one again and again."""

    def __init__(self, *plays: bytes | Play, tls: ssl.SSLContext | None = None) -> None:
        self.plays = list(plays)
        self.requests: list[Request] = []
        self._tls = tls
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already
        for thread in self._threads:
            thread.join()

    def drip(self, connection: socket.socket, data: bytes, every_s: float) -> None:
        """Sends a byte at a time until the other side leaves or the test ends."""
        for byte in data:
            connection.sendall(bytes([byte]))
            if self._over.wait(every_s):
                return

    def hold(self) -> None:
        """Does nothing until the test ends."""
        self._over.wait(30.0)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            self._start(lambda taken=connection: self._serve(taken))  # type: ignore[misc]

    def _serve(self, plain: socket.socket) -> None:
        with plain:
            try:
                connection = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
                with connection:
                    self._open.append(connection)
                    while self._one(connection):
                        pass
            except OSError:
                return

    def _one(self, connection: socket.socket) -> bool:
        request = _read(connection)
        if request is None:
            return False
        self.requests.append(request)
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        if callable(play):
            return play(connection, request)
        connection.sendall(play)
        return True


def _read(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)


@dataclass
class Bench:
    """A trail on a database, the events it tells, and lines that end with the test."""

    database: Database
    writer: Writer
    told: list[CallFinished] = field(default_factory=list)
    events: Events = field(default_factory=Events)
    lines: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.events.listen(self._listen)
        self.trail = Trail(self.writer, self.events, node_id=7)

    def _listen(self, event: Event) -> None:
        if isinstance(event, CallFinished):
            self.told.append(event)

    def line(self, *origins: str, limits: Limits = LIMITS, correlation: CorrelationOptions | None = None) -> Line:
        """Returns a line to these origins."""
        made = Line(frozenset(origins), limits, self.trail, correlation=correlation or CorrelationOptions())
        self.lines.append(made)
        return made

    def keep(self, line: Line) -> Line:
        """Closes a line at the end as well."""
        self.lines.append(line)
        return line

    def rows(self) -> list[Call]:
        """Returns the trail, oldest first, once everything handed in is durable."""
        self.writer.call(lambda _: None)
        with self.database.read() as connection:
            return calls.listing(connection, limit=1000)[::-1]

    def close(self) -> None:
        """Closes the lines."""
        for line in self.lines:
            line.close()


def get(url: str) -> Outgoing:
    """Returns a plain GET."""
    return Outgoing("GET", url)


def closed_port() -> int:
    """Returns a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
