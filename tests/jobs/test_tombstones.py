"""Deletions that a resource of its own tells: applied before the records, from the first run's start on."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.contract import Answer, Cursor, RejectLimit, Window
from jobs.errors import TooManyRejects
from jobs.ids import id_at
from jobs.sinks.removal import TooManyGone
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request, answer
from tests.jobs.overhttp import servicenow
from tests.sandbox.calling import Caller
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DELETIONS = {"path": "/gone", "key": {"id": "which.id"}, "cursor": {"field": "at", "param": "since", "lookback": "5m"}}


def job(**destination: Any) -> Sync:  # noqa: ANN401 - options as they are configured
    """Returns a job that follows deletions."""
    source = {"account": "api", "path": "/all", "deletions": DELETIONS}
    told = {"table": "t", "key": "id", "guard": {"max_delete": "100%"}} | destination
    return Sync(SyncOptions.model_validate({"source": source, "destination": told}))


def far_end(rows: list[Any], gone: list[Any]) -> Callable[[Request], Answer]:
    """Returns a script with records and tombstones, filtered as asked."""

    def script(request: Request) -> Answer:
        if request.path == "/all":
            return answer(rows)
        return answer([one for one in gone if one["at"] >= request.params["since"]])

    return script


def at_minute(minute: int) -> datetime:
    """Returns a time around noon."""
    return NOON + timedelta(minutes=minute)


def at(minute: int) -> str:
    """Returns such a time as the API writes it."""
    return f"{at_minute(minute):%Y-%m-%dT%H:%M:%SZ}"


def test_what_was_deleted_goes_and_what_cannot_be_read_is_a_reject() -> None:
    """The first run only notes its start; the next one asks for what went since, less the look-back, and so on."""
    rows = [{"id": 1}, {"id": 2}, {"id": 3}]
    gone: list[Any] = [{"at": at(-60), "which": {"id": 9}}]
    with MemoryContext(answers=far_end(rows, gone), window=Window(None, NOON)) as context:
        job().run(context)
        assert [request.path for request in context.requests] == ["/all"]
        assert context.cursors["deletions"] == Cursor("2026-06-01T12:00:00Z", 1)
        del rows[1:]
        gone += [{"at": at(2), "which": {"id": 2}}, {"at": at(3), "which": {"id": 3}}, {"at": at(3), "which": None}]
        context.window, context.max_rejects = Window(None, NOON + timedelta(hours=1)), RejectLimit(count=1)
        job().run(context)
        assert context.requests[1].params == {"since": at(-5)}
        assert {row["id"]: row["_deleted_at"] is None for row in context.rows("t", "id")} == {
            1: True,
            2: False,
            3: False,
        }
        assert (context.counts.deleted, context.cursors["deletions"].value) == (2, at(3))
        assert "names nothing that is gone" in context.rejects[0][1]


def test_a_record_that_was_made_again_stays() -> None:
    """Its tombstone is read before it, and by the look-back of each later run once more: it is older than the row."""
    rows, gone = [{"id": 1}, {"id": 2}], list[Any]()
    with MemoryContext(answers=far_end(rows, gone)) as context:
        for minute, told in ((0, []), (3, [{"at": at(2), "which": {"id": 2}}]), (4, []), (5, [])):
            gone += told
            context.run_id, context.window = id_at(at_minute(minute)), Window(None, at_minute(minute))
            job(gone="delete").run(context)
            assert [row["id"] for row in context.rows("t", "id")] == [1, 2]
        del rows[1:]
        gone.append({"at": at(5), "which": {"id": 2}})
        job(gone="delete").run(context)
        assert [row["id"] for row in context.rows("t")] == [1]


@pytest.mark.parametrize(("at", "goes"), [("9999-12-31T23:59:59Z", True), ("1970-01-01T00:00:00Z", False)])
def test_a_deletion_may_be_told_with_any_time(at: str, goes: bool) -> None:
    """APIs write the first or the last day that there is where they know none."""
    rows, gone = [{"id": 1}], list[Any]()
    deletions = {name: value for name, value in DELETIONS.items() if name != "cursor"}
    deletions |= {"cursor": {"field": "at", "param": "since", "initial": "1970-01-01T00:00:00Z"}}
    source = {"account": "api", "path": "/all", "deletions": deletions}
    told = {"source": source, "destination": {"table": "t", "key": "id", "gone": "delete"}}
    with MemoryContext(answers=far_end(rows, gone), window=Window(None, NOON), run_id=id_at(NOON)) as context:
        Sync(SyncOptions.model_validate(told)).run(context)
        rows.clear()
        gone.append({"at": at, "which": {"id": 1}})
        Sync(SyncOptions.model_validate(told)).run(context)
        assert (context.rows("t") == []) == goes


def test_a_guard_weighs_all_that_went_before_any_goes() -> None:
    """However many pages tell of it, and in each further run alike."""
    rows, gone = [{"id": number} for number in range(100)], list[Any]()

    def script(request: Request) -> Answer:
        if request.path == "/all":
            return answer(rows)
        start = int(str(request.params["offset"]))
        return answer(gone[start : start + 5])

    paged = DELETIONS | {"paging": {"kind": "offset", "size": 5}}
    source = {"account": "api", "path": "/all", "deletions": paged}
    told = {"source": source, "destination": {"table": "t", "key": "id", "guard": {"max_delete": 10}}}
    guarded = Sync(SyncOptions.model_validate(told))
    with MemoryContext(answers=script, window=Window(None, NOON)) as context:
        guarded.run(context)
        gone += [{"at": at(1), "which": {"id": number}} for number in range(12)]
        for _ in range(2):
            with pytest.raises(TooManyGone, match=r"12 rows .* allowed are 10 .*none of them was"):
                guarded.run(context)
            assert [row for row in context.rows("t") if row.get("_deleted_at")] == []


def test_the_start_of_a_first_run_that_fails_is_kept() -> None:
    """Rows stored by a run that fails, and deleted before the next one, are still found gone."""
    rows = [{"id": 1}, {"id": 2}, {"id": None}]
    gone: list[Any] = []
    with MemoryContext(answers=far_end(rows, gone), window=Window(None, NOON)) as context:
        with pytest.raises(TooManyRejects):
            job().run(context)
        assert len(context.rows("t")) == 2
        gone.append({"at": at(1), "which": {"id": 2}})
        del rows[1:]
        context.window = Window(None, NOON + timedelta(days=1))
        job(gone="delete").run(context)
        assert [row["id"] for row in context.rows("t")] == [1]


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A caller of a sandbox with incidents."""
    with Sandbox(SandboxOptions(rows=30)) as sandbox:
        calling = Caller(sandbox)
        with calling.session:
            yield calling


