"""Tables and queries as sources: every row once, as JSON, on both databases."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import GiveUp, Interrupted, Json, Window
from jobs.sources.sql import SqlSourceOptions
from tests.examples import examples
from tests.jobs.reading import ReadingContext, reading, records, run, source, sync
from worker.store.database import Database

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
OFTEN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))


@pytest.fixture
def context(database: Database) -> Iterator[ReadingContext]:
    """A context on either database."""
    with reading(database) as made:
        yield made


def test_sqlite_values_become_json(sqlite_database: Database) -> None:
    """JSON is decoded where its column says so, bytes are base64, and a truth is one again."""
    run(
        sqlite_database,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON_TEXT, yes BOOLEAN, raw BLOB, at TIMESTAMP_TEXT, n REAL, j)",
        """INSERT INTO t VALUES (1, '{"a":[1]}', 1, x'00ff', '2026-01-31T08:00:00.000000Z', 0.5, '[2]')""",
        "INSERT INTO t VALUES (2, 'no json', NULL, NULL, NULL, NULL, NULL)",
    )
    with reading(sqlite_database) as context:
        first, second = records(context, table="t", decode="j")
    assert first == {
        "id": 1,
        "doc": {"a": [1]},
        "yes": True,
        "raw": "AP8=",
        "at": "2026-01-31T08:00:00.000000Z",
        "n": 0.5,
        "j": [2],
    }
    assert (second["doc"], second["yes"]) == ("no json", None)


@pytest.mark.parametrize("value", ["'infinity'", "'-infinity'", "'0044-03-15 BC'"])
@pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
def test_a_value_that_cannot_be_loaded_is_told(postgres_database: Database, value: str, key: str) -> None:
    """Python has no such time: the table is named, and what to do."""
    run(postgres_database, f"CREATE TABLE t (id int {key}, at timestamptz)", f"INSERT INTO t VALUES (1, {value})")
    with (
        reading(postgres_database) as context,
        pytest.raises(GiveUp, match=r"the table t: the database .*cast it"),
    ):
        records(context, table="t")


@pytest.mark.parametrize("key", ["PRIMARY KEY", ""])
def test_text_that_is_none_is_told(sqlite_database: Database, key: str) -> None:
    """SQLite keeps whatever bytes it is given."""
    run(sqlite_database, f"CREATE TABLE t (id int {key}, v text)", "INSERT INTO t VALUES (1, CAST(x'ff41' AS text))")
    with reading(sqlite_database) as context, pytest.raises(GiveUp, match=r"the table t: the database .*cast it"):
        records(context, table="t")


def test_postgres_values_become_json(postgres_database: Database) -> None:
    """Times are UTC, those without a zone by the option; numbers exact; documents, lists and ids as JSON has them."""
    run(
        postgres_database,
        """CREATE TABLE t (id uuid PRIMARY KEY, at timestamptz, local timestamp, day date, cost numeric, raw bytea,
           doc jsonb, tags text[], span interval, yes boolean, clock time)""",
        """INSERT INTO t VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', '2026-01-31 09:00:00.5+01', '2026-07-01 12:00',
           '2026-02-03', 12.50, '\\x00ff', '{"a": [1]}', '{x,y}', '90 seconds', true, '08:30')""",
    )
    with reading(postgres_database) as context:
        assert records(context, table="public.t", zone="Europe/Berlin") == [
            {
                "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
                "at": "2026-01-31T08:00:00.500000Z",
                "local": "2026-07-01T10:00:00.000000Z",
                "day": "2026-02-03",
                "cost": "12.50",
                "raw": "AP8=",
                "doc": {"a": [1]},
                "tags": ["x", "y"],
                "span": 90.0,
                "yes": True,
                "clock": "08:30:00",
            }
        ]


KEYS = st.sets(st.tuples(st.sampled_from(["", "a", "B", "é", "a b"]), st.integers(-3, 3)), max_size=12)


@OFTEN
@given(keys=KEYS, size=st.integers(1, 5))
def test_each_row_comes_once_whatever_the_key(database: Database, keys: set[tuple[str, int]], size: int) -> None:
    """Pages part rows of a key of two columns, whatever their sizes, and follow each other in its order."""
    run(database, "DROP TABLE IF EXISTS pair", "CREATE TABLE pair (a TEXT, b INTEGER, PRIMARY KEY (a, b))")
    for a, b in keys:
        run(database, f"INSERT INTO pair VALUES ('{a}', {b})")
    with reading(database) as context:
        pages = list(source(table="pair", size=size).pages(context))
        found = [(row["a"], row["b"]) for page in pages for row in page.records]
        assert sorted(found) == sorted(keys)
        assert all(len(page.records) <= size and page.total == len(keys) for page in pages)


def test_rows_that_come_and_go_shift_nothing(context: ReadingContext, database: Database) -> None:
    """A row before the walk that goes, and one that comes, leave no other out and double none."""
    run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (2), (4), (6), (8)")
    pages = source(table="t", size=2).pages(context)
    seen = [row["id"] for row in next(pages).records]
    run(database, "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (1), (3), (7)")
    seen += [row["id"] for page in pages for row in page.records]
    assert seen == [2, 4, 6, 7, 8]


def test_conditions_columns_and_bound_values(context: ReadingContext, database: Database) -> None:
    """Values never become SQL; the worker's own columns are left out unless they are asked for."""
    run(
        database,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, _run_id INTEGER, _synced_at TEXT)",
        "INSERT INTO t VALUES (1, 'it''s', 7, 'x'), (2, 'b', 7, 'x')",
    )
    assert records(context, table="t", where="name = :name", params={"name": "it's"}) == [{"id": 1, "name": "it's"}]
    assert records(context, table="t", columns=["name"], where="id > 1 OR name = 'b'") == [{"name": "b"}]
    assert records(context, table="t", where="name = :name", params={"name": "' OR 1=1 --"}) == []
    assert set(records(context, table="t", system=True)[0]) == {"id", "name", "_run_id", "_synced_at"}


