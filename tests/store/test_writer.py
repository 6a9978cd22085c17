"""The writer: one transaction for all that waits, failures alone, nothing lost."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest
import sqlalchemy as sa

from tests.store.held import Held
from worker.model.errors import StoreError, StoreUnreachable
from worker.store import writer as writer_module
from worker.store.database import Database
from worker.store.writer import Ticket, Writer

NOTES = sa.table("notes", sa.column("id", sa.Integer))


@pytest.fixture
def notes(database: Database) -> Callable[[], list[int]]:
    """Makes a table and returns a function that reads what is committed in it."""
    with database.write() as connection:
        connection.execute(sa.text("CREATE TABLE notes (id integer PRIMARY KEY)"))

    def read() -> list[int]:
        with database.read() as connection:
            return list(connection.scalars(sa.select(NOTES.c.id).order_by(NOTES.c.id)))

    return read


def note(number: int) -> Callable[[sa.Connection], int]:
    """Returns an operation that writes a number down, as often as it is run, and returns it."""

    def operation(connection: sa.Connection) -> int:
        known = sa.exists().where(NOTES.c.id == number)
        connection.execute(sa.insert(NOTES).from_select(["id"], sa.select(sa.literal(number)).where(~known)))
        return number

    return operation


class Flaky:
    """A database whose next transactions fail, before the work or after the commit."""

    def __init__(self, database: Database, before: int = 0, after: int = 0) -> None:
        self._database = database
        self.before = before
        self.after = after
        self.transactions = 0

    @contextmanager
    def write(self, *, by_index: bool = False) -> Iterator[sa.Connection]:
        """Opens a transaction, or fails as a database that has gone away would."""
        if self.before:
            self.before -= 1
            raise StoreUnreachable("gone")
        with self._database.write(by_index=by_index) as connection:
            yield connection
        self.transactions += 1
        if self.after:
            self.after -= 1
            raise StoreUnreachable("gone after the commit")


@contextmanager
def started(database: Database | Flaky, told: list[Exception] | None = None) -> Iterator[Writer]:
    """Starts a writer and stops it afterwards."""
    messages: list[Exception] = [] if told is None else told
    writer = Writer(database, messages.append)  # type: ignore[arg-type]  # all it uses is `write`
    writer.start()
    yield writer
    writer.stop()


def test_call_returns_what_is_committed(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """When `call` returns, another connection sees the row."""
    assert writer.call(note(1)) == 1
    assert notes() == [1]


def test_what_waits_shares_one_transaction(database: Database, notes: Callable[[], list[int]]) -> None:
    """A hundred operations that gathered behind a commit need one more commit."""
    flaky = Flaky(database)
    with started(flaky) as writer:
        held = Held(writer)
        tickets = [writer.submit(note(number)) for number in range(100)]
        assert writer.waiting == 101
        held.release()
        assert [ticket.wait(30) for ticket in tickets] == list(range(100))
    assert flaky.transactions == 2
    assert notes() == list(range(100))


def test_a_batch_has_an_end(
    database: Database, notes: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction takes no more than its share, in the order of coming."""
    monkeypatch.setattr(writer_module, "BATCH", 10)
    flaky = Flaky(database)
    with started(flaky) as writer:
        held = Held(writer)
        tickets = [writer.submit(note(number)) for number in range(25)]
        held.release()
        tickets[-1].wait(30)
    assert flaky.transactions == 4
    assert notes() == list(range(25))


