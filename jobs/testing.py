"""A context for tests of one's own jobs: scripted answers, a real SQLite in memory, everything recorded.

with MemoryContext(answers=[[{"id": 1}]]) as context:
    Sync(options).run(context)
assert context.rows("orders") == ...
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock, RLock
from typing import Any, Self
from urllib.parse import urlencode

import orjson
import sqlalchemy as sa

from jobs.contract import Answer, Counts, Cursor, Delivery, GiveUp, Interrupted, Json, Kept, RejectLimit, Unit, Window

BASE_URL = "https://api.test"


@dataclass(frozen=True)
class Request:
    """A request that a job made; `path` as the job gave it."""

    account: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)
    act_for: Mapping[str, str] = field(default_factory=dict)
    reads: bool = False

    @property
    def url(self) -> str:
        """Where the request goes, its parameters included."""
        url = self.path if "://" in self.path else f"{BASE_URL}/{self.path.lstrip('/')}"
        return f"{url}?{urlencode(self.params)}" if self.params else url


Reply = Answer | Exception | Json
"""An answer, an error to be raised, or a document that comes with status 200."""


def answer(document: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Returns an answer whose body is this document as JSON."""
    return Answer(status, {"content-type": "application/json"} | dict(headers or {}), orjson.dumps(document), BASE_URL)


