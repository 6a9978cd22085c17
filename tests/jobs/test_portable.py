"""The contract of tables on databases without words of their own here: SQLite taken for a stranger, and MariaDB."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.contract import Counts
from jobs.flow import Batch, Page
from jobs.kinds import Kind
from jobs.sinks import tongues
from jobs.sinks.removal import TooManyGone
from jobs.sinks.schema import TableUnfit, reflect
from jobs.testing import MemoryContext
from tests.examples import examples
from tests.jobs import mariadb
from tests.jobs.filling import destination, store

STRANGERS = [
    "sqlite",
    pytest.param("mariadb", marks=pytest.mark.skipif(bool(mariadb.missing()), reason=mariadb.missing())),
]


@pytest.fixture(scope="module")
def maria() -> Iterator[sa.Engine]:
    """A MariaDB server for this file; not in pytest's own folder, which its user may not enter."""
    with TemporaryDirectory(prefix="maria-") as folder, mariadb.server(Path(folder)) as engine:
        yield engine
        engine.dispose()


@pytest.fixture(params=STRANGERS)
def stranger(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryContext]:
    """A context on a database that is spoken to through SQLAlchemy alone."""
    if request.param == "sqlite":
        monkeypatch.setattr(tongues, "_TONGUES", {})
        with MemoryContext() as context:
            yield context
        return
    engine: sa.Engine = request.getfixturevalue("maria")
    clear(engine)
    with MemoryContext(write=engine.begin) as context:
        yield context


def clear(engine: sa.Engine) -> None:
    """Drops all tables."""
    with engine.begin() as connection:
        for name in sa.inspect(connection).get_table_names():
            connection.exec_driver_sql(f"DROP TABLE {name}")


def rows(count: int) -> list[dict[str, Any]]:
    """Returns so many rows."""
    return [{"id": f"k{number}", "n": number, "at": "2026-01-31T08:00:00Z"} for number in range(count)]


def test_values_of_all_kinds_come_and_go(stranger: MemoryContext) -> None:
    """What is stored again is unchanged, whatever it is; one changed value is a change."""
    row = {
        "id": 7,
        "name": "größe 😀",
        "cost": 0.1,
        "open": True,
        "at": "2026-01-31T08:00:00+02:00",
        "owner": {"mail": "x"},
        "exact": "12.50",
        "day": "2026-01-31",
        "nothing": None,
    }
    declared = {"exact": Kind.DECIMAL, "day": Kind.DATE}
    assert store(stranger, [row], kinds=declared) == Counts(written=1)
    assert store(stranger, [row], kinds=declared) == Counts(unchanged=1)
    for name, value in (
        ("name", "Größe 😀"),
        ("cost", 0.2),
        ("open", False),
        ("at", None),
        ("owner", {}),
        ("day", None),
    ):
        row |= {name: value}
        assert store(stranger, [row], kinds=declared) == Counts(written=1), name
    (stored,) = stranger.rows("t")
    assert (stored["name"], stored["cost"], stored["at"], float(stored["exact"])) == ("Größe 😀", 0.2, None, 12.5)
    with stranger.unit() as unit:
        table = reflect(unit.connection, "t")
    assert table is not None
    assert table.columns["at"].kind is Kind.TIMESTAMP
    assert table.keys == [{"id"}]


def test_rows_are_told_apart_by_each_character(stranger: MemoryContext) -> None:
    """Case and blanks at the end tell keys apart, in pages and over pages."""
    keys = ["a", "A", "a ", "ä"]
    assert store(stranger, [{"id": key} for key in keys[:2]], [{"id": key} for key in keys[1:]]).written == 4
    assert sorted(row["id"] for row in stranger.rows("t")) == sorted(keys)


def test_new_fields_become_columns_and_bad_rows_rejects(stranger: MemoryContext) -> None:
    """One bad row costs its page nothing but time."""
    store(stranger, [{"id": 1, "n": 1}])
    page: list[dict[str, Any]] = [{"id": 2, "n": "x"}, {"id": 3, "more": "y"}, {"id": None}, {"id": 4, "n": 2**80}]
    assert store(stranger, page) == Counts(written=1, rejected=3)
    assert stranger.rows("t") == [{"id": 1, "n": 1, "more": None}, {"id": 3, "n": None, "more": "y"}]


