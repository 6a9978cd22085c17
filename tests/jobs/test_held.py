"""Runs that are held to a window: what a sync reads then, that no cursor moves, and which jobs refuse."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from jobs.contract import Cursor, GiveUp, Json, Window
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext
from tests.jobs.reading import ReadingContext, reading, run, sync
from tests.jobs.servers import Offsets
from worker.store.database import Database

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HELD = Window(NOON - timedelta(hours=2), NOON - timedelta(hours=1), given=True)
CURSOR = {"field": "at", "param": "since", "until_param": "until", "lookback": "5m"}
API = {"account": "api", "path": "/items", "records": "items", "paging": {"kind": "offset", "size": 2}}
STANDS = {"": Cursor("2026-06-01T11:59:00Z", 7), "full": Cursor("2020-01-01T00:00:00+00:00", 1)}


def job(source: dict[str, Json], **destination: Json) -> Sync:
    """Returns a job from an API into the table t."""
    given = {"source": API | source, "destination": {"table": "t", "key": "id"} | destination}
    more = {"full_every": "1d"} if "cursor" in source and destination.get("mode") == "mirror" else {}
    return Sync(SyncOptions.model_validate(given | more))


def rows(*hours: float) -> list[Json]:
    """Returns records that changed so many hours before noon."""
    changed = [(NOON - timedelta(hours=hour)).isoformat().replace("+00:00", "Z") for hour in hours]
    return [{"id": number, "at": at} for number, at in enumerate(changed)]


def held(answers: list[Json]) -> MemoryContext:
    """Returns a context of a run that is held to a window."""
    return MemoryContext(answers=Offsets(answers), cursors=dict(STANDS), window=HELD)


def test_the_window_stands_in_for_the_cursor() -> None:
    """Its beginning, less the look-back, and its end are asked for; the cursor stays where it is."""
    with held(rows(2, 1.5)) as context:
        job({"cursor": CURSOR}).run(context)
        asked = context.requests[0].params
        assert (asked["since"], asked["until"]) == ("2026-06-01T09:55:00Z", "2026-06-01T11:00:00Z")
        assert [row["id"] for row in context.rows("t", "id")] == [0, 1]
        assert context.cursors == STANDS


def test_a_mirror_takes_nothing_for_gone() -> None:
    """A window is not all there is, even where a whole pass would be due."""
    mirror = job({"cursor": CURSOR}, mode="mirror")
    with MemoryContext(answers=Offsets(rows(5, 4)), window=Window(None, NOON)) as context:
        mirror.run(context)
        context.window, context.answers = HELD, Offsets(rows(2))
        mirror.run(context)
        assert len(context.rows("t")) == 2
        assert context.counts.deleted == 0


def test_slices_cut_the_window() -> None:
    """From its beginning to its end, wherever the cursor stands."""
    slices = {"by": "30m", "from": "2020-01-01T00:00:00Z", "since_param": "a", "until_param": "b"}
    with held([]) as context:
        job({"slices": slices}).run(context)
        assert [(one.params["a"][11:16], one.params["b"][11:16]) for one in context.requests] == [
            ("10:00", "10:30"),
            ("10:30", "11:00"),
        ]
        assert context.cursors == STANDS


def test_deletions_are_read_of_the_window_too() -> None:
    """They have a cursor of their own, which stays too."""
    deletions = {"path": "/gone", "records": "items", "key": {"id": "id"}, "cursor": CURSOR, "paging": API["paging"]}
    with held([]) as context:
        job({"cursor": CURSOR, "deletions": deletions}).run(context)
        assert {one.params["since"] for one in context.requests} == {"2026-06-01T09:55:00Z"}
        assert len(context.requests) == 2
        assert context.cursors == STANDS


@pytest.fixture
def context(database: Database) -> Iterator[ReadingContext]:
    """A context on either database, held to a window, with a table of rows over some hours."""
    kind = "timestamptz" if database.dialect == "postgresql" else "text"
    run(database, f"CREATE TABLE t (id integer PRIMARY KEY, n integer, at {kind})")
    for row in rows(3, 2, 1.5, 1, 0.5):
        run(database, f"INSERT INTO t VALUES ({row['id']}, {row['id']}, '{row['at']}')")
    with reading(database, window=HELD) as made:
        yield made


def test_a_column_of_times_is_bounded_on_both_ends(context: ReadingContext) -> None:
    """On a table with a cursor the rows of the window come, both ends included."""
    context.cursors = dict(STANDS)
    sync(table="t", cursor={"field": "at"}).run(context)
    assert [row["id"] for row in context.rows("u", "id")] == [1, 2, 3]
    assert context.cursors == STANDS


def test_a_column_of_numbers_cannot_be_bounded(context: ReadingContext) -> None:
    """Which only the table tells: the run ends in words, and nothing is stored."""
    with pytest.raises(GiveUp, match="the column n of t holds no times, so that no window bounds it"):
        sync(table="t", cursor={"field": "n"}).run(context)


def test_a_query_takes_both_ends(context: ReadingContext) -> None:
    """As :since and :until."""
    sync(query="SELECT id, n FROM t WHERE at >= :since AND at < :until").run(context)
    assert [row["id"] for row in context.rows("u", "id")] == [1, 2]


OPAQUE = {"kind": "opaque", "param": "token", "next": "next"}


@pytest.mark.parametrize(
    ("refusing", "why"),
    [
        (job({}), "nothing of its source depends on the window"),
        (job({"cursor": OPAQUE}), "a token of the far end's own"),
        (sync(table="t", changed_only=True), "changed_only"),
        (sync(table="t"), "nothing of its source depends on the window"),
        (sync(query="SELECT id FROM t WHERE n > :cursor", cursor={"field": "n", "initial": 0}), "asks for :cursor"),
        (job({"params": {"from": "{since}"}}, mode="replace"), 'mode = "replace"'),
        (job({"params": {"from": "{since}"}}, mode="mirror"), 'mode = "mirror"'),
    ],
)
def test_a_backfill_is_refused_where_it_makes_no_sense(refusing: Sync, why: str) -> None:
    """In a sentence that says what the job does instead."""
    assert why in refusing.backfill_problem({})


@pytest.mark.parametrize(
    "taking",
    [
        job({"cursor": CURSOR}),
        job({"cursor": CURSOR}, mode="mirror"),
        job({"params": {"from": "{since}", "to": "{until}"}}),
        job({"params": {"from": "{since}"}}, mode="append"),
        sync(table="t", cursor={"field": "at"}),
        sync(table="t", where="at >= :since AND at < :until"),
    ],
)
def test_a_backfill_is_taken_where_the_window_bounds_what_is_read(taking: Sync) -> None:
    """A run with full=true reads everything all the same: that one is refused."""
    assert taking.backfill_problem({}) == ""
    assert "full=true" in taking.backfill_problem({"full": "true"})


def test_what_reads_everything_can_be_replayed() -> None:
    """Once more is once more; what no window bounds cannot."""
    assert job({}).window_problem({}) == ""
    assert "a token" in job({"cursor": OPAQUE}).window_problem({})
