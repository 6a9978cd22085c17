"""mode = "mirror" and tombstones: what the source no longer has is marked or deleted, behind a guard."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import Counts, Json, RejectLimit, RetryLater
from jobs.flow import Batch, Page
from jobs.sinks.removal import TooManyGone
from jobs.sinks.schema import TableUnfit
from jobs.sinks.sql import Guard, SqlOptions
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, answer
from tests.examples import examples
from tests.jobs.filling import batch, destination, store
from worker.store.database import Database

ALL = {"max_delete": "100%"}


class Killed(Exception):
    """What a test throws where a process would die."""


def sql(context: MemoryContext, statement: str) -> list[tuple[Any, ...]]:
    """Returns what a statement gives."""
    with context.unit() as unit:
        found = unit.connection.execute(sa.text(statement))
        return [tuple(row) for row in found] if found.returns_rows else []


def mirror(context: MemoryContext, *pages: list[dict[str, Any]] | Batch, **options: Json) -> Counts:
    """Stores pages in a run that mirrors."""
    return store(context, *pages, mode="mirror", **options)


def rows(count: int) -> list[dict[str, Any]]:
    """Returns so many rows."""
    return [{"id": number, "n": 0} for number in range(count)]


def there(context: MemoryContext) -> list[int]:
    """Returns the ids of the rows that are not marked."""
    return [row["id"] for row in context.rows("t") if row.get("_deleted_at") is None]


def tables(context: MemoryContext) -> set[str]:
    """Returns the tables that syncs have made."""
    with context.unit() as unit:
        return {name for name in sa.inspect(unit.connection).get_table_names() if name.startswith("t")} - {"tokens"}


def test_what_no_longer_comes_is_marked(context: MemoryContext) -> None:
    """The row stays as it was, with a time, a run and a version; once more the same changes nothing."""
    assert mirror(context, rows(3)) == Counts(written=3)
    context.run_id = 2
    assert mirror(context, rows(2)) == Counts(unchanged=2, deleted=1)
    marked = sql(context, "SELECT id, n, _run_id, _version FROM t WHERE _deleted_at IS NOT NULL")
    assert [(row[0], row[1], row[2]) for row in marked] == [(2, 0, 2)]
    assert marked[0][3] > 2
    assert mirror(context, rows(2)) == Counts(unchanged=2)
    assert (there(context), tables(context)) == ([0, 1], {"t"})


def test_what_comes_back_loses_its_mark(context: MemoryContext) -> None:
    """It counts as written, though its values are the same."""
    mirror(context, rows(3))
    mirror(context, rows(1))
    assert mirror(context, rows(2)) == Counts(written=1, unchanged=1)
    assert there(context) == [0, 1]


def test_what_no_longer_comes_is_deleted_on_wish(context: MemoryContext) -> None:
    """No column of marks is made then."""
    mirror(context, rows(3), gone="delete")
    assert mirror(context, rows(2), gone="delete") == Counts(unchanged=2, deleted=1)
    assert context.rows("t") == rows(2)


def test_more_rows_than_one_transaction_takes(context: MemoryContext) -> None:
    """Marks are set in batches, each with a version of its own; keys may have several columns."""
    many = [{"a": f"k{number % 7}", "b": number, "at": "2026-01-01T00:00:00Z"} for number in range(2500)]
    mirror(context, many, key=["a", "at", "b"])
    before = sql(context, "SELECT version FROM _sync_tables")[0][0]
    assert mirror(context, many[:100], key=["a", "at", "b"], guard=ALL) == Counts(unchanged=100, deleted=2400)
    assert sql(context, "SELECT count(*) FROM t WHERE _deleted_at IS NULL") == [(100,)]
    assert sql(context, f"SELECT count(DISTINCT _version) FROM t WHERE _version > {before}") == [(3,)]


@pytest.mark.parametrize(
    ("guard", "live", "limit"),
    [
        ({}, 5, 10),
        ({}, 100, 10),
        ({}, 1000, 100),
        ({"max_delete": 3}, 1000, 3),
        ({"max_delete": "29%"}, 100, 29),
        ({"max_delete": "0%"}, 1000, 0),
        ({"max_delete": "100%"}, 7, 7),
        ({"max_delete": "0.5%"}, 1000, 5),
    ],
)
def test_what_the_guard_allows(guard: Json, live: int, limit: int) -> None:
    """A number, or a share; unasked a tenth, and ten rows of a small table."""
    assert Guard.model_validate(guard).limit(live) == limit


@pytest.mark.parametrize("wrong", ["101%", "ten", "-1%", -1, "10"])
def test_a_guard_that_says_nothing_is_refused(wrong: Json) -> None:
    """A typing error must not open the gate."""
    with pytest.raises(ValidationError):
        Guard.model_validate({"max_delete": wrong})


def test_more_than_the_guard_allows_does_not_go(context: MemoryContext) -> None:
    """None of them goes, and the message names both numbers and the option; what came is stored."""
    mirror(context, rows(100))
    with pytest.raises(TooManyGone, match=r"^11 rows of the table t would be marked .* allowed are 10 \(guard.max_del"):
        mirror(context, [*rows(89), {"id": 500, "n": 1}])
    assert there(context) == [*range(100), 500]
    with pytest.raises(TooManyGone, match="would be deleted"):
        mirror(context, rows(89), gone="delete", guard={"max_delete": 11})
    assert there(context) == [*range(100), 500]
    assert TooManyGone.permanent
    assert mirror(context, rows(89), guard={"max_delete": "12%"}).deleted == 12


def test_an_empty_answer_takes_nothing_away(context: MemoryContext) -> None:
    """Not a single page is a whole pass too: the guard stands before it."""
    mirror(context, rows(50))
    with pytest.raises(TooManyGone):
        mirror(context)
    assert mirror(context, guard=ALL).deleted == 50
    assert mirror(context, table="t2") == Counts()


def test_a_pass_that_is_not_whole_takes_nothing_away(context: MemoryContext) -> None:
    """A run that reads what changed since says nothing of the rest."""
    mirror(context, rows(3))
    assert mirror(context, rows(1), complete=False) == Counts(unchanged=1)
    assert there(context) == [0, 1, 2]


def test_a_dead_attempt_says_nothing(context: MemoryContext) -> None:
    """What it met is forgotten: rows that went meanwhile are gone for the next one."""
    mirror(context, rows(3))
    dead = destination(context, mode="mirror")
    dead.store([batch(rows(3))])
    context.attempt = 2
    assert mirror(context, rows(2)).deleted == 1
    assert (there(context), tables(context)) == ([0, 1], {"t"})


def test_a_death_between_two_batches_is_made_good(context: MemoryContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt marks the rest."""
    mirror(context, rows(2500))
    dead = destination(context, mode="mirror", guard=ALL)
    dead.store([batch(rows(10))])
    checks = []

    def dies() -> None:
        checks.append(1)
        if len(checks) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(context, "check", dies)
        with pytest.raises(Killed):
            dead.finish()
    assert len(there(context)) == 1500
    assert mirror(context, rows(10), guard=ALL).deleted == 1490
    assert there(context) == list(range(10))


