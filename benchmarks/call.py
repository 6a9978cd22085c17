"""What an authenticated call costs: ours, with its trail row and its log line, beside bare requests, in one run.

    python benchmarks/call.py

Both ask the same server, a child process on loopback, over a kept connection for 200 bytes of JSON with a bearer token.
CPU of this process counts, that of the writer's thread and of the watchdog included; they take turns, and the median of
five rounds is told. The goal is 0.65 of bare requests.
"""

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

import requests
from requests.auth import AuthBase

from worker.model.events import Events
from worker.model.records import Purpose
from worker.store.database import open_database
from worker.store.schema import upgrade
from worker.store.writer import Writer
from worker.vault.secret import Secret
from worker.watch.logs import configure, log_event
from worker.wire.line import Line
from worker.wire.outgoing import About, Limits, Outgoing
from worker.wire.trail import Trail

ROUNDS = 5
CALLS = 1000
BODY = b'{"id":12345,"name":"' + b"x" * 178 + b'"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY

Contender = Callable[[], object]


def serve(announce: Connection) -> None:
    """Answers every request alike, until it is ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        announce.send(server.getsockname()[1])
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    """Answers what comes over one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
        while b"\r\n\r\n" in data:
            data = data.partition(b"\r\n\r\n")[2]
            connection.sendall(ANSWER)


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
        request.headers["Authorization"] = "Bearer benchmark-token"
        return request


def bare(url: str) -> Contender:
    """Returns one GET by a plain session of requests: no trail, no log."""
    session = requests.Session()
    return lambda: session.get(f"{url}/devices", params={"limit": "100"}, auth=Bearer(), timeout=10).json()


def ours(url: str, folder: Path, stack: ExitStack) -> Contender:
    """Returns one GET over a line, as the daemon uses it."""
    log = configure("info", "json", folder / "worker.log")
    stack.callback(log.close)
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
    bearer = Secret("Bearer benchmark-token")
    outgoing = Outgoing("GET", f"{url}/devices", {"limit": "100"}, {"Authorization": bearer})
    about = About("tangoe", Purpose.READ, "XYZ", "tangoe-devices", 1, 1, generation_used=7)
    return lambda: line.send(outgoing, about).answer.json()  # noqa: PLW0108  without it nothing is sent


def measured_us(call: Contender) -> float:
    """Returns microseconds of CPU per call."""
    started = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - started) / CALLS * 1e6


def main() -> None:
    """Prints the medians and their ratio."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(far_end())
        contenders = {
            "requests.Session + AuthBase": bare(url),
            "ours, trail row and log line": ours(url, folder, stack),
        }
        for call in contenders.values():
            call()
        rounds = [{name: measured_us(call) for name, call in contenders.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(one[name] for one in rounds) for name in contenders}
    peer = medians["requests.Session + AuthBase"]
    for name, us in medians.items():
        print(f"{name:30} {us:7.1f} us   {us / peer:5.2f} x requests")


if __name__ == "__main__":
    main()
