"""What a call brought is never found without the call's row: units and the trail."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast

import pytest
import sqlalchemy as sa

from jobs.contract import Context
from tests.calls.asking import Asker
from tests.runs.bench import Bench as Jobs
from tests.runs.bench import Make, definition
from tests.store.held import Held
from tests.wire.farend import Bench, FarEnd, answer
from worker.calls.session import BoundApi
from worker.config.configuration import JobDefinition
from worker.store import calls
from worker.store.database import Database
from worker.store.writer import Ticket, Writer


class Undone(Exception):
    """A unit ends without a commit."""


@contextmanager
def account(database: Database, writer: Writer, make: Make) -> Iterator[Make]:
    """Lets the benches that are made call two accounts, whose trail is one and goes through this writer."""
    wire = Bench(database, writer)
    with FarEnd(answer(b"[]")) as far:
        accounts = {name: Asker(wire).api(far.url)._api for name in ("tangoe", "other")}

        def made(job: JobDefinition, act: Callable[[Context], None]) -> Jobs:
            bench = make(job, act=act)
            bench.accounts |= accounts
            return bench

        yield made
    wire.close()


def read(make: Make, act: Callable[[Context], None], ends: str = "succeeded") -> None:
    """Runs a job once that does this, and expects the state that its run is in afterwards."""
    bench = make(definition("reader"), act=act)
    bench.fire("reader", 0)
    bench.execute_all()
    assert bench.states("reader") == [ends]


def stored(database: Database) -> set[int]:
    """Returns the ids of the calls whose outcome is committed."""
    with database.read() as connection:
        return {call.id for call in calls.listing(connection) if call.status == 200}


def test_a_unit_carries_the_rows_of_its_calls(database: Database, make_bench: Make) -> None:
    """They are committed with the unit, without the writer; with one that is undone they are left to it again."""
    trail = Writer(database, print)  # not started before the end
    seen = list[set[int]]()

    def act(context: Context) -> None:
        api = context.api("tangoe")
        asked = {api.request("GET", "x").call_id, api.request("GET", "y").call_id}
        with suppress(Undone), context.unit() as unit:
            unit.count(read=1)
            raise Undone
        seen.append(stored(database))
        with context.unit() as unit:
            unit.count(read=1)
        seen.append(stored(database) ^ asked)
        trail.start()
        asked.add(api.request("GET", "z").call_id)
        trail.call(lambda _: None)
        seen.append(stored(database) ^ asked)

    with account(database, trail, make_bench) as make:
        read(make, act)
    trail.stop()
    assert seen == [set(), set(), set()]


def test_a_unit_carries_the_rows_of_all_its_accounts(database: Database, make_bench: Make) -> None:
    """Rows that gather together share a ticket, which must not be waited for by the unit that carries it."""
    trail = Writer(database, print)  # not started: who waited for it would wait in vain
    asked = set[int]()

    def act(context: Context) -> None:
        asked.update(context.api(name).request("GET", "x").call_id for name in ("tangoe", "other", "tangoe"))
        [ticket] = cast("BoundApi", context.api("tangoe")).held()
        with context.unit() as unit:
            unit.count(read=1)
        assert ticket.done  # or others whose rows it holds too would wait for ever

    with account(database, trail, make_bench) as make:
        read(make, act)
    assert stored(database) == asked
    assert len(asked) == 3
    trail.stop()


def test_a_unit_that_fails_leaves_the_rows_of_its_calls_to_the_writer(database: Database, make_bench: Make) -> None:
    """What was withdrawn from the writer for the unit comes back to it."""
    trail = Writer(database, print)
    asked = set[int]()

    def act(context: Context) -> None:
        asked.add(context.api("tangoe").request("GET", "x").call_id)
        with context.unit() as unit:
            unit.advance({"no": {"json": object()}})  # refused after the rows of calls

    with account(database, trail, make_bench) as make:
        read(make, act, ends="queued")  # to be tried again
        assert stored(database) == set()
        trail.start()
        trail.call(lambda _: None)
    trail.stop()
    assert stored(database) == asked


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.postgres
def test_a_unit_waits_for_what_the_writer_is_at(database: Database, make_bench: Make, *, tells: bool) -> None:
    """As far as it rests on those calls: it names the last one, or means all so far."""
    trail = Writer(database, print)
    trail.start()
    seen = list[tuple[bool, bool]]()
    within, release = threading.Event(), threading.Event()

    def hold(_connection: sa.Connection) -> None:
        within.set()
        assert release.wait(30.0)

    def act(context: Context) -> None:
        api = context.api("tangoe")
        first = api.request("GET", "x").call_id
        trail.call(lambda _: None)
        held = Held(trail)
        second = api.request("GET", "y").call_id
        trail.submit(hold)  # in one transaction with the row
        held.release()
        assert within.wait(30.0)
        for upto, waits in ((first, False), (second if tells else None, True)):
            if waits:
                threading.Timer(0.05, release.set).start()
            with context.unit(None, upto) as unit:
                unit.count(read=1)
            seen.append((release.is_set(), second in stored(database)))

    with account(database, trail, make_bench) as make:
        read(make, act)
    trail.stop()
    assert seen == [(False, False), (True, True)]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.postgres
def test_a_unit_keeps_no_row_from_others_while_it_waits(
    database: Database, make_bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two units that each carry what the other rests on would wait for one another."""
    trail = Writer(database, print)
    asked = list[int]()

    def put_back(ticket: Ticket[None]) -> None:
        Writer.put_back(trail, ticket)
        trail.start()  # only now: what is not put back is never stored

    def act(context: Context) -> None:
        api = cast("BoundApi", context.api("tangoe"))
        asked.append(api.request("GET", "x").call_id)
        [first] = api.held()
        with suppress(Undone), database.write() as connection:
            first.run(connection)  # so that the next call's row is another ticket's
            raise Undone
        asked.append(api.request("GET", "y").call_id)
        _, second = api.held()
        assert second.withdraw()  # as another unit does, which waits for the first
        first.then(lambda: carry_out(second))
        monkeypatch.setattr(trail, "put_back", put_back)
        with context.unit() as unit:
            unit.count(read=1)

    def carry_out(ticket: Ticket[None]) -> None:
        with database.write() as connection:
            ticket.run(connection)
        ticket.settle(None)

    with account(database, trail, make_bench) as make:
        read(make, act)
    trail.stop()
    assert stored(database) == set(asked)