def test_a_rejected_record_is_not_gone(context: MemoryContext) -> None:
    """Whether the table or the map refused it: the source has it, as long as its key can be read."""
    mirror(context, [{"id": 1, "day": 5}, {"id": 2, "day": 6}, {"id": 3, "day": 7}])
    refused = {"id": 2, "day": {"no": "number"}}
    page = Batch(Page([refused], rejects=[]), [], [], [(refused, "the map says no")])
    assert mirror(context, [{"id": 1, "day": 5}], page) == Counts(unchanged=1, rejected=1, deleted=1)
    assert there(context) == [1, 2]


@pytest.mark.parametrize(
    "mapped",
    [
        {"map": {"id": "name", "day": {"from": "day", "type": "integer"}}},
        {"map": None, "types": {"id": {"type": "text"}, "day": {"type": "integer"}}},
        {"map": None, "flatten": True, "types": {"of_day": {"type": "integer"}}, "key": "of_id"},
    ],
)
def test_a_record_that_the_map_refuses_is_not_gone(context: MemoryContext, mapped: dict[str, Any]) -> None:
    """Its key can be read, by the map's own path or type, and what else went is taken away."""
    key = mapped.get("key", "id")
    rows = [{"id": n, "name": n, "day": 1, "of": {"id": n, "day": 1}} for n in "abc"]
    told = {name: value for name, value in mapped.items() if name != "key"}
    destination = {"table": "t", "key": key, "mode": "mirror", "gone": "delete", "guard": ALL}
    options = {"source": {"account": "api", "path": "/all"}, "destination": destination} | told
    context.answers, context.max_rejects = lambda _: answer(rows), RejectLimit(count=1)
    Sync(SyncOptions.model_validate(options)).run(context)
    rows[1] |= {"day": "no number", "of": {"id": "b", "day": "no number"}}
    del rows[2]
    Sync(SyncOptions.model_validate(options)).run(context)
    assert [row[key] for row in context.rows("t", key)] == ["a", "b"]
    assert (context.counts.rejected, context.counts.deleted) == (1, 1)


@pytest.mark.parametrize("whole", [True, False])
def test_a_record_without_a_key_stops_the_deletions(context: MemoryContext, whole: bool) -> None:
    """Nobody knows which row it is: nothing goes in this pass, and the log says so."""
    mirror(context, rows(3))
    page = Batch(Page(["broken"]), [], [], [("broken", "not an object")])
    assert mirror(context, rows(1), page, whole=whole) == Counts(unchanged=1, rejected=1)
    assert there(context) == [0, 1, 2]
    assert context.said[-1][1:] == (
        "nothing was taken away: records of this pass could not be read",
        {"records": 1},
    )


def test_keys_that_postgresql_forgot_end_the_attempt(postgres_database: Database) -> None:
    """A crash empties unlogged tables; rows that were met before it are not gone."""
    with MemoryContext(write=postgres_database.write) as context:
        mirror(context, rows(3))
        target = destination(context, mode="mirror")
        target.store([batch(rows(3))])
        sql(context, "TRUNCATE t__seen")
        with pytest.raises(RetryLater, match="holds 0 keys of the 3"):
            target.finish()
        assert there(context) == [0, 1, 2]