def test_a_query_is_streamed(context: ReadingContext) -> None:
    """The first page of a query that never ends comes at once; the run's end reaches it between pages."""
    pages = source(query=ENDLESS, size=10).pages(context)
    assert [row["i"] for row in next(pages).records] == list(range(1, 11))
    context.interrupt_after = context.checks
    with pytest.raises(Interrupted):
        next(pages)


def test_a_query_takes_bound_values_and_the_window(context: ReadingContext, database: Database) -> None:
    """:since and :until are the run's window, compared as the database keeps times."""
    kind = "TEXT" if database.dialect == "sqlite" else "timestamptz"
    run(
        database,
        f"CREATE TABLE t (id INTEGER, at {kind})",
        "INSERT INTO t VALUES (1, '2026-01-01T00:00:00.000000Z'), (2, '2026-01-02T00:00:00.000000Z')",
    )
    context.window = Window(datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
    query = "SELECT id FROM t WHERE at >= :since AND at < :until AND id < :most"
    assert records(context, query=query, params={"most": 9}) == [{"id": 2}]
    context.window = Window(None, datetime(2026, 1, 3, tzinfo=UTC))
    with pytest.raises(GiveUp, match="no beginning"):
        records(context, query=query, params={"most": 9})


def test_a_table_without_a_key_is_streamed(context: ReadingContext, database: Database) -> None:
    """Rows that nothing tells apart all come; so do those of a view; pages by an index would lose some, and say so."""
    run(
        database,
        "CREATE TABLE t (n INTEGER)",
        "INSERT INTO t VALUES (1), (1), (2)",
        "CREATE VIEW v AS SELECT n FROM t",
    )
    for table in ("t", "v"):
        assert sorted(row["n"] for row in records(context, table=table, size=2)) == [1, 1, 2]
    assert sorted(row["n"] for row in records(context, table="v", size=1, key="n")) == [1, 1, 2]
    run(database, "CREATE INDEX by_n ON t (n)")
    with pytest.raises(GiveUp, match="have the same n"):
        records(context, table="t", size=1, key="n")


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("origin", [{"table": "t"}, {"query": "SELECT * FROM t"}])
def test_source_and_destination_share_a_database(
    context: ReadingContext, database: Database, origin: dict[str, Any], prefetch: int
) -> None:
    """What reads waits for no one who writes, and keeps nobody from writing."""
    run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
    run(database, *(f"INSERT INTO t VALUES ({number}, 'n{number}')" for number in range(25)))
    sync(prefetch=prefetch, size=4, **origin).run(context)
    assert [row["id"] for row in context.rows("u", "id")] == list(range(25))
    assert context.counts.written == 25


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"table": "nowhere"}, "there is no table nowhere; there are .*t"),
        ({"table": "t", "columns": ["nme"]}, "has no column nme; it has id, name"),
        ({"table": "t", "key": ["name"]}, "have no name, by which they are read"),
        ({"table": "t", "cursor": {"field": "at"}}, "has no column at, which source.cursor names"),
        ({"table": "t", "changed_only": True}, "has no column _version, which changed_only reads"),
        ({"table": "t", "where": "nme = 1"}, "the table t: the database says: .*nme"),
        ({"query": "SELECT nme FROM t"}, "source.query: the database says: .*nme"),
        ({"query": "SELECT id, id FROM t"}, "two columns of the name id"),
    ],
)
def test_what_cannot_be_read_is_told(
    context: ReadingContext, database: Database, options: dict[str, Any], words: str
) -> None:
    """The error names the table, the column or what the database says, and no attempt is made again."""
    run(database, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)", "INSERT INTO t VALUES (1, NULL), (2, NULL)")
    with pytest.raises(GiveUp, match=words):
        records(context, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "either table or query"),
        ({"table": "t", "query": "SELECT 1"}, "either table or query"),
        ({"table": "a; drop table b"}, "pattern"),
        ({"query": "SELECT 1", "where": "x"}, "where goes with table"),
        ({"query": "SELECT 1", "changed_only": True}, "changed_only goes with table"),
        ({"query": "SELECT :x"}, "nothing is known to fill :x"),
        ({"query": "SELECT 1", "params": {"x": 1}}, "nothing asks for :x"),
        ({"query": "SELECT :since", "params": {"since": 1}}, "filled by the run"),
        ({"query": "SELECT :cursor"}, "says :cursor"),
        ({"query": "SELECT 1", "cursor": {"field": "x"}}, "says :cursor"),
        ({"query": "SELECT :cursor", "cursor": {"field": "x"}}, "cursor.initial is missing"),
        ({"table": "t", "cursor": {"field": "x"}, "changed_only": True}, "a cursor of its own"),
        ({"table": "t", "where": "x > :cursor", "cursor": {"field": "x"}}, "writes its condition itself"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Json], words: str) -> None:
    """What would go wrong in a run is told when it is configured."""
    with pytest.raises(ValidationError, match=words):
        SqlSourceOptions.model_validate(options)
