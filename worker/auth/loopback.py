"""A web server for one answer: a browser brings it to this machine's loopback at the end of a login.

RFC 8252 section 7.3. It listens on a loopback address only, takes one answer at one path, and ends with the login.
"""

import hmac
import queue
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from worker.auth.pages import DONE, HANDOVER, LATE, WRONG, Page
from worker.vault.secret import Secret

_SECRETS = frozenset({"code", "access_token", "refresh_token", "id_token"})
_MOST_BYTES = 65_536  # of what a page hands over
_IDLE_S = 5.0  # browsers open connections in advance and send nothing

Delivery = Mapping[str, str | Secret]


class CannotListen(Exception):
    """The port of the redirect URL is taken; says which."""


class _Box:
    """Holds the one answer, which counts once its browser was told so: the process may end right after."""

    def __init__(self, state: str) -> None:
        self._state = state.encode()
        self._lock = threading.Lock()
        self._taken = False
        self.strange = 0  # answers with another state, or none
        self.answers: queue.SimpleQueue[Delivery] = queue.SimpleQueue()

    def expects(self, delivery: Delivery) -> bool:
        """Tells whether an answer is to our question; any page or program may knock here."""
        state = delivery.get("state")
        return isinstance(state, str) and hmac.compare_digest(state.encode(), self._state)

    def claim(self) -> bool:
        """Tells whether the caller is the first to bring an answer."""
        with self._lock:
            first, self._taken = not self._taken, True
        return first


@dataclass(frozen=True)
class _Place:
    """Where the answer is taken: as a redirect URL names it, `port` as it was bound."""

    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


class Loopback:
    """Listens while it is entered, for the one answer that carries `state`.

    `fragment`: the answer lies where only a script of ours can read it (implicit).

    Raises CannotListen where the port of `redirect_url` is taken.
    """

    def __init__(self, redirect_url: str, state: str, *, fragment: bool = False) -> None:
        parts = urlsplit(redirect_url)
        host = parts.hostname or "127.0.0.1"
        self._box = _Box(state)
        try:
            self._server = _server("127.0.0.1" if host == "localhost" else host, parts.port or 0)
        except OSError as error:
            raise CannotListen(f"port {parts.port} of {host} cannot be listened on: {error.strerror}") from None
        self._place = _Place(host, self._server.server_address[1], parts.path or "/")
        self._server.RequestHandlerClass = _handler(self._place, self._box, fragment=fragment)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def redirect_uri(self) -> str:
        """Where the browser is sent, as the authorization server is told."""
        return f"{self._place.origin}{self._place.path}"

    @property
    def strange(self) -> int:
        """How many answers came with another state, or none: a page's or a program's that is not our server."""
        return self._box.strange

    def wait(self, timeout_s: float) -> Delivery | None:
        """Returns the parameters of the one answer, None where none came in time; what is secret is a Secret."""
        try:
            return self._box.answers.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _server(host: str, port: int) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        allow_reuse_address = False  # nobody else may listen beside us
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Says nothing: a browser that went away is no concern, and a traceback may hold the answer."""

    return Server((host, port), BaseHTTPRequestHandler)


def _handler(place: _Place, box: _Box, *, fragment: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.place, Handler.box, Handler.fragment = place, box, fragment
    return Handler


class _Handler(BaseHTTPRequestHandler):
    """Answers one request of the browser."""

    timeout = _IDLE_S
    place: ClassVar[_Place]
    box: ClassVar[_Box]
    fragment: ClassVar[bool]

    def do_GET(self) -> None:
        """Takes the answer from the query, or sends the page that reads it from the fragment."""
        parts = urlsplit(self.path)
        if not self._is_ours(parts.path):
            self._reply(HTTPStatus.NOT_FOUND, WRONG)
        elif self.fragment and "state=" not in parts.query:
            self._reply(HTTPStatus.OK, HANDOVER)
        else:
            self._take(parts.query)

    def do_POST(self) -> None:
        """Takes what the page read from the fragment."""
        size = self.headers.get("Content-Length", "")
        same = self.headers.get("Origin", self.place.origin) == self.place.origin
        fits = size.isdecimal() and int(size) <= _MOST_BYTES
        if not (self.fragment and same and fits and self._is_ours(urlsplit(self.path).path)):
            self._reply(HTTPStatus.FORBIDDEN, WRONG)
        else:
            self._take(self.rfile.read(int(size)).decode("ascii", "replace"))

    def _is_ours(self, path: str) -> bool:
        """Tells whether the request means this server: a name that was bent to this address does not (rebinding)."""
        return path == self.place.path and f"http://{self.headers.get('Host', '')}" == self.place.origin

    def _take(self, encoded: str) -> None:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=50)
        delivery = {name: Secret(value) if name in _SECRETS else value for name, value in pairs}
        if not self.box.expects(delivery):
            self.box.strange += 1
            self._reply(HTTPStatus.FORBIDDEN, WRONG)
            return
        if not self.box.claim():
            self._reply(HTTPStatus.GONE, LATE)
            return
        try:
            self._reply(HTTPStatus.OK, DONE)
        finally:
            self.box.answers.put(delivery)

    def _reply(self, status: HTTPStatus, page: Page) -> None:
        self.send_response(status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(page.body)

    def version_string(self) -> str:
        """Returns what the Server header says: nothing of the machine."""
        return "worker"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its parent's name
        """Logs nothing: the request line holds the code."""
