"""What an authenticated call costs: ours, with its trail row and its log line, beside its peers without, in one run.

    pip install --group bench    # or: uv sync --group bench
    python benchmarks/calls.py

All ask the same server, a child process on loopback, over a kept connection for 200 bytes of JSON with a bearer token.
CPU of this process counts, that of the writer's thread and of the watchdog included; they take turns, and the median of
seven rounds is told. The goal is 0.65 of a plain `requests.Session` with an `AuthBase`.
"""

import base64
import multiprocessing
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import requests
from authlib.integrations.requests_client import OAuth2Session
from requests.auth import AuthBase

from worker.auth.account import Account
from worker.auth.keeper import Keeper
from worker.calls.session import AccountApi, RunRef
from worker.model.account import AccountOptions
from worker.model.listening import Events
from worker.store.database import open_database
from worker.store.schema import upgrade
from worker.store.writer import Writer
from worker.vault.cipher import Cipher
from worker.vault.keyring import KeyRing
from worker.vault.secret import Secret
from worker.watch.logs import configure, log_event
from worker.wire.line import Line
from worker.wire.outgoing import Limits
from worker.wire.trail import Trail

ROUNDS = 7
CALLS = 1000
LIFE_S = 3600
BEARER = "benchmark-token-of-forty-characters-0001"
PARAMS = {"limit": "100", "offset": "200"}
PEER = "requests.Session + AuthBase"
BODY = b'{"id":12345,"name":"' + b"x" * 178 + b'"}'
GRANT = b'{"access_token":"%s","token_type":"Bearer","expires_in":%d}' % (BEARER.encode(), LIFE_S)

Contender = Callable[[], object]


def serve(announce: Connection) -> None:
    """Answers every request alike, until it is ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        announce.send(server.getsockname()[1])
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    """Answers what comes over one connection: a token to a POST, whose body comes along, else the same document."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while request := connection.recv(65536):
        connection.sendall(framed(GRANT if request.startswith(b"POST") else BODY))


def framed(body: bytes) -> bytes:
    """Returns a whole answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


@contextmanager
def far_end() -> Iterator[str]:
    """Starts the server and yields its URL."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there,))
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


class Bearer(AuthBase):
    """Adds the token, as the documentation of requests shows it."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Returns the request with the header."""
        request.headers["Authorization"] = f"Bearer {BEARER}"
        return request


def by_requests(url: str, stack: ExitStack) -> Contender:
    """Returns one GET by a plain session of requests: no trail, no log."""
    session = stack.enter_context(requests.Session())
    return lambda: session.get(f"{url}/devices", params=PARAMS, auth=Bearer(), timeout=10).json()


def by_httpx(url: str, stack: ExitStack) -> Contender:
    """Returns one GET by a plain client of httpx: no trail, no log."""
    client = stack.enter_context(httpx.Client(headers={"Authorization": f"Bearer {BEARER}"}, timeout=10))
    return lambda: client.get(f"{url}/devices", params=PARAMS).json()


def by_authlib(url: str, stack: ExitStack) -> Contender:
    """Returns one GET by Authlib's session with a token that is good for an hour: no trail, no log."""
    token = {"access_token": BEARER, "token_type": "Bearer", "expires_at": time.time() + LIFE_S}
    session = stack.enter_context(OAuth2Session("client", "secret", token=token))
    return lambda: session.get(f"{url}/devices", params=PARAMS, timeout=10).json()


def ours(url: str, stack: ExitStack) -> Contender:
    """Returns one GET as a job makes it in the daemon: token from the keeper, limiter, trail row, log line."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    stack.callback(configure("info", "json", folder / "worker.log").close)
    database = open_database(f"sqlite:///{folder}/worker.db")
    stack.callback(database.close)
    upgrade(database)
    writer = Writer(database, print)
    writer.start()
    stack.callback(writer.stop)
    events = Events()
    events.listen(log_event)
    line = Line(frozenset({url}), Limits(10, 60, 120, 2**26), Trail(writer, events, 1))
    stack.callback(line.close)
    account = Account("tangoe", AccountOptions.model_validate(options(url)), Secret("benchmark-secret"), None)
    keeper = Keeper(account, database, writer, Cipher(ring(), "benchmark"), line, events)
    api = AccountApi(account, line, keeper, events).bind(RunRef("devices", 1, 1, lambda: None, lambda: 600.0))
    return lambda: api.request("GET", "devices", params=PARAMS).json()


def options(url: str) -> dict[str, object]:
    """Returns an account as a configuration has it, with headers of its own and the ids of run and call."""
    return {
        "base_url": url,
        "token_url": f"{url}/token",
        "client_id": "client",
        "client_secret": {"env": "UNUSED"},
        "tenant": "XYZ",
        "headers": {"X-TNGO-TENANT": "{tenant}", "client_id": "{client_id}"},
        "correlation": {"run": "X-Run-Id", "call": "X-Call-Id"},
    }


def ring() -> KeyRing:
    """Returns a key ring of one key."""
    return KeyRing({"k1": Secret(base64.b64encode(bytes(32)).decode())})


CONTENDERS: dict[str, Callable[[str, ExitStack], Contender]] = {
    PEER: by_requests,
    "httpx.Client": by_httpx,
    "Authlib's OAuth2Session": by_authlib,
    "ours, trail row and log line": ours,
}


def measured_us(call: Contender) -> float:
    """Returns microseconds of CPU per call."""
    started = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - started) / CALLS * 1e6


def main() -> None:
    """Prints the medians and their ratios."""
    with ExitStack() as stack:
        url = stack.enter_context(far_end())
        calls = {name: make(url, stack) for name, make in CONTENDERS.items()}
        for call in calls.values():
            measured_us(call)
        rounds = [{name: measured_us(call) for name, call in calls.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(one[name] for one in rounds) for name in calls}
    for name, us in medians.items():
        least, most = min(one[name] for one in rounds), max(one[name] for one in rounds)
        print(f"{name:30} {us:7.1f} us  ({least:.1f} to {most:.1f})  {us / medians[PEER]:5.2f} x requests")


if __name__ == "__main__":
    main()