def test_servicenows_audit_of_deletions_is_followed(caller: Caller) -> None:
    """What access rules hide looks like nothing; what was deleted is told by sys_audit_delete."""
    window = Window(None, datetime.now(UTC) + timedelta(hours=1))
    paging = {"kind": "servicenow", "size": 7}
    deletions = {
        "path": "/api/now/table/sys_audit_delete",
        "records": "result",
        "paging": paging | {"filter": "tablename=incident"},
        "cursor": {"field": "sys_created_on", "format": "servicenow", "lookback": "2h"},
        "key": {"sys_id": "documentkey"},
    }
    source = {
        "account": "now",
        "path": "/api/now/table/incident",
        "records": "result",
        "paging": paging,
        "cursor": {"field": "sys_updated_on", "format": "servicenow", "lookback": "5m"},
        "deletions": deletions,
    }
    told = {"source": source, "destination": {"table": "t", "key": "sys_id", "gone": "delete"}}
    with MemoryContext(answers=servicenow(caller), window=window) as context:
        Sync(SyncOptions.model_validate(told)).run(context)
        assert len(context.rows("t")) == 30
        first, second = (str(row["sys_id"]) for row in caller.sandbox.rows("incident")[:2])
        for sys_id in (first, second):
            caller.sandbox.delete("incident", sys_id)
        Sync(SyncOptions.model_validate(told)).run(context)
        assert {first, second}.isdisjoint(row["sys_id"] for row in context.rows("t"))
        assert (len(context.rows("t")), context.counts.deleted) == (28, 2)