@dataclass
class MemoryUnit:
    """One transaction of a MemoryContext; rejects, cursors and counts are taken over when it commits."""

    connection: sa.Connection
    cursors: dict[str, Cursor]
    counts: Counts
    rejects: list[tuple[Json, str]] = field(default_factory=list)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    keys: dict[str, str | None] = field(default_factory=dict)  # of rejects, by their records' texts
    run_id: int = 1

    def reject(self, record: Json, reason: str, key: str | None = None) -> None:
        """Keeps a record that could not be stored, with the reason."""
        self.settle([key] if key is not None else [])
        self.rejects.append((record, reason))
        self.keys[repr(record)] = key
        self.counts.rejected += 1

    def settle(self, keys: Sequence[str]) -> None:
        """Removes rejects by the keys of their records."""
        self.rejects = [kept for kept in self.rejects if self.keys.get(repr(kept[0])) not in keys]

    def advance(self, value: Json, name: str = "") -> None:
        """Moves a cursor."""
        self.cursors[name] = Cursor(value, self.cursors.get(name, Cursor()).version + 1)

    def count(self, *, read: int = 0, written: int = 0, unchanged: int = 0, deleted: int = 0, pages: int = 0) -> None:
        """Adds to the counts."""
        self.counts.pages += pages
        self.counts.read += read
        self.counts.written += written
        self.counts.unchanged += unchanged
        self.counts.deleted += deleted

    def forget(self, hashes: Sequence[str]) -> None:
        """Removes rejects by the texts of their records."""
        self.rejects = [kept for kept in self.rejects if repr(kept[0]) not in hashes]

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Remembers what became of rows that were sent."""
        self.deliveries |= {
            delivery.key: replace(delivery, run_id=delivery.run_id or self.run_id) for delivery in deliveries
        }


def _whole_day() -> Window:
    return Window(None, datetime(2100, 1, 1, tzinfo=UTC))


class _Undone(Exception):
    """Takes a transaction back."""


@dataclass
class MemoryContext:
    """A Context that needs no worker: give it answers, run a job with it, look at what became of them.

    `answers` is a list, used up one a request, or a function from request to reply: where pages fly side by side (an
    offset with a total, and prefetch of two or more) only a function knows which one is asked for. `write` opens a
    transaction on a database of one's own in place of the one in memory. `interrupt_after` makes `check` raise after
    so many checks.
    """

    answers: Sequence[Reply] | Callable[[Request], Reply] = ()
    job: str = "job"
    run_id: int = 1
    attempt: int = 1
    window: Window = field(default_factory=_whole_day)
    params: Mapping[str, Json] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    max_rejects: RejectLimit = field(default_factory=lambda: RejectLimit(share=0.01))
    cursors: dict[str, Cursor] = field(default_factory=dict)
    write: Callable[[], AbstractContextManager[sa.Connection]] | None = None
    interrupt_after: int | None = None
    requests: list[Request] = field(default_factory=list)
    rejects: list[tuple[Json, str]] = field(default_factory=list)
    sent: dict[str, Delivery] = field(default_factory=dict)
    keys: dict[str, str | None] = field(default_factory=dict)
    said: list[tuple[str, str, dict[str, Json]]] = field(default_factory=list)
    checks: int = 0
    dry: bool = False

    def __post_init__(self) -> None:
        self.engine, self._driver = _memory()
        self._used = 0
        self._lock = Lock()
        self._turn = RLock()  # over the one connection of the database in memory

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def api(self, account: str) -> "MemoryApi":
        """Returns an API that answers from the script."""
        return MemoryApi(self, account)

    @property
    def log(self) -> "MemoryLog":
        """Where what the job says is kept."""
        return MemoryLog(self.said)

    def cursor(self, name: str = "", database: str | None = None) -> Cursor:  # noqa: ARG002 - there is one database here
        """Returns a cursor as last committed; raises GiveUp where the window is given, as the worker does."""
        if self.window.given:
            raise GiveUp("a run over a given window reads no cursor")
        return self.cursors.get(name, Cursor())

    @contextmanager
    def read(self, database: str | None = None) -> Iterator[sa.Connection]:  # noqa: ARG002 - there is one database here
        """Opens a transaction; of the database in memory, on a copy of it as it stands."""
        if self.write is not None:
            with self.write() as connection:
                yield connection
            return
        engine, driver = _memory()
        with self._turn:
            self._driver.backup(driver)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def kept(self) -> Iterator[Kept]:
        """Yields the rejects; a record's text is its hash."""
        yield from [Kept(repr(record), reason, record) for record, reason in self.rejects]

    def rejected(self) -> set[str]:
        """Returns the keys of the rejects."""
        found = (self.keys.get(repr(record)) for record, _ in self.rejects)
        return {key for key in found if key is not None}

    def deliveries(self, keys: Sequence[str]) -> dict[str, Delivery]:
        """Returns what is remembered of these keys' rows."""
        return {key: self.sent[key] for key in keys if key in self.sent}

    @contextmanager
    def unit(self, database: str | None = None, upto_call: int | None = None) -> Iterator[Unit]:  # noqa: ARG002 - there is one database here, and no trail
        """Opens one transaction; an error inside it leaves nothing behind, and `dry` but counts and new rejects."""
        with self._turn, suppress(_Undone), (self.write or self.engine.begin)() as connection:
            kept = list(self.rejects), dict(self.sent), self.keys
            unit = MemoryUnit(connection, dict(self.cursors), copy(self.counts), *kept, self.run_id)
            yield unit
            if self.dry:
                raise _Undone
        self.counts = unit.counts
        self.rejects = list({repr(record): (record, reason) for record, reason in unit.rejects}.values())
        if not self.dry:
            self.cursors, self.sent = unit.cursors, unit.deliveries

    def expect(self, total: int) -> None:
        """Takes note of how many records the run will read."""
        self.counts.expected = total

    def check(self) -> None:
        """Raises Interrupted when the test asked for it."""
        self.checks += 1
        if self.interrupt_after is not None and self.checks > self.interrupt_after:
            raise Interrupted("the test interrupts the run here")

    def ask(self, request: Request) -> Answer:
        """Records a request and returns what the script answers; raises the error that it holds instead."""
        with self._lock:
            self.requests.append(request)
            scripted = None if callable(self.answers) else self._next(self.answers, request)
        reply = self.answers(request) if callable(self.answers) else scripted
        if isinstance(reply, Exception):
            raise reply
        return replace(reply if isinstance(reply, Answer) else answer(reply), url=request.url, method=request.method)

    def _next(self, replies: Sequence[Reply], request: Request) -> Reply:
        if self._used == len(replies):
            raise AssertionError(f"the script holds no answer for the request to {request.url}")
        self._used += 1
        return replies[self._used - 1]

    def rows(self, table: str, order_by: str = "1") -> list[dict[str, Any]]:
        """Returns the rows of a table, without the system's columns."""
        with (self.write or self.engine.begin)() as connection:
            found = connection.execute(sa.select(sa.text("*")).select_from(sa.table(table)).order_by(sa.text(order_by)))
            return [
                {name: value for name, value in row.items() if name not in ("_run_id", "_synced_at", "_version")}
                for row in found.mappings()
            ]


@dataclass(frozen=True)
class MemoryLog:
    """Keeps what a job says: level, text, facts."""

    said: list[tuple[str, str, dict[str, Json]]]

    def info(self, text: str, **facts: Json) -> None:
        """Keeps a line of the level info."""
        self.said.append(("info", text, facts))

    def warning(self, text: str, **facts: Json) -> None:
        """Keeps a line of the level warning."""
        self.said.append(("warning", text, facts))


@dataclass(frozen=True)
class MemoryApi:
    """An account's API that answers from its context's script."""

    context: MemoryContext
    account: str
    base_url: str = BASE_URL

    def request(  # noqa: PLR0913  the parts of a request, by name
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        act_for: Mapping[str, str] | None = None,
        reads: bool = False,
    ) -> Answer:
        """Returns the script's answer."""
        texts = dict(params or {}), dict(headers or {}), dict(act_for or {})
        return self.context.ask(Request(self.account, method, path, texts[0], json, *texts[1:], reads=reads))


def _memory() -> tuple[sa.Engine, sqlite3.Connection]:
    """Returns an engine whose transactions cover DDL too, which sqlite3's own BEGIN leaves out; and its connection."""
    driver = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, creator=lambda: driver)
    engine.connect().close()  # now the engine owns the connection, and closes it

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine, driver
