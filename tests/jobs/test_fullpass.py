"""Which runs read everything, how, and what a mirror makes of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from jobs.contract import Cursor, Json, Window
from jobs.fullpass import is_due
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request
from worker.store.database import Database

DAY = 86400.0
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "every", "params", "due"),
    [
        (None, 7 * DAY, {}, True),
        ("2026-05-26T12:00:00+00:00", 7 * DAY, {}, False),
        ("2026-05-25T12:00:00+00:00", 7 * DAY, {}, True),
        ("2026-06-01T11:59:00+00:00", 7 * DAY, {"full": "true"}, True),
        ("2026-06-01T11:59:00+00:00", None, {"full": True}, True),
        ("2026-01-01T00:00:00+00:00", None, {}, False),
        ("2026-06-01T11:59:00+00:00", 7 * DAY, {"full": "false"}, False),
    ],
)
def test_when_everything_is_read(last: str | None, every: float | None, params: dict[str, Json], due: bool) -> None:
    """After so long, never before, and always on request."""
    assert is_due(last, NOON, every, params) is due


class Changing:
    """An API whose rows change between runs; it answers with those changed since it was asked for."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}

    def __call__(self, request: Request) -> Json:
        """Returns one page."""
        since = request.params.get("since", "")
        rows = [{"id": key, "at": at} for key, at in sorted(self.rows.items()) if at >= since]
        return {"data": rows}


def api_job(**more: Json) -> Sync:
    """Returns a job that mirrors the API."""
    source = {"account": "a", "path": "/rows", "records": "data", "cursor": {"field": "at", "param": "since"}}
    target = {"table": "t", "key": "id", "mode": "mirror"}
    return Sync(SyncOptions.model_validate({"source": source, "destination": target, "full_every": "7d"} | more))


def run(job: Sync, context: MemoryContext, at: datetime, **params: Json) -> None:
    """Runs the job at a time."""
    context.window, context.params = Window(None, at), params
    job.run(context)
    context.run_id += 1


def there(context: MemoryContext) -> list[int]:
    """Returns the ids of rows that are not marked."""
    return [row["id"] for row in context.rows("t") if row.get("_deleted_at") is None]


def test_a_mirror_of_what_is_new_sees_deletions_with_its_whole_passes() -> None:
    """A run in between reads what is new; the pass that is due reads all, and the cursor stays where it was."""
    server = Changing()
    server.rows = {1: "2026-06-01T01:00:00Z", 2: "2026-06-01T02:00:00Z", 3: "2026-06-01T03:00:00Z"}
    with MemoryContext(answers=server) as context:
        job = api_job()
        run(job, context, NOON)
        assert context.cursors["full"] == Cursor("2026-06-01T12:00:00+00:00", 1)
        del server.rows[1]
        server.rows[4] = "2026-06-02T00:00:00Z"
        run(job, context, NOON + timedelta(days=1))
        assert (there(context), context.requests[-1].params["since"]) == ([1, 2, 3, 4], "2026-06-01T03:00:00Z")
        reached = context.cursors[""]
        run(job, context, NOON + timedelta(days=7))
        assert (there(context), context.requests[-1].params.get("since")) == ([2, 3, 4], None)
        assert context.cursors == {"": reached, "full": Cursor("2026-06-08T12:00:00+00:00", 2)}
        del server.rows[2]
        run(job, context, NOON + timedelta(days=8))
        assert there(context) == [2, 3, 4]
        run(job, context, NOON + timedelta(days=8), full="true")
        assert there(context) == [3, 4]


def test_a_pass_that_failed_is_due_again() -> None:
    """Its time is stored after its rows."""
    server = Changing()
    server.rows = {1: "2026-06-01T01:00:00Z"}
    with MemoryContext(answers=server) as context:
        job = api_job()
        run(job, context, NOON)
        context.answers = lambda _: RuntimeError("down")
        with pytest.raises(RuntimeError):
            run(job, context, NOON + timedelta(days=8))
        assert context.cursors["full"].version == 1
        context.answers = server
        run(job, context, NOON + timedelta(days=8))
        assert context.cursors["full"].version == 2


