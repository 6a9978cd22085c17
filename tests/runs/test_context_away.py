"""Rows in a database that is not the worker's own: each page once, whatever commit fails."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.contract import Context, Cursor, Json
from jobs.flow import Batch, Page
from jobs.progress import Progress
from jobs.sinks import state
from jobs.sinks.sql import Intake, SqlDestination, SqlOptions
from tests.conftest import Server
from tests.examples import examples
from tests.runs.away import NOW, Attempts, Faults, fresh
from worker.model.errors import AttemptLost, StoreUnreachable
from worker.model.records import AttemptState
from worker.store import attempts, cursors, rejects
from worker.store.database import Database, open_database

PAGES = [[{"id": 1}, {"id": 2}], [{"id": 3}], [{"id": 4}]]
APPEND = {"mode": "append"}
UPSERT = {"mode": "upsert", "key": "id"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database beside the worker's own, of either kind, with nothing in it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/other.db"
    else:
        server: Server = request.getfixturevalue("postgres_server")
        url = server.database_url()
    database = open_database(url)
    yield database
    database.close()


def ledger(own: Database, name: str = "") -> Cursor:
    """Returns the cursor in the ledger."""
    with own.read() as connection:
        return cursors.get(connection, "orders", name)


def beside(other: Database, name: str = "") -> Cursor:
    """Returns the cursor beside the rows."""
    with other.read() as connection:
        return state.cursor(connection, "orders", name)[0]


def test_the_cursor_moves_beside_the_rows_and_in_the_ledger(sqlite_database: Database, other: Database) -> None:
    """After a run both say the same, counts included."""
    job = Attempts(sqlite_database, other, UPSERT, PAGES)
    job.execute()
    assert beside(other) == ledger(sqlite_database) == Cursor(3, 3)
    with sqlite_database.read() as connection:
        found = attempts.get(connection, 1, 1)
    assert found is not None
    assert (found.counts.read, found.counts.written, found.counts.pages) == (4, 4, 3)


@pytest.mark.parametrize("options", [UPSERT, APPEND])
@pytest.mark.parametrize("outcome", ["not", "unknown"])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_commit_whose_outcome_nobody_knows(
    sqlite_database: Database, other: Database, options: dict[str, Json], outcome: str, page: int
) -> None:
    """The next attempt asks the rows' database how far it got: nothing doubled, nothing missing."""
    job, faults = Attempts(sqlite_database, other, options, PAGES), Faults(other)
    faults.plan(*["well"] * (page + 1), outcome)  # the first one only reads
    with pytest.raises(StoreUnreachable):
        job.execute()
    job.execute()
    assert job.rows() == [1, 2, 3, 4]
    assert beside(other) == ledger(sqlite_database) == Cursor(3, 3)


def test_a_death_between_the_two_commits_mends_the_ledger(sqlite_database: Database, other: Database) -> None:
    """Rows are there, the ledger does not know yet: the next attempt believes the rows' side."""
    job, faults = Attempts(sqlite_database, other, APPEND, PAGES), Faults(sqlite_database)
    with pytest.raises(StoreUnreachable):
        _fail_ledger(job, faults)
    assert (ledger(sqlite_database), beside(other)) == (Cursor(), Cursor(1, 1))
    assert job.context().cursor("", "other") == Cursor(1, 1)
    assert ledger(sqlite_database) == Cursor(1, 1)
    job.execute()
    assert job.rows() == [1, 2, 3, 4]


def _fail_ledger(job: Attempts, faults: Faults) -> None:
    """Makes an attempt whose first page is stored, but not told to the ledger."""
    context = job.context()
    context.cursor("", "other")
    with context.unit("other") as unit:
        unit.connection.exec_driver_sql("CREATE TABLE t (id INTEGER, _run_id BIGINT, _synced_at TEXT, _version BIGINT)")
        unit.connection.exec_driver_sql("INSERT INTO t (id) VALUES (1), (2)")
        unit.advance(1)
        faults.plan("not")


def test_a_person_who_resets_the_cursor_wins(sqlite_database: Database, other: Database) -> None:
    """The ledger's version is the higher one then; everything is read again."""
    job = Attempts(sqlite_database, other, UPSERT, PAGES)
    job.execute()
    with sqlite_database.write() as connection:
        cursors.advance(connection, "orders", "", None, 3, None, NOW)
    context = job.context()
    assert context.cursor("", "other") == Cursor(None, 4)
    with context.unit("other") as unit:
        unit.advance(1)
    assert beside(other) == ledger(sqlite_database) == Cursor(1, 5)


def test_rejects_are_kept_before_the_rows(sqlite_database: Database, other: Database) -> None:
    """A crash may leave a reject whose page is read again; never a page whose reject is lost."""
    pages: list[list[Any]] = [[{"id": 1}, "broken"]]
    job, faults = Attempts(sqlite_database, other, UPSERT, pages), Faults(other)
    faults.plan("well", "not")
    with pytest.raises(StoreUnreachable):
        job.execute()
    assert job.rows() == []
    job.execute()
    with sqlite_database.read() as connection:
        assert [row.record for row in rejects.listing(connection)] == ['"broken"']
    assert job.rows() == [1]


