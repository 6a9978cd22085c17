"""Tables and queries of a MariaDB as sources, where a server is installed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jobs.contract import Cursor, Window
from tests.jobs import mariadb
from tests.jobs.reading import reading, records, run, source
from worker.store.other import PlainDatabase

pytestmark = pytest.mark.skipif(bool(mariadb.missing()), reason=mariadb.missing())


def _insert(number: int) -> str:
    name, at, doc = "xyz"[number % 3], f"2026-07-01 12:00:{number:02d}.5", f'{{"n": {number}}}'
    return f"INSERT INTO t VALUES ('{name}', {number}, '{at}', {number}.50, '{doc}', x'00ff')"


@pytest.fixture(scope="module")
def maria() -> Iterator[PlainDatabase]:
    """Opens a database of a server of this module."""
    with TemporaryDirectory(prefix="maria-") as folder, mariadb.server(Path(folder)) as engine:
        database = PlainDatabase(engine, "mysql:///test")
        run(
            database,
            "CREATE TABLE t (a VARCHAR(20), b INT, at DATETIME(6), cost DECIMAL(9,2), doc JSON, raw BLOB, "
            "PRIMARY KEY (a, b), KEY by_at (at))",
            *map(_insert, range(20)),
        )
        yield database
        database.close()


def test_values_become_json(maria: PlainDatabase) -> None:
    """Times without a zone are read in the source's; numbers are exact; JSON, which MariaDB calls text, on wish."""
    with reading(maria) as context:
        [first] = records(context, table="t", where="b = 3", decode="doc", zone="Europe/Berlin")
        assert first == {
            "a": "x",
            "b": 3,
            "at": "2026-07-01T10:00:03.500000Z",
            "cost": "3.50",
            "doc": {"n": 3},
            "raw": "AP8=",
        }


@pytest.mark.parametrize("size", [1, 7, 100])
def test_each_row_comes_once(maria: PlainDatabase, size: int) -> None:
    """By key and streamed."""
    with reading(maria) as context:
        assert sorted(row["b"] for row in records(context, table="t", size=size)) == list(range(20))
        streamed = records(context, query="SELECT b FROM t ORDER BY b", size=size)
        assert streamed == [{"b": number} for number in range(20)]


def test_a_cursor_of_local_times_goes_on(maria: PlainDatabase) -> None:
    """The stored time is UTC, what is compared is the zone's; the look-back reads again."""
    with reading(maria, window=Window(None, datetime(2026, 7, 1, 10, 0, 11, tzinfo=UTC))) as context:
        cursor = {"field": "at", "lookback": "2s"}
        context.cursors[""] = Cursor("2026-07-01T10:00:08.500000Z", 1)
        pages = list(source(table="t", size=3, cursor=cursor, zone="Europe/Berlin").pages(context))
        assert [row["b"] for page in pages for row in page.records] == [6, 7, 8, 9, 10]
        assert [page.cursor for page in pages] == [None, "2026-07-01T10:00:10.500000Z"]


def test_a_querys_cursor_is_bound_as_a_local_time(maria: PlainDatabase) -> None:
    """What is stored in UTC is compared as the column's zone has it."""
    with reading(maria, window=Window(None, datetime(2026, 8, 1, tzinfo=UTC))) as context:
        query = "SELECT b, at FROM t WHERE at > :cursor ORDER BY at"
        cursor = {"field": "at", "initial": "2026-07-01T10:00:16.500000Z"}
        pages = list(source(query=query, cursor=cursor, zone="Europe/Berlin").pages(context))
        assert [row["b"] for page in pages for row in page.records] == [17, 18, 19]
        assert pages[-1].cursor == "2026-07-01T10:00:19.500000Z"
