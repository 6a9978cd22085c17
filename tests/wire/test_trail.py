"""No effect without its record."""

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.wire.farend import LIMITS, READ, Bench, FarEnd, answer, closed_port, get
from worker.model.errors import CallUnsent, StoreError, StoreUnreachable
from worker.model.listening import Event, Events
from worker.model.records import Call, Purpose
from worker.store import calls
from worker.store.database import Database
from worker.store.writer import Writer
from worker.wire.line import Line
from worker.wire.outgoing import About, Outgoing
from worker.wire.trail import Trail

TOKEN = About("tangoe", Purpose.TOKEN)


def seen(database: Database) -> list[Call]:
    """Returns the rows that are committed now."""
    with database.read() as connection:
        return calls.listing(connection)


@pytest.mark.parametrize(
    ("method", "about"),
    [
        ("POST", READ),
        ("PUT", READ),
        ("PATCH", READ),
        ("DELETE", READ),
        ("GET", TOKEN),
        ("GET", About("tangoe", Purpose.REFRESH)),
        ("GET", About("tangoe", Purpose.READ, durable=True)),
    ],
)
def test_row_is_committed_before_an_effect(bench: Bench, method: str, about: About) -> None:
    """When the far end sees the request, its row is there already, still open."""
    found: list[Call] = []

    def look(connection: object, _: object) -> bool:
        found.extend(seen(bench.database))
        return False

    with FarEnd(look) as far, pytest.raises(Exception, match="without an answer"):
        bench.line(far.url).send(Outgoing(method, far.url), about)
    assert [(row.method, row.ms, row.error) for row in found] == [(method, None, None)]


def test_nothing_with_an_effect_is_sent_while_the_store_is_down(bench: Bench, database: Database) -> None:
    """Without its row a token request does not leave; the error says why, and the row comes later, closed."""
    release = threading.Event()
    stuck = bench.writer.submit(lambda _: release.wait(30.0))
    with FarEnd(answer()) as far:
        line = bench.line(far.url, limits=replace(LIMITS, deadline_s=0.2))
        with pytest.raises(StoreUnreachable, match="no call is made without its record"):
            line.send(Outgoing("POST", far.url), TOKEN)
        assert not far.requests
    release.set()
    stuck.wait(5.0)
    (row,) = bench.rows()
    assert (row.status, row.ms) == (None, 0.0)
    assert "not sent" in str(row.error)


def test_read_does_not_wait_for_the_store(bench: Bench) -> None:
    """A read goes on while the writer is busy; its ticket is done once its row is there."""
    release = threading.Event()
    bench.writer.submit(lambda _: release.wait(30.0))
    with FarEnd(answer()) as far:
        reply = bench.line(far.url).send(get(far.url), READ)
    assert not reply.ticket.done
    with pytest.raises(StoreUnreachable):
        reply.ticket.wait(0.01)
    release.set()
    reply.ticket.wait(5.0)
    assert [row.id for row in seen(bench.database)] == [reply.call_id]


def test_calls_gather_while_the_writer_is_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred calls behind one commit cost one statement, and each has its finished row."""
    release = threading.Event()
    bench.writer.submit(lambda _: release.wait(30.0))
    sizes: list[int] = []
    record = calls.record

    def count(connection: sa.Connection, rows: list[Call]) -> None:
        sizes.append(len(rows))
        record(connection, rows)

    monkeypatch.setattr(calls, "record", count)
    with FarEnd(answer()) as far:
        line = bench.line(far.url)
        replies = [line.send(get(far.url), READ) for _ in range(100)]
    release.set()
    for reply in replies:
        reply.ticket.wait(5.0)
    assert sizes == [100]
    assert {row.status for row in bench.rows()} == {200}


def test_failed_write_fails_the_ticket(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a row learns that it could not be stored; the next calls are not harmed."""

    def fail(connection: sa.Connection, rows: list[Call]) -> None:
        raise StoreError("no")

    with FarEnd(answer()) as far:
        line = bench.line(far.url)
        with monkeypatch.context() as patched:
            patched.setattr(calls, "record", fail)
            reply = line.send(get(far.url), READ)
            with pytest.raises(StoreError, match="no"):
                reply.ticket.wait(5.0)
        line.send(get(far.url), READ).ticket.wait(5.0)
    assert len(bench.rows()) == 1


def test_failing_listener_harms_no_call(database: Database, writer: Writer) -> None:
    """The log may fail, the call may not."""
    events = Events()

    def fail(_: Event) -> None:
        raise RuntimeError("log is full")

    events.listen(fail)
    with FarEnd(answer()) as far:
        line = Line(frozenset({far.url}), LIMITS, Trail(writer, events))
        assert line.send(get(far.url), READ).answer.status == 200
        line.close()


def test_event_tells_of_a_failure(bench: Bench) -> None:
    """A call that failed is told like any other, with its error and its time."""
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(CallUnsent) as caught:
        bench.line(url).send(get(url), READ)
    (told,) = bench.told
    assert (told.call, told.error, told.status) == (caught.value.call_id, str(caught.value), None)
    assert told.ms is not None
