"""Databases that are not the worker's own: opened when needed, of any kind, with the same manners."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from jobs.contract import GiveUp
from jobs.sources.tables import look_at
from tests.jobs.reading import reading, records, run
from worker.model.drivers import any_database_url
from worker.model.errors import StoreError, StoreUnreachable
from worker.store.database import Database
from worker.store.other import Others, PlainDatabase, open_other


class PlainDialect(SQLiteDialect_pysqlite):
    """A database of which the worker knows nothing but its dialect."""

    name = "plain"
    driver = "plaindriver"
    supports_statement_cache = True


sa.dialects.registry.register("plain", __name__, "PlainDialect")


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Opens a database of an unknown kind."""
    monkeypatch.setitem(sa.dialects.registry.impls, "plain", lambda: PlainDialect)
    database = open_other(f"plain:///{tmp_path}/other.db")
    yield database
    database.close()


def test_a_database_of_an_unknown_kind_is_read_and_written(plain: Database) -> None:
    """A transaction commits, or leaves nothing behind."""
    assert isinstance(plain, PlainDatabase)
    assert plain.dialect == "plain"
    run(plain, "CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON, yes BOOLEAN, day DATE)")
    run(plain, """INSERT INTO t VALUES (1, '{"a": 1}', 1, '2026-01-31'), (2, NULL, 0, NULL)""")
    with pytest.raises(sa.exc.IntegrityError):
        run(plain, "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (1, NULL, NULL, NULL)")
    with reading(plain) as context:
        assert records(context, table="t", size=1) == [
            {"id": 1, "doc": {"a": 1}, "yes": True, "day": "2026-01-31"},
            {"id": 2, "doc": None, "yes": False, "day": None},
        ]
        query = "SELECT id FROM t WHERE id > :least"
        assert records(context, query=query, params={"least": 1}) == [{"id": 2}]


def test_a_key_of_two_columns_needs_no_row_values(plain: Database) -> None:
    """Databases that cannot compare rows are asked column by column."""
    run(plain, "CREATE TABLE t (a INTEGER, b INTEGER, PRIMARY KEY (a, b))")
    run(plain, "INSERT INTO t VALUES (1, 1), (1, 2), (1, 3), (2, 1), (2, 2)")
    with reading(plain) as context:
        found = [(row["a"], row["b"]) for row in records(context, table="t", size=2)]
    assert found == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]


def test_its_tables_are_told(plain: Database) -> None:
    """A table that is not there is named beside those that are."""
    run(plain, "CREATE TABLE t (id INTEGER)", "CREATE VIEW v AS SELECT id FROM t")
    with plain.read() as connection, pytest.raises(GiveUp, match="there is no table x; there are t, v"):
        look_at(connection, "x")


def test_a_drivers_trouble_is_tried_again(plain: Database) -> None:
    """The database's own errors end as StoreUnreachable, those of values as they are."""
    run(plain, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with pytest.raises(StoreUnreachable, match=r"plain:///.*other\.db failed"), plain.write() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
    with pytest.raises(sa.exc.IntegrityError), plain.write() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")


def test_ours_are_opened_in_our_manner(tmp_path: Path) -> None:
    """A SQLite file has the worker's settings, by whichever of its names the driver is called."""
    database = open_other(f"sqlite+pysqlite:///{tmp_path}/w.db")
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


def test_one_that_cannot_be_reached_is_tried_again_when_it_is_asked_for_again(tmp_path: Path) -> None:
    """Nothing is opened before it is needed, and then once, by however many ask."""
    opened: list[str] = []

    def opener() -> Database:
        opened.append("")
        return open_other(f"sqlite:///{tmp_path}/later/w.db")

    others = Others({"later": opener})
    assert (list(others), len(others), "later" in others, opened) == (["later"], 1, True, [])
    with pytest.raises(StoreUnreachable, match="does not exist"):
        others["later"]
    (tmp_path / "later").mkdir()
    found: list[Database] = []
    threads = [threading.Thread(target=lambda: found.append(others["later"])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(set(map(id, found))), len(opened)) == (1, 2)
    others.close()


def test_a_driver_that_is_gone_is_told() -> None:
    """What was installed when the configuration was checked may be gone by the time it is needed."""
    with pytest.raises(StoreError, match="needs a driver that is not installed"):
        open_other("duckdb:///x")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "mysql+mysqlconnector://u@h/d",
            "needs the driver mysql.* pip install mysql-connector-python",
        ),
        ("mysql://u@h/d", "pip install mysqlclient"),
        ("oracle://u@h/d", "pip install"),
        ("snowflake://u@h/d", "pip install snowflake-sqlalchemy"),
        ("postgresql+psycopg2://u@h/d", "expected postgresql://.*the driver for postgresql is psycopg"),
        ("postgresql://u:x@h/d", "the URL holds a password"),
        ("postgresql://u@h/d?pass%77ord=x", "the URL holds a password"),
        ("mysql+pymysql://u@h/d?passwd=x", "the URL holds a password"),
        ("strange://h", "expected sqlite, postgresql"),
    ],
)
def test_a_url_without_its_driver_names_the_package(url: str, words: str) -> None:
    """What to install is told when the configuration is checked."""
    with pytest.raises(ValueError, match=words):
        any_database_url(url)
