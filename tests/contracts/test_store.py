"""What every store must do, on SQLite and on PostgreSQL alike."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.contract import Cursor, Json
from tests.examples import examples
from worker.model.errors import AttemptLost, StoreUnreachable
from worker.model.records import Reject
from worker.store import cursors, keyring, rejects
from worker.store.columns import Moment
from worker.store.database import Database
from worker.store.writer import Writer

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(40))
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001  hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001  the same
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))]),
)
# half characters are no text; PostgreSQL keeps neither them nor NUL in a JSON document
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def move(database: Database, value: Json, version: int, run_id: int | None = 1) -> int:
    """Advances the cursor of `orders` in a transaction of its own."""
    with database.write() as connection:
        return cursors.advance(connection, "orders", "", value, version, run_id, NOON)


def cursor_of(database: Database) -> Cursor:
    """Returns the cursor of `orders` as committed."""
    with database.read() as connection:
        return cursors.get(connection, "orders")


def reject(number: int, reason: str = "no key", run_id: int = 1, minutes: int = 0) -> Reject:
    """Returns a reject of `orders`."""
    seen = NOON + timedelta(minutes=minutes)
    return Reject("orders", f"hash-{number:03}", run_id, reason, '{"id":1}', True, None, seen, seen)


def test_write_commits_on_leaving(database: Database) -> None:
    """What was written is seen by the next reader."""
    assert cursor_of(database) == Cursor()
    move(database, "2026-01-01", 0)
    assert cursor_of(database) == Cursor("2026-01-01", 1)


def test_write_rolls_back_on_any_error(database: Database) -> None:
    """An error inside leaves nothing behind, and reaches the caller as it was."""
    with pytest.raises(KeyError, match="mine"), database.write() as connection:  # noqa: PT012  it ends by raising
        cursors.advance(connection, "orders", "", 1, 0, 1, NOON)
        raise KeyError("mine")
    assert cursor_of(database) == Cursor()


def test_a_statement_error_stays_what_it_is(database: Database) -> None:
    """A wrong statement is not mistaken for a database that has gone away, and shows no values."""
    with pytest.raises(sa.exc.DBAPIError) as caught, database.write() as connection:
        connection.execute(sa.text("INSERT INTO nowhere VALUES (:value)"), {"value": "canary-7f3a"})
    assert not isinstance(caught.value, StoreUnreachable)
    assert "canary-7f3a" not in str(caught.value)


def test_read_cannot_write(database: Database) -> None:
    """A reader cannot slip past the writers' order."""
    with pytest.raises(sa.exc.DBAPIError, match=r"(?i)read-?only"), database.read() as connection:
        cursors.advance(connection, "orders", "", 1, 0, 1, NOON)
    move(database, 1, 0)  # and the connection it used may write again


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    """While a transaction is open, readers see what was committed before it."""
    with database.write() as connection:
        cursors.advance(connection, "orders", "", 1, 0, 1, NOON)
        assert cursor_of(database) == Cursor()


def test_a_moment_keeps_its_microseconds_and_its_instant(database: Database) -> None:
    """Every aware time comes back as the same instant, in UTC, to the microsecond."""
    table = sa.table("cursors", sa.column("moved_at", Moment))
    move(database, None, 0)

    @SHARED
    @given(MOMENTS)
    def holds(moment: datetime) -> None:
        with database.write() as connection:
            connection.execute(sa.update(table).values(moved_at=moment))
            found = connection.execute(sa.select(table.c.moved_at)).scalar_one()
        assert found == moment
        assert found.utcoffset() == timedelta(0)

    holds()


def test_moments_sort_and_compare_as_time_does(database: Database) -> None:
    """The database's order of stored times is the order of time, whatever their zones were."""
    table = sa.table("boots", sa.column("boot_id"), sa.column("wall_at", Moment), sa.column("elapsed_s"))

    @SHARED
    @given(st.lists(MOMENTS, min_size=2, max_size=6, unique=True))
    def holds(moments: list[datetime]) -> None:
        rows = [{"boot_id": str(n), "wall_at": moment, "elapsed_s": 0} for n, moment in enumerate(moments)]
        with database.write() as connection:
            connection.execute(sa.delete(table))
            connection.execute(sa.insert(table), rows)
            found = list(connection.scalars(sa.select(table.c.wall_at).order_by(table.c.wall_at)))
            later = sa.select(sa.func.count()).select_from(table).where(table.c.wall_at > moments[0])
            assert connection.scalar(later) == sum(moment > moments[0] for moment in moments)
        assert found == sorted(moments)

    holds()


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    """A naive time is an error before it reaches the database."""
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(sa.exc.StatementError, match="without a zone"), database.write() as connection:
        cursors.advance(connection, "orders", "", 1, 0, 1, naive)


def test_a_cursor_keeps_any_document(database: Database) -> None:
    """Any JSON value comes back as it went in; each move counts the version up by one."""
    version = 0

    @SHARED
    @given(DOCUMENTS)
    def holds(value: Json) -> None:
        nonlocal version
        version = move(database, value, version)
        assert cursor_of(database) == Cursor(value, version)

    holds()
    assert version >= 10