def test_a_server_token_starts_over() -> None:
    """A pass without the token gets a new one; what does not come is gone."""
    replies: list[Json] = [
        {"data": [{"id": 1}, {"id": 2}], "sync": "a"},
        {"data": [{"id": 3}], "sync": "b"},
        {"data": [{"id": 2}, {"id": 3}], "sync": "c"},
    ]
    source = {
        "account": "a",
        "path": "/rows",
        "records": "data",
        "cursor": {"kind": "opaque", "param": "token", "next": "sync"},
    }
    with MemoryContext(answers=replies) as context:
        job = api_job(source=source)
        for day in (0, 1, 7):
            run(job, context, NOON + timedelta(days=day))
        assert [request.params.get("token") for request in context.requests] == [None, "a", None]
        assert (there(context), context.cursors[""].value) == ([2, 3], "c")


@pytest.mark.parametrize("news", [{"changed_only": True}, {"cursor": {"field": "n"}}])
def test_a_mirror_of_a_table(database: Database, news: dict[str, Json]) -> None:
    """What is new goes by the cursor; rows deleted from the source by others show in the whole pass."""
    job = Sync(
        SyncOptions.model_validate(
            {
                "source": {"table": "s", "key": "id"} | news,
                "destination": {"table": "t", "key": "id", "mode": "mirror"},
                "full_every": "7d",
            }
        )
    )
    feed = Sync(
        SyncOptions.model_validate(
            {"source": {"account": "a", "path": "/x"}, "destination": {"table": "s", "key": "id"}}
        )
    )
    with MemoryContext(
        answers=[[{"id": number, "n": number} for number in range(1, 4)]], write=database.write
    ) as context:
        feed.run(context)
        run(job, context, NOON)
        with context.unit() as unit:
            unit.connection.execute(sa.text("DELETE FROM s WHERE id = 2"))
        run(job, context, NOON + timedelta(days=1))
        assert there(context) == [1, 2, 3]
        run(job, context, NOON + timedelta(days=7))
        assert there(context) == [1, 3]


CURSOR = {"account": "a", "path": "/x", "cursor": {"field": "at", "param": "since"}}
TOKEN = {"account": "a", "path": "/x", "cursor": {"kind": "opaque", "param": "t", "next": "n"}}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": CURSOR, "destination": {"table": "t", "key": "id", "mode": "mirror"}}, "full_every is missing"),
        ({"source": CURSOR, "destination": {"table": "t", "mode": "append"}}, "would double what the cursor reads"),
        (
            {"source": {"table": "s", "cursor": {"field": "n"}}, "destination": {"table": "t", "mode": "append"}},
            "double",
        ),
        ({"source": CURSOR, "destination": {"table": "t", "mode": "replace"}}, "would leave only what came since"),
        (
            {"source": {"table": "s"}, "destination": {"table": "t", "key": "id"}, "full_every": "1d"},
            "this one reads everything",
        ),
        (
            {"source": TOKEN, "destination": {"table": "t", "mode": "append"}, "full_every": "1d"},
            "would append everything once more",
        ),
        (
            {"source": {"table": "s"}, "destination": {"table": "t", "key": "id"}, "map": {"_version": "v"}},
            "the worker's own",
        ),
        (
            {"source": {"table": "s"}, "destination": {"table": "t", "key": "id", "mode": "mirror"}, "map": {"n": "v"}},
            "the column id is missing",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Json], words: str) -> None:
    """The configuration says it before the first run does."""
    with pytest.raises(ValidationError, match=words):
        SyncOptions.model_validate(options)


@pytest.mark.parametrize("source", [TOKEN, {"table": "s", "changed_only": True}])
def test_an_exact_cursor_may_be_appended(source: dict[str, Json]) -> None:
    """It brings nothing twice."""
    SyncOptions.model_validate({"source": source, "destination": {"table": "t", "mode": "append"}})


def test_an_append_goes_on_where_its_token_stands() -> None:
    """A run that dies before its last page stores nothing that the next one would double."""
    pages: list[Json] = [
        {"data": [{"id": 1}], "next": "p2"},
        RuntimeError("down"),
        {"data": [{"id": 1}], "next": "p2"},
        {"data": [{"id": 2}], "sync": "s1"},
        {"data": [{"id": 3}], "sync": "s2"},
    ]
    source = TOKEN | {
        "records": "data",
        "cursor": {"kind": "opaque", "param": "t", "next": "sync"},
        "paging": {"kind": "token", "next": "next", "param": "page"},
    }
    options = {"source": source, "destination": {"table": "t", "mode": "append"}, "prefetch": 0}
    with MemoryContext(answers=pages) as context:
        job: Any = Sync(SyncOptions.model_validate(options))
        with pytest.raises(RuntimeError):
            run(job, context, NOON)
        assert there(context) == [1]
        context.run_id = 2
        run(job, context, NOON)
        run(job, context, NOON)
        assert there(context) == [1, 2, 3]
