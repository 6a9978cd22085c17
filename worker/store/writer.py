"""One thread that commits what many threads write, all that waits in one transaction: group commit.

While one batch is being committed, the next one gathers. What nobody waits for may linger a little for company: a
commit costs as much processor time as many rows.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

from worker.model.errors import StoreError, StoreUnreachable
from worker.store.database import Database

T = TypeVar("T")
Item = TypeVar("Item")
Kind = Callable[[sa.Connection, Sequence[Item]], Sequence[T]]
"""Carries out many operations at once; returns their results in order. A module's function, never a new one."""

BATCH = 1000  # operations in one transaction
QUEUE = 10_000  # operations that may wait before `submit` does
LINGER_S = 0.02  # how long a write that nobody waits for may wait for others
FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 5.0
_STOPPED = "The writer stopped before this write could be stored."


class Ticket(Generic[T]):
    """A write that was handed in: acknowledged once it is on disk, or failed for good."""

    __slots__ = ("_error", "_result", "_told", "_writer", "done", "item", "kind")

    def __init__(self, kind: Kind[Any, T], item: object, writer: "Writer | None") -> None:
        self.done = False
        self.kind, self.item = kind, item
        self._writer = writer  # of a write that lingers
        self._told: list[Callable[[], object]] = []  # to be called once settled
        self._result: T | None = None
        self._error: BaseException | None = None

    def wait(self, timeout_s: float | None = None) -> T:
        """Returns what the operation returned, once committed.

        Raises what the operation raised, or StoreUnreachable after `timeout_s`; it is then still being tried.
        """
        if not self.done:
            self._wait(timeout_s)
        if self._error is not None:
            raise self._error
        return cast("T", self._result)

    def _wait(self, timeout_s: float | None) -> None:
        gate = threading.Lock()
        gate.acquire()
        self._told.append(gate.release)  # before asking again: whoever settles sets `done`, then tells
        if self._writer is not None:
            self._writer.hurry()
        if not self.done and not gate.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise StoreUnreachable(f"A write was not stored within {timeout_s:g} s; it is still being tried.")

    def then(self, tell: Callable[[], object]) -> None:
        """Has `tell` called once the write is settled, by whoever settles it: it must be quick and must not wait."""
        self._told.append(tell)
        if self._writer is not None:
            self._writer.hurry()
        if self.done:
            self._tell()

    def run(self, connection: sa.Connection) -> T:
        """Returns what the operation returns on this connection; nothing is acknowledged yet."""
        return self.kind(connection, [self.item])[0]

    def withdraw(self) -> bool:
        """Takes a write that lingers from its writer, for the caller to `run` it and to `settle` it or `put_back`.

        Returns whether it is the caller's now: not where the writer is at it, or somebody else.
        """
        return self._writer is not None and self._writer.withdraw(self)

    def put_back(self) -> None:
        """Leaves a write that was withdrawn to its writer again."""
        if self._writer is not None:
            self._writer.put_back(self)

    def settle(self, result: T | None, error: BaseException | None = None) -> None:
        """Lets every waiter go, with a result or with an error; only the first call counts.

        Whoever has committed what `run` did may say so before the writer comes to it, which then passes it over.
        """
        if self.done:
            return
        self._result, self._error = result, error
        self.done = True
        self._tell()

    def _tell(self) -> None:
        while self._told:
            try:
                self._told.pop()()
            except IndexError:  # another thread tells too, and took the last one
                return
            except Exception:  # who listens must not end the writing
                logging.getLogger(__name__).exception("who waited for a write failed")


def _singly(connection: sa.Connection, operations: Sequence[Callable[[sa.Connection], T]]) -> list[T]:
    """The kind of all operations that are functions of a connection."""
    return [operation(connection) for operation in operations]


def _carried_out(connection: sa.Connection, batch: Sequence[Ticket[Any]]) -> list[Any]:
    """Returns the results of a batch; operations of a kind are gathered, but none passes one that has no kind."""
    results: list[Any] = [None] * len(batch)
    for _, stretch in groupby(range(len(batch)), lambda place: batch[place].kind is _singly):
        gathered: dict[Kind[Any, Any], list[int]] = {}
        for place in stretch:
            gathered.setdefault(batch[place].kind, []).append(place)
        for kind, places in gathered.items():
            found = kind(connection, [batch[place].item for place in places])
            for place, result in zip(places, found, strict=True):
                results[place] = result
    return results