def test_tombstones_mark_rows(context: MemoryContext) -> None:
    """A page says what is gone, in upsert too; a key that is not there or marked already counts for nothing."""
    store(context, rows(4))
    gone = Batch(Page([], gone=[{"id": 1}, {"id": 77}], cursor="x", cursor_name="deletions"), [], [])
    assert store(context, gone) == Counts(deleted=1)
    assert store(context, gone) == Counts()
    assert there(context) == [0, 2, 3]
    assert context.cursors["deletions"].value == "x"
    assert store(context, [{"id": 1, "n": 0}]) == Counts(written=1)


def test_tombstones_delete_on_wish_and_within_bounds(context: MemoryContext) -> None:
    """The guard counts them all; the page that goes beyond it leaves nothing, its cursor neither."""
    store(context, rows(100))
    pages = [
        Batch(Page([], gone=[{"id": number} for number in range(start, start + 4)], cursor=start), [], [])
        for start in (0, 4, 8)
    ]
    with pytest.raises(TooManyGone, match=r"^12 rows"):
        store(context, *pages, gone="delete")
    assert (len(context.rows("t")), context.cursors[""].value) == (92, 4)


def test_a_tombstone_without_the_key_is_rejected(context: MemoryContext) -> None:
    """It names no row, and nobody may guess."""
    store(context, rows(1))
    counts = store(context, Batch(Page([], gone=[{"sys_id": 1}]), [], []))
    assert (counts.rejected, context.rejects[0][0]) == (1, {"sys_id": 1})


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_tombstones_need_a_key(context: MemoryContext, mode: str) -> None:
    """A table of all that ever came cannot follow deletions."""
    store(context, rows(1), mode=mode)
    with pytest.raises(TableUnfit, match="which a table filled with mode"):
        store(context, Batch(Page([], gone=[{"id": 1}]), [], []), mode=mode)


def test_rows_that_others_refer_to_are_not_deleted(context: MemoryContext) -> None:
    """The message says what to do."""
    store(context, rows(2))
    sql(context, "CREATE TABLE child (id BIGINT REFERENCES t (id))")
    sql(context, "INSERT INTO child VALUES (1)")
    with pytest.raises(TableUnfit, match=r'cannot be deleted: .* say gone = "mark"'):
        mirror(context, rows(1), gone="delete")
    assert len(context.rows("t")) == 2


def test_what_guards_is_for_modes_that_take_away() -> None:
    """Elsewhere the option would promise what nobody does."""
    with pytest.raises(ValidationError, match='guard has no meaning with mode = "append"'):
        SqlOptions.model_validate({"table": "t", "mode": "append", "guard": {"max_delete": 1}})
    with pytest.raises(ValidationError, match='key is missing; mode = "mirror"'):
        SqlOptions.model_validate({"table": "t", "mode": "mirror"})


STATES = st.dictionaries(st.integers(0, 30), st.integers(0, 2), max_size=30)
DEATH = st.none() | st.integers(0, 5)


def passes(context: MemoryContext, runs: list[tuple[dict[int, int], int | None]], delete: bool) -> None:
    """Plays passes over changing states, some of which die, and compares table and state after each."""
    kept: dict[int, int] = {}
    live: dict[int, int] = {}
    for state, dies_after in runs:
        page = [{"id": key, "n": value} for key, value in state.items()]
        pages = [page[start : start + 7] for start in range(0, len(page), 7)]
        target = destination(context, mode="mirror", gone="delete" if delete else "mark")
        for part in pages[:dies_after]:
            target.store([batch(part)])
            live |= {row["id"]: row["n"] for row in part}
        if dies_after is None:
            gone = live.keys() - state.keys()
            if len(gone) > max(10, len(live) // 10):
                with pytest.raises(TooManyGone):
                    target.finish()
            else:
                target.finish()
                live = dict(state)
        kept |= live
        found = context.rows("t") if "t" in tables(context) else []
        assert {row["id"]: row["n"] for row in found if row.get("_deleted_at") is None} == live
        if not delete:
            assert {row["id"]: row["n"] for row in found} == kept


RUNS = st.lists(st.tuples(STATES, DEATH), max_size=6)


@given(RUNS, st.booleans())
def test_the_mirror_shows_the_last_whole_pass(runs: list[tuple[dict[int, int], Any]], delete: bool) -> None:
    """Whatever came, went, returned, and whichever pass died or was held back by the guard."""
    with MemoryContext() as context:
        passes(context, runs, delete)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RUNS, st.booleans())
def test_the_mirror_shows_the_last_whole_pass_on_postgresql(
    postgres_database: Database, runs: list[tuple[dict[int, int], Any]], delete: bool
) -> None:
    """The same, where keys are copied and marks are typed."""
    with MemoryContext(write=postgres_database.write) as context:
        sql(context, "DROP TABLE IF EXISTS t, t__seen, _sync_tables")
        postgres_database.engine.dispose()  # else plans of the table before are in the way
        passes(context, runs, delete)