@pytest.mark.parametrize("stale", [0, 1, 3])
def test_a_cursor_moves_only_from_where_it_stands(database: Database, stale: int) -> None:
    """Whoever read an older version, or one that never was, loses and changes nothing."""
    move(database, "a", 0)
    move(database, "b", 1)
    with pytest.raises(AttemptLost, match=f"orders moved on from version {stale}"):
        move(database, "c", stale)
    assert cursor_of(database) == Cursor("b", 2)


@pytest.mark.parametrize("moves_before", [0, 1])
def test_of_many_that_move_a_cursor_at_once_one_wins(database: Database, moves_before: int) -> None:
    """Eight threads start from the same version, of a cursor that is new and of one that is not: one moves it."""
    for version in range(moves_before):
        move(database, None, version)
    won: list[int] = []
    lost: list[AttemptLost] = []
    together = threading.Barrier(8)

    def compete(number: int) -> None:
        together.wait(30)
        try:
            move(database, number, moves_before)
            won.append(number)
        except AttemptLost as error:
            lost.append(error)

    _in_threads(compete, 8)
    assert (len(won), len(lost)) == (1, 7)
    assert cursor_of(database) == Cursor(won[0], moves_before + 1)


def test_a_jobs_cursors_are_listed_by_name(database: Database) -> None:
    """A job may have several cursors; another job's are not among them."""
    with database.write() as connection:
        cursors.advance(connection, "orders", "b", 2, 0, None, NOON)
        cursors.advance(connection, "orders", "a", 1, 0, None, NOON)
        cursors.advance(connection, "others", "c", 3, 0, None, NOON)
        assert cursors.listing(connection, "orders") == {"a": Cursor(1, 1), "b": Cursor(2, 1)}


def test_a_reject_is_kept_once(database: Database) -> None:
    """The same record rejected again keeps its first time and takes over run, reason and last time."""
    with database.write() as connection:
        rejects.keep(connection, [reject(1), reject(2)])
    with database.write() as connection:
        rejects.keep(connection, [reject(2, "too long", run_id=7, minutes=5), reject(3, run_id=7, minutes=5)])
        kept = rejects.listing(connection, job="orders")
    assert [(row.record_hash, row.run_id) for row in kept] == [("hash-002", 7), ("hash-003", 7), ("hash-001", 1)]
    again = next(row for row in kept if row.record_hash == "hash-002")
    assert (again.reason, again.first_seen, again.last_seen) == ("too long", NOON, NOON + timedelta(minutes=5))


def test_one_record_may_be_rejected_twice_in_a_page(database: Database) -> None:
    """Doubles within one call are one row, with the later reason."""
    with database.write() as connection:
        rejects.keep(connection, [reject(1, "first"), reject(1, "second")])
        rejects.keep(connection, [])
        (kept,) = rejects.listing(connection)
    assert kept.reason == "second"


def test_rejects_are_found_by_run_and_by_job(database: Database) -> None:
    """A listing may be narrowed, and is bounded."""
    with database.write() as connection:
        rejects.keep(connection, [reject(number, run_id=number % 2) for number in range(10)])
        assert {row.run_id for row in rejects.listing(connection, run_id=1)} == {1}
        assert len(rejects.listing(connection, run_id=1)) == 5
        assert len(rejects.listing(connection, job="orders", limit=3)) == 3
        assert rejects.listing(connection, job="other") == []


def test_a_reason_may_hold_anything(database: Database) -> None:
    """A far end's words with NUL or half a character in them are kept, readably."""
    with database.write() as connection:
        rejects.keep(connection, [reject(1, "bad \0 byte and \ud83d half")])
        (kept,) = rejects.listing(connection)
    assert kept.reason == "bad \\u0000 byte and \\ud83d half"


def test_a_known_key_keeps_its_check_value(database: Database) -> None:
    """Seeing a key again moves its last time and its state, and nothing else."""
    later = NOON + timedelta(days=1)
    with database.write() as connection:
        keyring.remember(connection, "k1", "active", b"\x00\x01", NOON)
        keyring.remember(connection, "k2", "active", b"\x02", later)
        keyring.remember(connection, "k1", "retired", b"other", later)
        first, second = keyring.rows(connection)
    assert first == keyring.KeyRow("k1", "retired", b"\x00\x01", NOON, later)
    assert second == keyring.KeyRow("k2", "active", b"\x02", later, later)


def test_a_database_has_one_id(database: Database) -> None:
    """Who asks while another one is still making the id waits for it and gets the same; it stays."""
    ids: list[str] = []

    def ask() -> None:
        with database.write() as connection:
            ids.append(keyring.ensure_installation(connection, NOON))

    second = threading.Thread(target=ask)
    with database.write() as connection:
        first = keyring.ensure_installation(connection, NOON)
        second.start()
        second.join(0.2)
        assert ids == []
    second.join(30)
    ask()
    assert ids == [first, first]