class Writer:
    """Commits operations in the order they were handed in; each is a function of a connection, or of a kind.

    Those of a kind that wait between two functions are carried out together, each kind once. An operation must be
    idempotent, carrying its own keys: after a commit whose outcome is unknown it is run again. One that raises fails
    alone. While the database is out of reach the batch is kept and tried again; `on_error` is told each time, in the
    writer's thread. Those that wait for a batch are told within `telling`.
    """

    def __init__(
        self,
        database: Database,
        on_error: Callable[[Exception], None],
        telling: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._database = database
        self._on_error, self._telling = on_error, telling
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._drained = threading.Condition(self._lock)
        self._queue: deque[Ticket[Any]] = deque()
        self._batch: list[Ticket[Any]] = []
        self._hurried = False  # somebody waits for what is in the queue
        self._stopping = threading.Event()
        self._give_up_at = float("inf")  # time.monotonic(), once stopping
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)

    @property
    def waiting(self) -> int:
        """How many operations are not acknowledged yet."""
        return len(self._queue) + len(self._batch)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def submit(self, operation: Callable[[sa.Connection], T], *, lingers: bool = False) -> Ticket[T]:
        """Hands an operation in and returns its ticket; waits while the queue is full.

        One that `lingers` is committed with the next that does not, once somebody waits for its ticket, or after
        LINGER_S. Raises StoreError after `stop`.
        """
        return self._hand_in(Ticket(_singly, operation, self if lingers else None), lingers=lingers)

    def submit_one(self, kind: Kind[Item, T], item: Item) -> Ticket[T]:
        """Hands in an operation of a kind that carries out all that wait together at once; see `submit`."""
        return self._hand_in(Ticket(kind, item, None), lingers=False)

    def _hand_in(self, ticket: Ticket[T], *, lingers: bool) -> Ticket[T]:
        with self._lock:
            ours = threading.get_ident() == self._thread.ident  # the writer cannot wait for itself
            while len(self._queue) >= QUEUE and not ours and not self._stopping.is_set():
                self._drained.wait()
            if self._stopping.is_set():
                raise StoreError("A write came after the writer had stopped; the daemon is leaving.")
            self._queue.append(ticket)
            self._hurried = self._hurried or not lingers
            if self._hurried or len(self._queue) == 1:
                self._filled.notify()
        return ticket

    def hurry(self) -> None:
        """Commits what lingers now: somebody waits for it."""
        with self._lock:
            self._hurried = True
            self._filled.notify()

    def withdraw(self, ticket: Ticket[Any]) -> bool:
        """Gives a write up that was not begun; returns whether it was still there."""
        with self._lock:
            try:
                self._queue.remove(ticket)
            except ValueError:
                return False
            self._drained.notify_all()
            return True

    def put_back(self, ticket: Ticket[Any]) -> None:
        """Takes a write that was withdrawn, before all others and at once: somebody may wait for it."""
        with self._lock:
            if not self._stopping.is_set():
                self._queue.appendleft(ticket)
                self._hurried = True
                self._filled.notify()
                return
        ticket.settle(None, StoreError(_STOPPED))

    def call(self, operation: Callable[[sa.Connection], T], timeout_s: float | None = None) -> T:
        """Hands an operation in and returns its result once committed.

        Raises what the operation raised, or StoreUnreachable after `timeout_s`; it is then still being tried.
        """
        return self.submit(operation).wait(timeout_s)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Commits what waits, and fails with StoreError what could not be committed within `timeout_s`."""
        with self._lock:
            self._give_up_at = time.monotonic() + timeout_s
            self._stopping.set()
            self._filled.notify_all()
            self._drained.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s + 1.0)
        left = StoreError(_STOPPED)
        for ticket in (*self._batch, *self._queue):
            ticket.settle(None, left)

    def _work(self) -> None:
        while batch := self._take():
            if not self._commit_in_time(batch):
                return

    def _take(self) -> list[Ticket[Any]]:
        """Waits for operations and returns what waits, up to a batch; nothing once stopped and empty."""
        with self._lock:
            self._batch = []
            self._await_some()
            self._batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            self._hurried = bool(self._queue)  # what a full batch left behind has waited already
            self._drained.notify_all()
            return self._batch

    def _await_some(self) -> None:
        while True:
            self._filled.wait_for(self._has_some)
            self._filled.wait_for(self._has_to_go, LINGER_S)
            if self._has_some():  # it may have been withdrawn meanwhile
                return

    def _has_some(self) -> bool:
        return bool(self._queue) or self._stopping.is_set()

    def _has_to_go(self) -> bool:
        return self._hurried or self._stopping.is_set() or len(self._queue) >= BATCH

    def _commit_in_time(self, batch: Sequence[Ticket[Any]]) -> bool:
        """Commits the batch, however often that takes; False where it ran out of time while stopping."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self._commit([ticket for ticket in batch if not ticket.done])
                return True
            except StoreUnreachable as error:
                self._tell(error)
            if time.monotonic() + pause_s > self._give_up_at:
                return False
            if self._stopping.is_set():
                time.sleep(pause_s)
            else:
                self._stopping.wait(pause_s)  # a stop is no reason to wait out a long pause
            pause_s = min(pause_s * 2, LAST_PAUSE_S)

    def _commit(self, batch: Sequence[Ticket[Any]]) -> None:
        """Runs a batch in one transaction; one that fails is halved until the bad operation stands alone.

        Raises StoreUnreachable.
        """
        if not batch:  # all of it was committed elsewhere meanwhile
            return
        try:
            with self._database.write(by_index=True) as connection:
                results = _carried_out(connection, batch)
        except StoreUnreachable:
            raise
        except BaseException as error:  # noqa: BLE001  whatever an operation raises belongs to whoever waits for it
            if len(batch) == 1:
                batch[0].settle(None, error)
                return
            half = len(batch) // 2
            self._commit(batch[:half])
            self._commit(batch[half:])
            return
        with self._telling():
            for ticket, result in zip(batch, results, strict=True):
                ticket.settle(result)

    def _tell(self, error: Exception) -> None:
        try:
            self._on_error(error)
        except Exception:  # who listens must not end the writing
            logging.getLogger(__name__).exception("on_error failed")
