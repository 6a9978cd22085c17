"""The limit: what cannot be left out. Keep-alive HTTP, orjson, executemany or COPY, one transaction; no checks.

With `prefetch` some threads fetch pages ahead, as many as the worker does.
"""

import http.client
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import psycopg

from benchmarks.sync.data import CLIENT_ID, CLIENT_SECRET, KINDS, NAMES, TABLE
from benchmarks.sync.spec import Spec, Told, Watch, perform

Fetch = Callable[[str], bytes]
Write = Callable[[Any, Iterable[list[dict[str, Any]]]], None]

_PICK = itemgetter(*NAMES)
_COLUMNS = ", ".join(NAMES)
_CONFLICT = f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in NAMES[1:])}"


class Client:
    """Keeps one connection for each of its threads."""

    def __init__(self, url: str, threads: int) -> None:
        self._parts = urlsplit(url)
        self._idle: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()
        for _ in range(max(threads, 1)):
            self._idle.put(http.client.HTTPConnection(self._parts.netloc))
        self._headers = {"Authorization": f"Bearer {self._token()}"}

    def _token(self) -> str:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        token: str = orjson.loads(self._ask("POST", "/token", urlencode(form), headers))["access_token"]
        return token

    def get(self, path: str) -> bytes:
        """Returns one answer's body."""
        return self._ask("GET", f"{self._parts.path}/{path}", None, self._headers)

    def _ask(self, method: str, target: str, body: str | None, headers: dict[str, str]) -> bytes:
        connection = self._idle.get()
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        found = answer.read()
        self._idle.put(connection)
        if answer.status != http.client.OK:
            raise RuntimeError(f"{target} answered {answer.status}")
        return found


def paths(spec: Spec) -> list[str]:
    """Returns what is asked for, page by page."""
    return [f"devices?offset={offset}&limit={spec.size}" for offset in range(0, spec.rows, spec.size)]


def fetched(fetch: Fetch, wanted: list[str], ahead: int) -> Iterator[bytes]:
    """Yields the pages in order; up to `ahead` are under way meanwhile."""
    if ahead <= 0:
        yield from map(fetch, wanted)
        return
    with ThreadPoolExecutor(ahead) as pool:
        left = iter(wanted)
        underway = [pool.submit(fetch, path) for path in islice(left, ahead)]
        while underway:
            page = underway.pop(0).result()
            underway += [pool.submit(fetch, path) for path in islice(left, 1)]
            yield page


def into_sqlite(connection: sqlite3.Connection, pages: Iterable[list[dict[str, Any]]]) -> None:
    """Upserts page by page, then commits."""
    upsert = f"INSERT INTO {TABLE} ({_COLUMNS}) VALUES ({', '.join('?' * len(NAMES))}) {_CONFLICT}"  # noqa: S608  names of our own
    connection.execute("BEGIN IMMEDIATE")
    for page in pages:
        connection.executemany(upsert, map(_PICK, page))
    connection.execute("COMMIT")


def into_postgres(connection: Any, pages: Iterable[list[dict[str, Any]]]) -> None:  # noqa: ANN401  peers bring no types
    """Copies each page into a staging table and upserts from there, then commits."""
    types = ", ".join(f"{name} {kind}" for name, kind in KINDS.items())
    cursor = connection.cursor()
    cursor.execute(f"CREATE TEMP TABLE stage ({types}) ON COMMIT DROP")
    for page in pages:
        with cursor.copy(f"COPY stage ({_COLUMNS}) FROM STDIN") as copy:
            for row in map(_PICK, page):
                copy.write_row(row)
        cursor.execute(f"INSERT INTO {TABLE} ({_COLUMNS}) SELECT {_COLUMNS} FROM stage {_CONFLICT}")  # noqa: S608  names of our own
        cursor.execute("TRUNCATE stage")
    connection.commit()


def opened(spec: Spec) -> tuple[Any, Write]:
    """Returns a connection whose table is there, and what writes through it."""
    if spec.sqlite:
        file = sqlite3.connect(spec.sqlite, isolation_level=None)
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("PRAGMA synchronous=NORMAL")
        file.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({_COLUMNS}, PRIMARY KEY (id))")
        return file, into_sqlite
    server = psycopg.connect(spec.database)
    types = ", ".join(f"{name} {kind}" for name, kind in KINDS.items())
    server.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} ({types}, PRIMARY KEY (id))")
    return server, into_postgres


def work(spec: Spec) -> Told:
    """Moves everything once, then each changed page by itself over what is open already."""
    watch = Watch()
    client = Client(spec.url, spec.prefetch)
    connection, write = opened(spec)
    with closing(connection):
        bodies = fetched(client.get, paths(spec), spec.prefetch)
        write(connection, (orjson.loads(body)["items"] for body in bodies))
        told = watch.told()
        changes = [_change(client, connection, write) for _ in range(spec.changes)]
    return replace(told, changes_s=tuple(changes))


def _change(client: Client, connection: Any, write: Write) -> float:  # noqa: ANN401  either driver's
    watch = Watch()
    write(connection, [orjson.loads(client.get("changed"))["items"]])
    return watch.told().work_s


if __name__ == "__main__":
    perform(work)
