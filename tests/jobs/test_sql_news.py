"""What is new in a table: nothing is lost or skipped, whatever happens between runs and within them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.contract import Cursor, GiveUp, Interrupted, Json, Window
from jobs.sync import Sync
from tests.examples import examples
from tests.jobs.filling import batch, store
from tests.jobs.reading import ReadingContext, reading, records, run, source, sync
from worker.store.database import Database

OFTEN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
ALL_MAY_GO = {"guard": {"max_delete": "100%"}}

IDS = st.integers(0, 7)
WRITE = st.tuples(st.just("write"), st.dictionaries(IDS, st.integers(0, 3), min_size=1, max_size=6))
GONE = st.tuples(st.just("gone"), st.sets(IDS, min_size=1, max_size=3))
READ = st.tuples(st.just("read"), st.integers(0, 4))
RESET = st.tuples(st.just("reset"), st.just(0))
HISTORY = st.lists(st.one_of(WRITE, WRITE, GONE, READ, READ, RESET), max_size=12)


class LesserContext(ReadingContext):
    """Reads as a role that has few rights."""

    @contextmanager
    def read(self, database: str | None = None) -> Iterator[sa.Connection]:
        """Opens a transaction that reads."""
        with super().read(database) as connection:
            connection.exec_driver_sql("SET LOCAL ROLE lesser_reader")
            yield connection


@pytest.fixture
def context(database: Database) -> Iterator[ReadingContext]:
    """A context on either database."""
    with reading(database) as made:
        yield made


def _drop(database: Database, *tables: str) -> None:
    database.engine.dispose()  # psycopg keeps plans of SELECT * by connection, which the tables to come do not fit
    run(database, *(f"DROP TABLE IF EXISTS {table}" for table in (*tables, "_sync_tables", "_sync_cursors")))


def _live(context: ReadingContext, table: str) -> list[tuple[int, int]]:
    rows = context.rows(table, "id")
    return [(row["id"], row["n"]) for row in rows if row.get("_deleted_at") is None]


@OFTEN
@given(history=HISTORY, size=st.integers(1, 4))
def test_the_consumer_ends_with_the_latest_state_of_each_row(
    database: Database, history: list[tuple[str, Any]], size: int
) -> None:
    """Whatever is written, deleted and put back between runs that are skipped, broken off or reset."""
    _drop(database, "t", "u")
    with reading(database, job="upstream") as upstream, reading(database, job="consumer") as consumer:
        store(upstream, [{"id": 0, "n": 0}, {"id": 99, "n": 0}])
        job = sync(table="t", changed_only=True, size=size, destination={"table": "u", "key": "id"} | ALL_MAY_GO)
        for verb, given_ in history:
            if verb == "write":
                store(upstream, [{"id": key, "n": n} for key, n in given_.items()])
            elif verb == "gone":
                store(upstream, batch([], gone=[{"id": key} for key in sorted(given_)]), **ALL_MAY_GO)
            elif verb == "reset":
                consumer.cursors = {"": Cursor(None, 9)}
            else:
                _read(consumer, job, given_)
        _read(consumer, job, None)
        assert _live(consumer, "u") == _live(upstream, "t")
        written = consumer.counts.written
        _read(consumer, job, None)
        assert consumer.counts.written == written


def _read(context: ReadingContext, job: Sync, checks: int | None) -> None:
    """Runs a job that is broken off after so many pages."""
    context.interrupt_after = None if checks is None else context.checks + checks
    context.attempt += 1
    try:
        job.run(context)
    except Interrupted:
        assert checks is not None


def test_a_large_version_is_read_in_parts(context: ReadingContext, database: Database) -> None:
    """A version of many rows is gone on with where it was broken off, by the key of the last row stored."""
    store(context, [{"id": number, "n": 0} for number in range(10)])
    job = sync(table="t", changed_only=True, size=3)
    with reading(database) as consumer:
        _read(consumer, job, 2)
        assert [row["id"] for row in consumer.rows("u", "id")] == list(range(6))
        assert consumer.cursors[""].value["after"] == [5]
        _read(consumer, job, None)
        assert consumer.counts.written == 10
        assert consumer.counts.unchanged == 0
        assert isinstance(consumer.cursors[""].value, int)


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("uuid", [f"'6ba7b810-9dad-11d1-80b4-00c04fd430c{number}'" for number in range(6)]),
        ("bytea", [f"'\\x0{number}'" for number in range(6)]),
        ("numeric", [f"{number}.50" for number in range(6)]),
        ("timestamptz", [f"'2026-01-0{number + 1} 12:00:00.25+02'" for number in range(6)]),
        ("timestamp", [f"'2026-01-0{number + 1} 12:00:00'" for number in range(6)]),
        ("double precision", [f"{number}.1" for number in range(6)]),
        ("date", [f"'2026-01-0{number + 1}'" for number in range(6)]),
    ],
)
def test_a_key_of_any_type_is_gone_on_from(postgres_database: Database, kind: str, keys: list[str]) -> None:
    """Wherever a version is broken off, the rest of it and nothing else comes next."""
    run(postgres_database, f"CREATE TABLE t (id {kind} PRIMARY KEY, _version bigint)")
    run(postgres_database, *(f"INSERT INTO t VALUES ({key}, 1)" for key in keys))
    with reading(postgres_database) as context:
        whole = [row["id"] for row in records(context, table="t")]
        found = []
        for _ in whole:
            page = next(source(table="t", changed_only=True, size=1, zone="Europe/Berlin").pages(context))
            context.cursors[""] = Cursor(page.cursor, 1)
            found += [row["id"] for row in page.records]
    assert len(set(found)) == len(whole) == len(found)


def test_marked_rows_come_as_gone_under_the_destinations_names(context: ReadingContext, database: Database) -> None:
    """A map that renames the key renames it for what is gone too."""
    destination = {"table": "u", "key": "number"} | ALL_MAY_GO
    job = sync(table="t", changed_only=True, destination=destination)
    job.options = job.options.model_copy(update={"map": {"number": "id"}})
    store(context, [{"id": 1, "n": 0}, {"id": 2, "n": 0}])
    with reading(database) as consumer:
        job.run(consumer)
        store(context, batch([], gone=[{"id": 2}]), **ALL_MAY_GO)
        job.run(consumer)
        assert [(row["number"], row["_deleted_at"] is None) for row in consumer.rows("u", "number")] == [
            (1, True),
            (2, False),
        ]
        assert [row["id"] for row in records(consumer, table="t")] == [1]


def test_the_version_gets_an_index_once(context: ReadingContext, database: Database) -> None:
    """It is made with the first read, not in a preview, and found again by the next one."""
    store(context, [{"id": 1, "n": 0}])
    context.dry = True
    records(context, table="t", changed_only=True)
    with database.read() as connection:
        assert sa.inspect(connection).get_indexes("t") == []
    context.dry = False
    for _ in range(2):
        records(context, table="t", changed_only=True)
    with database.read() as connection:
        assert [one["column_names"] for one in sa.inspect(connection).get_indexes("t")] == [["_version"]]


def test_a_table_that_was_made_anew_is_read_again(context: ReadingContext, database: Database) -> None:
    """Versions that count from the start again do not hide rows behind the cursor."""
    context.cursors[""] = Cursor(40, 1)
    store(context, [{"id": 1, "n": 0}])
    assert [row["id"] for row in records(context, table="t", changed_only=True)] == [1]
    assert "made anew" in context.said[0][1]


def test_two_spellings_of_a_table_have_one_counter(sqlite_database: Database) -> None:
    """On SQLite they are one table; what one job wrote was behind the version that another had got to."""
    with reading(sqlite_database) as context:
        for key, table in enumerate(["t", "T", "t", "t", "T"]):
            store(context, [{"id": key, "n": 0}], table=table)
        with context.read() as connection:
            assert list(connection.scalars(sa.text("SELECT _version FROM t ORDER BY id"))) == [2, 3, 4, 5, 6]


def test_a_role_that_may_only_read_the_table_goes_on(postgres_database: Database) -> None:
    """Counters it may not see leave its transaction sound; the rows tell the version, too."""
    with _lesser(postgres_database) as context:
        store(context, [{"id": 1, "n": 0}])
        run(postgres_database, "GRANT SELECT ON t TO lesser_reader")
        context.cursors[""] = Cursor(1, 1)
        assert [row["id"] for row in records(context, table="t", changed_only=True)] == [1]


@contextmanager
def _lesser(database: Database) -> Iterator[ReadingContext]:
    run(database, "CREATE ROLE lesser_reader")
    try:
        with LesserContext(write=database.write, database=database) as context:
            yield context
    finally:
        run(database, "DROP OWNED BY lesser_reader", "DROP ROLE lesser_reader")


def test_a_cursor_that_is_no_version_is_told(context: ReadingContext) -> None:
    """The remedy is to set or reset it."""
    store(context, [{"id": 1, "n": 0}])
    context.cursors[""] = Cursor("2026-01-01", 1)
    with pytest.raises(GiveUp, match=r"expected a version\. Set or reset the cursor"):
        records(context, table="t", changed_only=True)


def _timed(database: Database, *values: str) -> None:
    kind = "TEXT" if database.dialect == "sqlite" else "timestamptz"
    run(database, "DROP TABLE IF EXISTS t", f"CREATE TABLE t (id INTEGER PRIMARY KEY, at {kind})")
    _add(database, 0, *values)


def _add(database: Database, first: int, *values: str) -> None:
    run(database, *(f"INSERT INTO t VALUES ({first + number}, '{at}')" for number, at in enumerate(values)))


def _at(minute: int) -> str:
    return f"2026-06-01T11:{minute:02d}:00.000000Z"


def _read_on(context: ReadingContext, **cursor: Json) -> list[int]:
    """Returns the ids of one run, after which the cursor stands where its last page said."""
    found, where = [], source(table="t", size=2, cursor={"field": "at"} | cursor)
    for page in where.pages(context):
        found += [row["id"] for row in page.records]
        if page.cursor is not None:
            context.cursors[""] = Cursor(page.cursor, context.cursor().version + 1)
    return found


def test_a_time_cursor_moves_page_by_page(context: ReadingContext, database: Database) -> None:
    """Rows come in the order of their times; those of the cursor's own moment come again, none is skipped."""
    _timed(database, _at(3), _at(1), _at(2), _at(2), _at(2))
    assert _read_on(context) == [1, 2, 3, 4, 0]
    assert context.cursors[""].value == _at(3)
    assert context.cursors[""].version == 2  # two pages ended at the same moment
    _add(database, 5, _at(3), _at(4))
    assert _read_on(context) == [0, 5, 6]