def test_one_bad_operation_fails_alone(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """Of a batch with a bad operation the others are stored, and only its own waiter gets the error."""

    def bad(connection: sa.Connection) -> None:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (1)"))

    held = Held(writer)
    first, broken, last = writer.submit(note(1)), writer.submit(bad), writer.submit(note(2))
    held.release()
    assert (first.wait(30), last.wait(30)) == (1, 2)
    with pytest.raises(sa.exc.DBAPIError, match="nowhere"):
        broken.wait(30)
    assert notes() == [1, 2]


def test_even_an_exit_in_an_operation_ends_nothing(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """Whatever an operation raises goes to its waiter; the writer works on."""

    def leave(_connection: sa.Connection) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        writer.call(leave)
    assert writer.call(note(1)) == 1
    assert notes() == [1]


def test_an_outage_delays_and_loses_nothing(database: Database, notes: Callable[[], list[int]]) -> None:
    """While the database is away the writer tells of it, keeps what it has and stores it when it is back."""
    told: list[Exception] = []
    with started(Flaky(database, before=2), told) as writer:
        assert writer.call(note(1)) == 1
    assert notes() == [1]
    assert [str(error) for error in told] == ["gone", "gone"]


def test_an_unknown_commit_is_repeated_without_harm(database: Database, notes: Callable[[], list[int]]) -> None:
    """A commit that was done but reported as lost is asked again; each row is there once."""
    flaky = Flaky(database, after=1)
    with started(flaky) as writer:
        assert writer.call(note(1)) == 1
    assert flaky.transactions == 2
    assert notes() == [1]


def test_who_listens_cannot_stop_the_writing(database: Database, notes: Callable[[], list[int]]) -> None:
    """An on_error that fails itself changes nothing."""

    def complain(error: Exception) -> None:
        raise ValueError(error)

    writer = Writer(Flaky(database, before=1), complain)  # type: ignore[arg-type]  # all it uses is `write`
    writer.start()
    assert writer.call(note(1)) == 1
    writer.stop()
    assert notes() == [1]


def test_stop_stores_what_waits_and_refuses_more(database: Database, notes: Callable[[], list[int]]) -> None:
    """What was handed in before `stop` is on disk after it; what comes later is refused."""
    with started(database) as writer:
        held = Held(writer)
        tickets = [writer.submit(note(number)) for number in range(3)]
        stopping = threading.Thread(target=writer.stop)
        stopping.start()
        held.release()
        stopping.join(30)
        assert all(ticket.done for ticket in tickets)
        with pytest.raises(StoreError, match="after the writer had stopped"):
            writer.submit(note(9))
    assert notes() == [0, 1, 2]


def test_stop_has_an_end_while_the_database_is_away(database: Database) -> None:
    """What cannot be stored within the time of `stop` fails for its waiters, and the thread ends."""
    with started(Flaky(database, before=10**6)) as writer:
        ticket = writer.submit(note(1))
        writer.stop(timeout_s=0.2)
        with pytest.raises(StoreError, match="before this write could be stored"):
            ticket.wait(30)
        assert not writer._thread.is_alive()


def test_a_full_queue_makes_who_submits_wait(
    writer: Writer, notes: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its bound the queue takes nothing more until the writer has taken from it."""
    monkeypatch.setattr(writer_module, "QUEUE", 2)
    held = Held(writer)
    for number in range(2):
        writer.submit(note(number))
    third: list[Ticket[int]] = []
    submitting = threading.Thread(target=lambda: third.append(writer.submit(note(2))))
    submitting.start()
    submitting.join(0.05)
    assert not third
    held.release()
    submitting.join(30)
    assert third[0].wait(30) == 2
    assert notes() == [0, 1, 2]


def test_a_wait_may_end_before_the_write(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """A waiter that gives up gets an error; the write itself goes on, and may be waited for again."""
    held = Held(writer)
    ticket = writer.submit(note(1))
    with pytest.raises(StoreUnreachable, match=r"not stored within 0\.01 s"):
        ticket.wait(0.01)
    held.release()
    assert ticket.wait(30) == 1
    assert ticket.wait(0) == 1
    assert notes() == [1]


def test_many_threads_write_and_wait(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """Ten threads with fifty waited writes each lose none and wait for none forever."""
    begun = time.monotonic()

    def work(start: int) -> None:
        for number in range(start, start + 50):
            writer.submit(note(number)).wait(30)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 500, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert notes() == list(range(500))
    assert time.monotonic() - begun < 30


def _linger(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(writer_module, "LINGER_S", seconds)


def test_what_lingers_goes_once_somebody_waits_for_it(
    writer: Writer, notes: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it may linger: whoever waits is not kept."""
    _linger(monkeypatch, 3600.0)
    first, second = (writer.submit(note(number), lingers=True) for number in (1, 2))
    assert notes() == []
    assert second.wait(30) == 2
    assert first.done
    assert notes() == [1, 2]


def test_what_lingers_goes_with_what_does_not(
    writer: Writer, notes: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which they were handed in, in one transaction."""
    _linger(monkeypatch, 3600.0)
    ticket = writer.submit(note(1), lingers=True)
    writer.call(note(2), 10)
    assert ticket.done
    assert notes() == [1, 2]


def test_what_lingers_goes_by_itself(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """Nobody has to wait for it: another write asked for later finds it done."""
    done = threading.Event()

    def operation(connection: sa.Connection) -> None:
        note(1)(connection)
        done.set()

    writer.submit(operation, lingers=True)
    assert done.wait(30)
    writer.call(note(2), 10)
    assert notes() == [1, 2]


def test_a_stop_takes_along_what_lingers(
    database: Database, notes: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was handed in is lost."""
    _linger(monkeypatch, 3600.0)
    leaving = Writer(database, print)
    leaving.start()
    leaving.submit(note(1), lingers=True)
    leaving.stop()
    assert notes() == [1]


def test_what_lingers_can_be_withdrawn(
    database: Database, writer: Writer, notes: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ticket is then its new owner's to run and to settle; the writer, left with nothing, goes on."""
    _linger(monkeypatch, 3600.0)
    first, second = (writer.submit(note(number), lingers=True) for number in (1, 2))
    assert [first.withdraw(), second.withdraw(), first.withdraw()] == [True, True, False]
    assert writer.call(note(3), 10) == 3
    assert notes() == [3]
    with database.write() as connection:
        first.settle(first.run(connection))
    second.put_back()
    assert (first.wait(0), second.wait(10)) == (1, 2)
    assert notes() == [1, 2, 3]
    assert not second.withdraw()


def test_those_who_wait_for_a_batch_are_told_together(database: Database) -> None:
    """Whoever listens may gather what each of them says."""
    said: list[str] = []

    @contextmanager
    def telling() -> Iterator[None]:
        said.append("begin")
        yield
        said.append("end")

    writer = Writer(database, print, telling)
    for number in (1, 2):
        writer.submit(lambda _: None).then(partial(said.append, str(number)))
    writer.start()
    writer.stop()
    assert said == ["begin", "1", "2", "end"]


def test_a_writer_that_is_hurried_for_what_was_withdrawn_goes_on(
    database: Database, notes: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds nothing to take, and waits for the next."""
    _linger(monkeypatch, 3600.0)
    hurried = Writer(database, print)
    lingers, emptied = threading.Event(), threading.Event()
    has_some, has_to_go = hurried._has_some, hurried._has_to_go

    def look() -> bool:
        found = has_some()
        if lingers.is_set() and not found:
            emptied.set()
        return found

    def go() -> bool:
        lingers.set()
        return has_to_go()

    monkeypatch.setattr(hurried, "_has_some", look)
    monkeypatch.setattr(hurried, "_has_to_go", go)
    hurried.start()
    ticket = hurried.submit(note(1), lingers=True)
    assert lingers.wait(10)
    assert ticket.withdraw()
    hurried.hurry()
    assert emptied.wait(10)
    assert hurried.call(note(2), 10) == 2
    hurried.stop()
    assert notes() == [2]


def test_what_does_not_linger_cannot_be_withdrawn(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """Nor what the writer is at."""
    held = Held(writer)
    ticket = writer.submit(note(1))
    assert not ticket.withdraw()
    assert not held.ticket.withdraw()
    held.release()
    assert ticket.wait(10) == 1
    assert notes() == [1]


def test_a_withdrawn_write_that_comes_back_too_late_fails(database: Database, notes: Callable[[], list[int]]) -> None:
    """Nobody waits for ever on a writer that has stopped."""
    leaving = Writer(database, print)
    ticket = leaving.submit(note(1), lingers=True)
    assert ticket.withdraw()
    leaving.stop()
    ticket.put_back()
    with pytest.raises(StoreError, match="stopped before"):
        ticket.wait(10)
    assert notes() == []


_ASKED: list[list[int]] = []


def note_many(connection: sa.Connection, numbers: Sequence[int]) -> list[int]:
    """Writes many numbers down at once, and notes which came together; 13 is refused."""
    _ASKED.append(list(numbers))
    if 13 in numbers:
        raise ValueError("13 is refused")
    return [note(number)(connection) for number in numbers]


def test_operations_of_a_kind_are_carried_out_together(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """Each has its own result; none passes an operation without a kind that was handed in between."""
    _ASKED.clear()
    held = Held(writer)
    tickets = [writer.submit_one(note_many, number) for number in (1, 2)]
    between = writer.submit(lambda connection: len(_ASKED))
    later = [writer.submit_one(note_many, number) for number in (3, 4)]
    held.release()

    assert [ticket.wait(10.0) for ticket in (*tickets, between, *later)] == [1, 2, 1, 3, 4]
    assert _ASKED == [[1, 2], [3, 4]]
    assert notes() == [1, 2, 3, 4]


def test_one_of_a_kind_that_fails_fails_alone(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """The others, which were carried out with it at first, are written nevertheless."""
    held = Held(writer)
    tickets = {number: writer.submit_one(note_many, number) for number in (11, 12, 13, 14)}
    held.release()

    with pytest.raises(ValueError, match="refused"):
        tickets.pop(13).wait(10.0)
    assert [ticket.wait(10.0) for ticket in tickets.values()] == [11, 12, 14]
    assert notes() == [11, 12, 14]


def test_who_does_not_wait_is_told_once_it_is_committed(writer: Writer, notes: Callable[[], list[int]]) -> None:
    """Also where the write had been committed before; one who raises ends nothing."""
    told: list[list[int]] = []
    ticket = writer.submit(note(1))
    ticket.then(lambda: 1 / 0)
    ticket.then(lambda: told.append(notes()))
    writer.call(lambda _connection: None, 10.0)

    ticket.then(lambda: told.append([]))

    assert told == [[1], []]
