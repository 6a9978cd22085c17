"""Children of parents: each once, with their parent's fields, from a table's rows or another resource's records."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.contract import Answer, BadAnswer, Cursor, FailedAnswer, Json, RejectLimit, Window
from jobs.flow import Page
from jobs.sources.composed import ApiOptions
from jobs.sources.lanes import gathered
from jobs.sync import Sync, SyncOptions
from jobs.testing import MemoryContext, Request, answer
from tests.jobs.overhttp import generic
from tests.jobs.reading import reading, run
from tests.sandbox.calling import Caller
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store.database import Database

LINES: dict[str, Any] = {
    "account": "api",
    "path": "/orders/{parent.id}/lines",
    "records": "items",
    "paging": {"kind": "page", "size": 1, "size_param": "per_page", "total_pages": "pages"},
}
ORDERS = {"path": "/orders", "records": "items", "paging": {"kind": "offset", "size": 7, "total": "total"}}


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A caller of a sandbox with orders, some of which have no lines."""
    with Sandbox(SandboxOptions(rows=40)) as sandbox:
        calling = Caller(sandbox)
        with calling.session:
            yield calling


def job(source: dict[str, Any], key: list[str] | str = "id", **more: Json) -> Sync:
    """Returns a job into the table t."""
    return Sync(SyncOptions.model_validate({"source": source, "destination": {"table": "t", "key": key}} | more))


@pytest.mark.parametrize("parallel", [1, 4])
def test_the_lines_of_all_orders_arrive(caller: Caller, parallel: int) -> None:
    """Parents come from a resource in pages of their own; their pages keep their order."""
    source = LINES | {"for_each": ORDERS, "include": {"order": "id"}, "parallel": parallel}
    with MemoryContext(answers=generic(caller)) as context:
        job(source).run(context)
        lines = caller.sandbox.rows("order_lines")
        assert [row["id"] for row in context.rows("t", "id")] == [row["id"] for row in lines]
        assert all(row["order"] == row["order_id"] for row in context.rows("t"))
        assert context.counts.rejected == 0


def test_parents_may_be_rows_of_a_table(caller: Caller, sqlite_database: Database) -> None:
    """A condition chooses among them; the table is read while the children are stored beside it."""
    orders = [str(row["id"]) for row in caller.sandbox.rows("orders")]
    run(sqlite_database, "CREATE TABLE orders (id TEXT PRIMARY KEY, open INTEGER)")
    run(sqlite_database, *(f"INSERT INTO orders VALUES ('{one}', {place % 2})" for place, one in enumerate(orders)))
    parents = {"table": "orders", "columns": ["id"], "where": "open = :open", "params": {"open": 1}, "size": 3}
    with reading(sqlite_database, answers=generic(caller)) as context:
        job(LINES | {"for_each": parents, "parallel": 2}).run(context)
        wanted = {str(row["id"]) for row in caller.sandbox.rows("order_lines") if row["order_id"] in orders[1::2]}
        assert {row["id"] for row in context.rows("t")} == wanted


def family(request: Request) -> Answer:
    """Answers with parents, one of which has no resource below it, one a name that needs escapes, one none at all."""
    if request.path == "/p":
        return answer([{"n": "a/b?c", "x": {"y": 1}}, {"n": "gone"}, {"n": None}, {"n": 7}])
    if request.path == "/p/gone/c":
        error = FailedAnswer("GET /p/gone/c answered 404")
        error.status = 404
        raise error
    return answer([{"id": request.path}])


CHILDREN = {"account": "api", "path": "/p/{parent.n}/c", "for_each": {"path": "/p"}}


def test_values_are_escaped_and_missing_ones_told() -> None:
    """A name cannot leave its place in the path; a 404 is passed over on wish; a parent without a name is a reject."""
    source = CHILDREN | {"missing": "skip", "include": {"deep": "x.y"}, "params": {"of": "{parent.n}"}}
    with MemoryContext(answers=family, max_rejects=RejectLimit(count=1)) as context:
        job(source).run(context)
        assert context.rows("t", "id") == [{"id": "/p/7/c", "deep": None}, {"id": "/p/a%2Fb%3Fc/c", "deep": 1}]
        assert context.requests[1].params == {"of": "a/b?c"}
        [(record, reason)] = context.rejects
        assert (record, "{parent.n} is empty, which cannot be part of a path" in reason) == ({"n": None}, True)
        assert context.said == [
            ("warning", "parents whose children are not found (404) were passed over", {"parents": 1})
        ]


def test_a_missing_child_fails_the_run_unless_told() -> None:
    """The error says which option passes over it."""
    with MemoryContext(answers=family) as context, pytest.raises(FailedAnswer, match=r'source.missing = "skip"'):
        job(CHILDREN).run(context)


