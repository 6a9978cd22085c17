"""Eviction: what a dead node was writing is rolled back, wherever it stopped; all others' transactions go on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Server
from worker.model.errors import StoreUnreachable
from worker.model.events import TransactionsEnded
from worker.model.listening import Event, Events
from worker.model.moments import new_id, utc_now
from worker.model.records import Node
from worker.runs.eviction import Eviction
from worker.store import nodes
from worker.store.database import Database, open_database
from worker.store.postgres import POOL_OVERFLOW, POOL_SIZE, Holder

_LOOK = sa.text("SELECT 1")
_LOCK = sa.text("LOCK TABLE jobs")
Stop = Callable[[sa.Connection], AbstractContextManager[None]]


@pytest.fixture
def opened(postgres_server: Server) -> Iterator[Callable[[], Database]]:
    """Opens one database with the schema in place, again and again, as the processes of several nodes would."""
    url = postgres_server.database_url(migrated=True)
    with ExitStack() as stack:
        stack.callback(postgres_server.drop, url)

        def database() -> Database:
            found = open_database(url)
            stack.callback(found.close)
            return found

        yield database


def _register(database: Database, silent_for_s: float, *, left: bool = False) -> Node:
    """Adds a node whose heart beat so long ago, with a lease of 30 s."""
    node = Node(new_id(), "there", 1, "boot", utc_now(), utc_now(), lease_s=30)
    with database.write() as connection:
        nodes.register(connection, node)
        nodes.beat(connection, node.id, database.lease_now(connection) - timedelta(seconds=silent_for_s))
        if left:
            nodes.stop(connection, node.id, utc_now())
    return node


def _evict(database: Database, me: Node | None = None) -> list[Event]:
    heard: list[Event] = []
    events = Events()
    events.listen(heard.append)
    eviction = Eviction(me or _register(database, 0.0), database, events, print)
    eviction.once()
    eviction.stop(0.0)
    return heard


@contextmanager
def _in_mid_copy(connection: sa.Connection) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy("COPY boots FROM STDIN") as copy:
        copy.write("half a row")
        yield


@contextmanager
def _between_statements(connection: sa.Connection) -> Iterator[None]:
    connection.execute(_LOOK)
    yield


@pytest.mark.parametrize("where", [_between_statements, _in_mid_copy])
def test_a_dead_nodes_transaction_is_rolled_back(opened: Callable[[], Database], where: Stop) -> None:
    """Its locks are free at once; when it goes on, it finds that out as trouble that passes."""
    living, dead = opened(), opened()
    dead.holder = Holder(_register(living, 31.0).id, 3600.0)

    def meanwhile() -> None:
        assert _evict(living) == [TransactionsEnded(1)]
        with living.write() as connection:
            connection.execute(_LOCK)

    with pytest.raises(StoreUnreachable):
        _write(dead, where, meanwhile)


def _write(database: Database, where: Stop, meanwhile: Callable[[], None]) -> None:
    with database.write() as connection:
        connection.execute(_LOCK)
        with where(connection):
            meanwhile()
        connection.execute(_LOOK)


@pytest.mark.parametrize(("silent_for_s", "left"), [(20.0, False), (31.0, True)])
def test_who_lives_or_left_goes_on(opened: Callable[[], Database], silent_for_s: float, *, left: bool) -> None:
    """A node within its lease, and one that said it left, are none of the dead."""
    looking, other = opened(), opened()
    other.holder = Holder(_register(looking, silent_for_s, left=left).id, 3600.0)
    with other.write() as connection:
        connection.execute(_LOOK)
        assert _evict(looking) == []
        connection.execute(_LOOK)


def test_nobody_ends_what_is_its_own_or_nobodys(opened: Callable[[], Database]) -> None:
    """Whose own heart could not beat goes on, and so do tools that write under no node's name."""
    mine, tool = opened(), opened()
    me = _register(mine, 31.0)
    mine.holder = Holder(me.id, 3600.0)
    with mine.write() as connection, tool.write() as other:
        assert _evict(mine, me) == []
        connection.execute(_LOOK)
        other.execute(_LOOK)


def test_jobs_that_hold_every_connection_do_not_keep_it_out(opened: Callable[[], Database]) -> None:
    """They may all be waiting for what the dead node holds."""
    living, dead = opened(), opened()
    dead.holder = Holder(_register(living, 31.0).id, 3600.0)
    me, told = _register(living, 0.0), list[Event]()
    with ExitStack() as stack:
        for _ in range(POOL_SIZE + POOL_OVERFLOW):
            stack.enter_context(living.engine.connect())
        with pytest.raises(StoreUnreachable):
            _write(dead, _between_statements, lambda: told.extend(_evict(living, me)))
    assert told == [TransactionsEnded(1)]


def test_a_role_that_was_set_does_not_keep_it_out(opened: Callable[[], Database]) -> None:
    """It might lack the right to end sessions of the role that logged in, which itself has it."""
    living, dead = opened(), opened()
    node = _register(living, 31.0)
    dead.holder = Holder(node.id, 3600.0)
    with living.write() as connection:
        connection.execute(sa.text("CREATE ROLE lesser"))
    ended = list[int]()

    def end() -> None:
        with living.read() as connection:
            connection.execute(sa.text("SET LOCAL ROLE lesser"))
            ended.append(living.end_transactions(connection, [node.id]))

    with pytest.raises(StoreUnreachable):
        _write(dead, _between_statements, end)
    with living.write() as connection:
        connection.execute(sa.text("DROP ROLE lesser"))
    assert ended == [1]


def test_a_name_is_the_transactions_alone(opened: Callable[[], Database]) -> None:
    """A connection that lies in the pool is nobody's to end."""
    database = opened()
    database.holder = Holder(7, 3600.0)
    with database.write() as connection:
        assert connection.scalar(sa.text("SHOW application_name")) == "integration-worker 7"
    with database.read() as connection:
        assert connection.scalar(sa.text("SHOW application_name")) == "integration-worker"