def test_what_the_database_refuses_costs_its_row(stranger: MemoryContext) -> None:
    """A unique index of the user's own."""
    store(stranger, [{"id": 1, "n": 1}])
    with stranger.unit() as unit:
        unit.connection.exec_driver_sql("CREATE UNIQUE INDEX ux ON t (n)")
    assert store(stranger, [{"id": 2, "n": 2}, {"id": 3, "n": 1}, {"id": 4, "n": 4}]) == Counts(written=2, rejected=1)


def test_an_append_begins_anew(stranger: MemoryContext) -> None:
    """Rows of an earlier attempt of the run go."""
    store(stranger, rows(2), mode="append")
    stranger.attempt = 2
    store(stranger, rows(3), mode="append")
    stranger.run_id, stranger.attempt = 2, 1
    store(stranger, rows(1), mode="append")
    assert sorted(row["id"] for row in stranger.rows("t")) == ["k0", "k0", "k1", "k2"]


def test_a_mirror_marks_and_deletes(stranger: MemoryContext) -> None:
    """Behind its guard; what comes back loses its mark."""
    store(stranger, rows(30), mode="mirror", key=["id", "at"])
    assert store(stranger, rows(22), mode="mirror", key=["id", "at"]) == Counts(unchanged=22, deleted=8)
    assert store(stranger, rows(23), mode="mirror", key=["id", "at"]) == Counts(written=1, unchanged=22)
    with pytest.raises(TooManyGone):
        store(stranger, rows(5), mode="mirror", key=["id", "at"])
    gone = Batch(Page([], gone=[{"id": "k3", "at": "2026-01-31T08:00:00Z"}]), [], [])
    assert store(stranger, gone, key=["id", "at"], gone="delete") == Counts(deleted=1)


def test_rows_carry_versions(stranger: MemoryContext) -> None:
    """As everywhere."""
    store(stranger, rows(2), [{"id": "k1", "n": 5}])
    with stranger.unit() as unit:
        found = unit.connection.execute(sa.text("SELECT id, _version FROM t ORDER BY id")).all()
    assert [tuple(row) for row in found] == [("k0", 2), ("k1", 3)]


def test_replacing_is_refused_where_nobody_knows_how(stranger: MemoryContext) -> None:
    """MariaDB swaps names in one statement; of a stranger nobody knows."""
    store(stranger, rows(3))
    if stranger.write is None:
        with pytest.raises(TableUnfit, match='cannot be replaced on sqlite: use mode = "mirror"'):
            store(stranger, rows(1), mode="replace")
        return
    dead = destination(stranger, mode="replace")
    dead.store([Batch(Page(rows(1)), rows(1), rows(1))])
    assert len(stranger.rows("t")) == 3
    for count in (2, 1):
        assert store(stranger, rows(count), mode="replace") == Counts(written=count)
        assert len(stranger.rows("t")) == count
    with stranger.unit() as unit:
        assert sorted(sa.inspect(unit.connection).get_table_names()) == ["_sync_tables", "t"]


PAGE = st.lists(
    st.fixed_dictionaries({"id": st.integers(0, 9)}, optional={"n": st.none() | st.text("aA ", max_size=2)}), max_size=6
)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PAGE, max_size=4))
def test_the_table_is_the_last_state_of_each_record(stranger: MemoryContext, pages: list[list[dict[str, Any]]]) -> None:
    """And a second run changes nothing."""
    with stranger.unit() as unit:
        for name in ("t", "_sync_tables"):
            unit.connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
    store(stranger, *pages)
    states = {row["id"]: row.get("n") for page in pages for row in page}
    if states:
        assert {row["id"]: row.get("n") for row in stranger.rows("t")} == states
    final = [{"id": key} if value is None else {"id": key, "n": value} for key, value in states.items()]
    assert store(stranger, final) == Counts(unchanged=len(final))