def test_an_attempt_that_lost_its_right_stores_nothing(sqlite_database: Database, other: Database) -> None:
    """Neither rows nor cursor, and no reject of the page."""
    job = Attempts(sqlite_database, other, UPSERT, [[{"id": 1}, "broken"]])
    context = job.context()
    with sqlite_database.write() as connection:
        attempts.end(connection, 1, 1, AttemptState.LOST, NOW)
    with pytest.raises(AttemptLost):
        _store_one(context)
    assert job.rows() == []
    assert ledger(sqlite_database) == Cursor()
    with sqlite_database.read() as connection:
        assert rejects.listing(connection) == []


def _store_one(context: Context) -> None:
    with context.unit("other") as unit:
        unit.connection.exec_driver_sql("CREATE TABLE t (id INTEGER)")
        unit.reject("broken", "because")
        unit.advance(1)


def test_an_append_without_a_cursor_begins_anew(sqlite_database: Database, other: Database) -> None:
    """Rows of an earlier attempt of the run are deleted; those of earlier runs stay."""
    job, faults = Attempts(sqlite_database, other, APPEND, PAGES, with_cursor=False), Faults(other)
    faults.plan("well", "unknown")
    with pytest.raises(StoreUnreachable):
        job.execute()
    job.execute()
    assert job.rows() == [1, 2, 3, 4]
    job.begin_run(2)
    job.execute()
    assert job.rows() == [1, 1, 2, 2, 3, 3, 4, 4]


def test_an_append_drops_what_no_cursor_covers(sqlite_database: Database, other: Database) -> None:
    """A run failed after it had stored rows, before its cursor moved: the next run reads them again."""
    job = Attempts(sqlite_database, other, APPEND, PAGES[:1])
    job.execute()
    job.begin_run(2)
    job.pages, job.with_cursor = [*PAGES[:1], [{"id": 3}]], True
    context = job.context()
    options = SqlOptions(table="t", database="other", mode="append")
    dead = SqlDestination(options, context, Progress(context), Intake(resumes=True), now=lambda: NOW)
    dead.store([Batch(Page([{"id": 3}]), [{"id": 3}], [{"id": 3}])])
    assert job.rows() == [1, 2, 3]
    job.begin_run(3)
    job.execute()
    assert job.rows() == [1, 2, 3]


STEP = st.sampled_from(["well", "well", "well", "not", "unknown"])


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 3), max_size=5),
    st.lists(st.tuples(st.lists(STEP, max_size=6), st.lists(STEP, max_size=9), st.booleans()), max_size=4),
    st.sampled_from(["append", "upsert"]),
)
def test_each_row_once_whatever_fails(
    sqlite_database: Database, other: Database, sizes: list[int], faults: list[Any], mode: str
) -> None:
    """Commits of either database fail or lose their answers, in any attempt of any run."""
    numbers = iter(range(100))
    pages: list[list[Any]] = [[{"id": next(numbers)} for _ in range(size)] for size in sizes]
    with fresh(sqlite_database, other):
        job = Attempts(sqlite_database, other, APPEND if mode == "append" else UPSERT, pages)
        theirs, ours = Faults(other), Faults(sqlite_database)
        for on_other, on_own, new_run in faults:
            if new_run:
                job.begin_run(job.run_id + 1)
            context = job.number
            theirs.plan(*on_other)
            ours.plan("well", *on_own)  # the attempt's beginning is the bench's
            try:
                job.execute()
            except StoreUnreachable:
                assert job.number == context + 1
            theirs.plan()
            ours.plan()
        job.execute()
        assert job.rows() == [row["id"] for page in pages for row in page]
        assert ledger(sqlite_database).value == (len(pages) or None)
        assert sa.inspect(other.engine).has_table("t") == any(pages)


WAYS = [("append", True), ("upsert", True), ("append", False), ("replace", False), ("mirror", False)]


@pytest.mark.parametrize("place", ["own", "other"])
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 3), max_size=4),
    st.lists(st.lists(STEP, max_size=12), max_size=4),
    st.sampled_from(WAYS),
)
def test_each_row_once_in_every_way(
    database: Database,
    other: Database,
    place: str,
    sizes: list[int],
    faults: list[list[str]],
    way: tuple[str, bool],
) -> None:
    """Attempts of one run, whose commits fail anywhere, the last steps of a way included."""
    numbers = iter(range(100))
    pages: list[list[Any]] = [[{"id": next(numbers)} for _ in range(size)] for size in sizes]
    options: dict[str, Json] = {"mode": way[0]} | ({"key": "id"} if way[0] != "append" else {})
    rows_at = database if place == "own" else other
    with fresh(database, other):
        job, failing = Attempts(database, rows_at, options, pages, with_cursor=way[1]), Faults(rows_at)
        for steps in faults:
            failing.plan("well", *steps) if place == "own" else failing.plan(*steps)
            with suppress(StoreUnreachable):
                job.execute()
            failing.plan()
        job.execute()
        assert job.rows() == [row["id"] for page in pages for row in page]
        with rows_at.read() as connection:
            names = sa.inspect(connection).get_table_names()
        assert {"t__new", "t__seen"}.isdisjoint(names)