def test_a_time_cursor_holds_for_all_children_and_moves_at_the_end() -> None:
    """It is sent with each child's request, and moves to the newest of all."""
    times = {"/p/1/c": "2026-01-05T00:00:00Z", "/p/2/c": "2026-01-03T00:00:00Z"}

    def script(request: Request) -> Answer:
        if request.path == "/p":
            return answer([{"n": 1}, {"n": 2}])
        return answer([{"id": request.path, "at": times[request.path]}])

    source = CHILDREN | {"cursor": {"field": "at", "param": "since"}, "parallel": 2}
    with MemoryContext(answers=script, window=Window(None, datetime(2026, 2, 1, tzinfo=UTC))) as context:
        job(source).run(context)
        assert context.cursors[""] == Cursor("2026-01-05T00:00:00Z", 1)
        times = dict.fromkeys(times, "2026-01-06T00:00:00Z")
        job(source).run(context)
        assert {one.params["since"] for one in context.requests[4:]} == {"2026-01-05T00:00:00Z"}


SHRUNK = {"records": "items", "paging": {"kind": "offset", "size": 2, "total": "total"}}


def shrinking(request: Request, *items: dict[str, Json]) -> Answer:
    """Answers with pages of four records, of which the first leaves after the first page: the third is never seen."""
    if request.params["offset"] == "0":
        return answer({"items": items[:2], "total": 4})
    return answer({"items": items[3:], "total": 3})


def test_a_mirror_takes_nothing_away_where_parents_slipped_past() -> None:
    """Their children did not come, and are there all the same."""
    parents: list[dict[str, Json]] = [{"n": number} for number in range(4)]
    moved = False

    def script(request: Request) -> Answer:
        if request.path != "/p":
            return answer([{"id": request.path}])
        start = int(request.params["offset"])
        found = parents[3:] if moved and start else parents[start : start + 2]
        return answer({"items": found, "total": 3 if moved and start else 4})

    options = SyncOptions.model_validate(
        {
            "source": CHILDREN | {"for_each": {"path": "/p"} | SHRUNK},
            "destination": {"table": "t", "key": "id", "mode": "mirror"},
        }
    )
    with MemoryContext(answers=script) as context:
        Sync(options).run(context)
        moved = True
        Sync(options).run(context)
        assert context.requests[-1].path == "/p/3/c"
        assert [row["_deleted_at"] for row in context.rows("t")] == [None] * 4
        assert "nothing was taken away: records left the list" in context.said[-1][1]


@pytest.mark.parametrize("slipping", ["/p", "/p/2/c"])
def test_a_cursor_stays_where_parents_or_children_slipped_past(slipping: str) -> None:
    """Those of other parents do not carry it past what was missed."""
    items: list[dict[str, Json]] = [{"n": n, "id": n, "at": f"2026-01-0{n + 1}T00:00:00Z"} for n in range(4)]

    def script(request: Request) -> Answer:
        if request.path == slipping:
            return shrinking(request, *items)
        found = items[2:] if request.params["offset"] == "0" else []
        return answer({"items": found, "total": 2})

    source = CHILDREN | SHRUNK | {"for_each": {"path": "/p"} | SHRUNK, "cursor": {"field": "at", "param": "since"}}
    with MemoryContext(answers=script, window=Window(None, datetime(2026, 2, 1, tzinfo=UTC))) as context:
        job(source).run(context)
        assert context.cursor().value is None
        assert "the cursor stays for all parents" in context.said[-1][1]


def test_an_error_of_one_child_ends_the_run_after_those_before_it() -> None:
    """What came before it is stored; no thread is left behind."""

    def script(request: Request) -> Answer:
        if request.path == "/p":
            return answer([{"n": number} for number in range(6)])
        if request.path == "/p/3/c":
            raise BadAnswer("no")
        return answer([{"id": request.path}])

    with MemoryContext(answers=script) as context:
        with pytest.raises(BadAnswer):
            job(CHILDREN | {"parallel": 3}).run(context)
        assert [row["id"] for row in context.rows("t", "id")] == ["/p/0/c", "/p/1/c", "/p/2/c"]


def test_small_pages_are_gathered() -> None:
    """A page each would be a transaction each; large ones, and those that took long, go on as they are."""
    times = iter([0.0, *[0.1] * 600, 5.0, 5.0, 5.1, 5.2])

    def pages() -> Generator[Page]:
        yield from (Page([number]) for number in range(600))
        yield Page(["late"])
        yield Page(["last"], rejects=[(1, "no")])
        raise BadAnswer("broken")

    walk = gathered(pages(), lambda: next(times))
    assert [len(next(walk).records) for _ in range(2)] == [500, 101]
    assert next(walk) == Page(["last"], rejects=[(1, "no")])
    with pytest.raises(BadAnswer):
        next(walk)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"for_each": {"path": "/p"}, "path": "/c"}, "asks for a field as"),
        ({"path": "/p/{parent.n}/c"}, "for_each, which names the parents, is missing"),
        ({"include": {"a": "b"}, "path": "/c"}, "go with for_each"),
        ({"for_each": {"path": "/p/{parent.n}"}}, "for_each: nothing is known to fill"),
        ({"for_each": {"table": "t", "changed_only": True}}, "leave cursor and changed_only out"),
        ({"for_each": {"table": "t"}, "cursor": {"kind": "opaque", "param": "t", "next": "n"}}, "does not go with"),
    ],
)
def test_parents_that_make_no_sense_are_refused(changes: dict[str, Any], words: str) -> None:
    """What would go wrong in a run is told when it is configured."""
    with pytest.raises(ValidationError, match=words):
        ApiOptions.model_validate({"account": "api", "path": "/p/{parent.n}/c"} | changes)