def test_a_look_back_reads_again_and_never_moves_back(context: ReadingContext, database: Database) -> None:
    """A row whose transaction was committed late is still found."""
    _timed(database, _at(1), _at(9), _at(10))
    context.cursors[""] = Cursor(_at(10), 1)
    _add(database, 3, _at(8))
    assert _read_on(context, lookback="3m") == [3, 1, 2]
    assert context.cursors[""] == Cursor(_at(10), 1)


def test_a_row_of_the_future_waits_for_its_time(context: ReadingContext, database: Database) -> None:
    """It does not carry the cursor away from rows that are still to come."""
    _timed(database, _at(1), "2099-01-01T00:00:00.000000Z")
    context.window = Window(None, datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert _read_on(context) == [0]
    assert context.cursors[""].value == _at(1)
    context.window = Window(None, datetime(2099, 1, 2, tzinfo=UTC))
    assert _read_on(context) == [0, 1]


def test_rows_without_a_time_are_told_of(context: ReadingContext, database: Database) -> None:
    """The cursor cannot see them: a warning says so."""
    _timed(database, _at(1))
    run(database, "INSERT INTO t VALUES (7, NULL)")
    assert _read_on(context) == [0]
    assert "have no at and are not read" in context.said[0][1]


@pytest.mark.parametrize(("kind", "values"), [("INTEGER", ["5", "30", "200"]), ("TEXT", ["'a5'", "'b30'", "'c200'"])])
def test_a_cursor_may_be_a_number_or_a_text(
    context: ReadingContext, database: Database, kind: str, values: list[str]
) -> None:
    """Each is compared as its column compares."""
    run(database, f"CREATE TABLE t (id INTEGER PRIMARY KEY, at {kind})")
    run(database, *(f"INSERT INTO t VALUES ({number}, {value})" for number, value in enumerate(values)))
    assert _read_on(context, initial=30 if kind == "INTEGER" else "b30") == [1, 2]
    assert _read_on(context) == [2]
    with pytest.raises(GiveUp, match=r"a time where cursor\.lookback is set"):
        _read_on(context, lookback="1m")


def test_local_times_of_postgres_come_back_as_they_were(postgres_database: Database) -> None:
    """A cursor over times without a zone is kept in UTC and compared in the source's zone."""
    run(postgres_database, "CREATE TABLE t (id INTEGER PRIMARY KEY, at timestamp)")
    run(postgres_database, "INSERT INTO t VALUES (0, '2026-07-01 10:00'), (1, '2026-07-01 12:00')")
    with reading(postgres_database) as context:
        for expected in ([0, 1], [1]):
            pages = source(table="t", cursor={"field": "at"}, zone="Europe/Berlin").pages(context)
            for page in pages:
                assert [row["id"] for row in page.records] == expected
                context.cursors[""] = Cursor(page.cursor or context.cursor().value, 1)
            assert context.cursor().value == "2026-07-01T10:00:00.000000Z"


def test_local_texts_of_sqlite_keep_their_form(sqlite_database: Database) -> None:
    """Times that are kept as plain text are compared and looked back from as such."""
    _timed(sqlite_database, "2026-06-01 10:00:00", "2026-06-01 10:05:00", "2099-01-01 00:00:00")
    with reading(sqlite_database, window=Window(None, datetime(2026, 6, 2, tzinfo=UTC))) as context:
        assert _read_on(context, lookback="1m") == [0, 1]
        assert context.cursors[""].value == "2026-06-01 10:05:00"
        _add(sqlite_database, 5, "2026-06-01 10:04:00", "2026-06-01 10:03:59")
        assert _read_on(context, lookback="1m") == [5, 1]


def test_a_querys_cursor_over_exact_numbers_goes_by_their_size(postgres_database: Database) -> None:
    """It is kept as text, by whose order 10 comes before 9."""
    run(postgres_database, "CREATE TABLE t (num numeric PRIMARY KEY)", "INSERT INTO t VALUES (9)")
    with reading(postgres_database) as context:
        for number, moved in (("10.5", "10.5"), ("2", "10.5"), ("100", "100")):
            run(postgres_database, f"INSERT INTO t VALUES ({number})")
            query = "SELECT num FROM t WHERE num >= CAST(:cursor AS numeric)"
            sync(query=query, cursor={"field": "num", "initial": "9"}, destination={"table": "u", "key": "num"}).run(
                context
            )
            assert context.cursors[""].value == moved


def test_a_querys_cursor_moves_at_its_end(context: ReadingContext, database: Database) -> None:
    """It stands for :cursor in the next run, and never moves back."""
    _timed(database, _at(3), _at(1), _at(2))
    job = sync(query="SELECT id, at FROM t WHERE at >= :cursor", cursor={"field": "at", "initial": _at(0)}, size=2)
    job.run(context)
    assert context.cursors[""].value == _at(3)
    _add(database, 5, _at(5), _at(2))
    job.run(context)
    assert context.counts.read == 5
    assert context.cursors[""].value == _at(5)