def test_the_lease_clock_runs_forward_beside_the_wall_clock(database: Database) -> None:
    """Each look is later than the one before, and near the wall clock where that was never set."""
    with database.write() as connection:
        first = database.lease_now(connection)
        second = database.lease_now(connection)
    with database.read() as connection:
        third = database.lease_now(connection)
    assert first < second < third
    assert abs(third - datetime.now(UTC)) < timedelta(seconds=10)
    assert third.utcoffset() == timedelta(0)


def test_concurrent_writers_lose_nothing(database: Database, writer: Writer) -> None:
    """Page transactions, the writer and readers work side by side; every write is there in the end."""
    start = "start"
    move(database, start, 0)

    def pages(number: int) -> None:
        for turn in range(10):
            with database.write() as connection:
                rejects.keep(connection, [reject(number * 100 + turn)])

    def ledger(number: int) -> None:
        def advance(connection: sa.Connection) -> None:
            name = f"ledger-{number}"
            version = cursors.get(connection, "orders", name).version
            cursors.advance(connection, "orders", name, turn, version, 1, NOON)

        for turn in range(10):  # noqa: B007  read by `advance`
            writer.call(advance)
            assert cursor_of(database).value == start

    def work(number: int) -> None:
        (pages if number % 2 else ledger)(number)

    _in_threads(work, 8)
    with database.read() as connection:
        assert len(rejects.listing(connection, limit=1000)) == 40
        moved = cursors.listing(connection, "orders")
    assert [moved[f"ledger-{number}"].version for number in (0, 2, 4, 6)] == [10, 10, 10, 10]


def test_a_killed_session_is_told_as_unreachable(postgres_database: Database) -> None:
    """When PostgreSQL ends a session in mid-transaction nothing is stored, and the next transaction works."""
    with pytest.raises(StoreUnreachable), postgres_database.write() as connection:  # noqa: PT012  the last line raises
        cursors.advance(connection, "orders", "", 1, 0, 1, NOON)
        _kill(postgres_database, connection)
        cursors.get(connection, "orders")
    assert cursor_of(postgres_database) == Cursor()
    assert move(postgres_database, 2, 0) == 1


def test_a_session_killed_at_commit_is_told_as_unreachable(postgres_database: Database) -> None:
    """The same where the first to notice is the COMMIT itself."""
    with pytest.raises(StoreUnreachable), postgres_database.write() as connection:  # noqa: PT012  leaving raises
        cursors.advance(connection, "orders", "", 1, 0, 1, NOON)
        _kill(postgres_database, connection)


def test_the_drivers_own_errors_are_told_as_well(postgres_database: Database) -> None:
    """Whoever goes around SQLAlchemy, for COPY, meets the same StoreUnreachable."""
    with pytest.raises(StoreUnreachable), postgres_database.write() as connection:  # noqa: PT012  the last line raises
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        _kill(postgres_database, connection)
        raw.execute("SELECT 1")


def test_the_writer_survives_a_killed_session(postgres_database: Database) -> None:
    """A session killed under the writer costs one more try; the write is there once."""
    told: list[Exception] = []
    killed: list[int] = []

    def advance(connection: sa.Connection) -> int:
        version = cursors.advance(connection, "orders", "", "there", 0, 1, NOON)
        if not killed:
            killed.append(_kill(postgres_database, connection))
        return version

    writer = Writer(postgres_database, told.append)
    writer.start()
    assert writer.call(advance) == 1
    writer.stop()
    assert [type(error) for error in told] == [StoreUnreachable]
    assert cursor_of(postgres_database) == Cursor("there", 1)


def test_a_deadlock_is_told_as_something_that_passes(postgres_database: Database) -> None:
    """Two transactions that lock in opposite order: one goes on, the other is to be tried again."""
    move(postgres_database, 0, 0)
    with postgres_database.write() as connection:
        cursors.advance(connection, "others", "", 0, 0, 1, NOON)
    both_hold_one = threading.Barrier(2)
    outcomes: list[str] = []

    def cross(number: int) -> None:
        names = ["orders", "others"]
        first, second = names if number else reversed(names)
        try:
            with postgres_database.write() as connection:
                connection.execute(sa.text("SET LOCAL deadlock_timeout = '20ms'"))
                cursors.advance(connection, first, "", number, 1, 1, NOON)
                both_hold_one.wait(30)
                cursors.advance(connection, second, "", number, 1, 1, NOON)
            outcomes.append("stored")
        except StoreUnreachable:
            outcomes.append("again")

    _in_threads(cross, 2)
    assert sorted(outcomes) == ["again", "stored"]


def _kill(database: Database, connection: sa.Connection) -> int:
    """Ends the server process behind a connection, waits until it is gone, and returns its id."""
    pid: int = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    with database.write() as other:
        assert other.execute(sa.text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid}).scalar_one()
    return pid


def _in_threads(work: Callable[[int], None], count: int) -> None:
    """Runs `work(number)` in so many threads and waits for them; an error in one fails the test."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001  told below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
