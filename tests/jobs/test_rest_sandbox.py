"""The REST source against the sandbox over real HTTP: each kind of paging, and the habits of ServiceNow's tables."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from jobs.contract import Answer, BadAnswer, Cursor, FailedAnswer, GiveUp, Json, Unanswered, Window
from jobs.flow import Page
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import BASE_URL, MemoryContext, Reply, Request
from tests.sandbox.calling import Caller
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

ROWS = 90
NOW = "/api/now/table/incident"
TABLE: dict[str, Any] = {
    "path": NOW,
    "records": "result",
    "failed": "error",
    "paging": {"kind": "servicenow", "size": 8, "min_size": 1},
    "error_pages": {"instance-hibernating-page": "the instance is asleep; sign in to wake it"},
}
CHANGED: dict[str, Any] = {"cursor": {"field": "sys_updated_on", "format": "servicenow"}}


@pytest.fixture(scope="module")
def started() -> Iterator[Caller]:
    """A caller of one sandbox for all tests here."""
    with Sandbox(SandboxOptions(rows=ROWS)) as sandbox:
        caller = Caller(sandbox)
        with caller.session:
            yield caller


@pytest.fixture
def caller(started: Caller) -> Iterator[Caller]:
    """The caller, of a far end that behaves."""
    yield started
    started.sandbox.clear_traps()
    started.sandbox.clear_faults()
    started.sandbox.on_request(None)


def over_http(caller: Caller) -> Callable[[Request], Reply]:
    """Returns a script whose answers come from the sandbox, and fail as the worker's calls do."""
    now, plain = caller.now_headers(), (caller.who.basic_username, caller.who.basic_password)

    def script(request: Request) -> Reply:
        is_now = request.path.startswith("/api/now")
        base = caller.sandbox.servicenow_url if is_now else f"{caller.sandbox.url}/basic"
        found = requests.request(
            request.method,
            request.path.replace(BASE_URL, caller.sandbox.url) if "://" in request.path else base + request.path,
            params=dict(request.params),
            json=request.json,
            headers=dict(request.headers) | (now if is_now else {}),
            auth=None if is_now else plain,
            timeout=10,
        )
        if found.status_code == 202 and not found.content:
            return Unanswered(f"{request.path} answered 202 without a body")
        if found.status_code >= 400:
            error = FailedAnswer(f"{request.path} answered {found.status_code}")
            error.status, error.body = found.status_code, found.content
            return error
        names = {name.lower(): value for name, value in found.headers.items()}
        return Answer(found.status_code, names, found.content, found.url)

    return script


def read(
    caller: Caller, ahead: int = 0, token: Json = None, **options: Json
) -> tuple[list[dict[str, Any]], list[Page], MemoryContext]:
    """Returns the records that one run reads, its pages and its context."""
    window = Window(None, datetime.now(UTC) + timedelta(hours=1))
    cursors = {"": Cursor(token, 1)} if token else {}
    with MemoryContext(answers=over_http(caller), window=window, cursors=cursors) as context:
        source = RestSource(RestOptions.model_validate({"account": "a"} | options), ahead)
        pages = list(source.pages(context))
        return [record for page in pages for record in page.records], pages, context


ITEMS: dict[str, Any] = {"path": "/items", "records": "data.items"}
KEYSET: dict[str, Any] = {"kind": "keyset", "field": "id", "param": "after_id", "size": 7, "size_param": "limit"}
SEARCH: dict[str, Any] = {"method": "POST", "records": "data", "body": {"filter": {}}}


@pytest.mark.parametrize(
    ("options", "ahead"),
    [
        (ITEMS | {"params": {"style": "page"}, "paging": {"kind": "page", "size": 7}}, 0),
        (ITEMS | {"params": {"style": "offset"}, "paging": {"kind": "offset", "size": 7}}, 3),
        (ITEMS | {"params": {"style": "link", "per_page": "7"}, "paging": {"kind": "link"}}, 3),
        ({"path": "/orders", "records": "items", "paging": {"kind": "offset", "size": 4, "total": "total"}}, 4),
        (
            {"path": "/feed", "records": "items", "paging": {"kind": "token", "next": "next_page_token"}},
            0,
        ),
        (
            {
                "path": "/feed/query",
                "method": "POST",
                "records": "items",
                "paging": {
                    "kind": "token",
                    "in": "body",
                    "next": "next_page_token",
                    "size": 7,
                    "size_param": "page_size",
                },
            },
            0,
        ),
        ({"path": "/keyset", "records": "items", "paging": KEYSET}, 0),
        (
            {
                "path": "/keyset",
                "records": "items",
                "params": {"since": "2000-01-01"},
                "paging": KEYSET | {"stamp": {"field": "updated_at", "param": "since"}},
            },
            0,
        ),
        ({"path": "/items.ndjson", "format": "ndjson", "paging": {"kind": "page", "size": 7}}, 0),
        ({"path": "/items.csv", "format": "csv", "paging": {"kind": "link"}, "params": {"per_page": "7"}}, 0),
        (
            SEARCH | {"path": "/search", "paging": {"kind": "offset", "in": "body", "size": 7, "total": "total"}},
            3,
        ),
        (
            SEARCH
            | {
                "path": "/search",
                "paging": {
                    "kind": "token",
                    "in": "body",
                    "next": "next_cursor",
                    "param": "cursor",
                    "size": 7,
                    "size_param": "limit",
                },
            },
            0,
        ),
    ],
    ids=lambda value: value["path"] + ":" + value["paging"]["kind"] if isinstance(value, dict) else str(value),
)
def test_each_kind_of_paging_brings_every_record_once(caller: Caller, options: dict[str, Any], ahead: int) -> None:
    """As the generic API serves it, over several pages."""
    found, pages, _ = read(caller, ahead, **options)
    assert len(pages) > 1 or options["path"] == "/feed"
    resource = "orders" if options["path"] == "/orders" else "items"
    assert sorted(str(record["id"]) for record in found) == sorted(caller.sandbox.ids(resource))


def test_a_single_object_is_one_record(caller: Caller) -> None:
    """No list anywhere."""
    (found,), _, _ = read(caller, path="/settings", single=True)
    assert found["name"] == "sandbox"


def test_a_sync_token_brings_what_changed_and_expires(caller: Caller) -> None:
    """First everything, then changes and deletions, and everything again after 410."""
    options: dict[str, Any] = {
        "path": "/feed",
        "records": "items",
        "paging": {"kind": "token", "next": "next_page_token", "size": 40, "size_param": "page_size"},
        "cursor": {"kind": "opaque", "param": "sync_token", "next": "next_sync_token"},
    }
    _, pages, _ = read(caller, **options)
    token = pages[-1].cursor
    changed, gone = caller.sandbox.ids("items")[:2]
    caller.sandbox.update("items", changed, {"name": "new"})
    caller.sandbox.delete("items", gone)
    found, pages, _ = read(caller, token=token, **options)
    assert {str(record["id"]): record.get("deleted") for record in found} == {changed: None, gone: True}
    caller.sandbox.expire_sync_tokens()
    found, pages, context = read(caller, token=pages[-1].cursor, **options)
    assert len(found) == len(caller.sandbox.ids("items"))
    assert [level for level, _, _ in context.said] == ["warning"]


def visible(caller: Caller, *hidden: str) -> list[str]:
    """Returns the keys of incidents but these."""
    return sorted(set(caller.sandbox.ids("incident")) - set(hidden))


@pytest.mark.parametrize("more", [{}, CHANGED])
def test_rows_behind_hidden_ones_are_found(caller: Caller, more: dict[str, Any]) -> None:
    """Whole pages that access rules empty, at the start and in between, and rows that come blank."""
    ids = caller.sandbox.ids("incident")
    hidden = {*ids[:20], *ids[40:60]}
    caller.sandbox.trap(hide_keys=sorted(hidden))
    found, _, _ = read(caller, **TABLE, **more)
    assert sorted(row["sys_id"] for row in found) == visible(caller, *hidden)
    caller.sandbox.trap(hide_keys=[], blank_where="priority=3")
    blank = {str(row["sys_id"]) for row in caller.sandbox.rows("incident") if row["priority"] == "3"}
    found, _, context = read(caller, **TABLE, **more)
    assert sorted(row["sys_id"] for row in found) == visible(caller, *blank)
    assert [text.split()[0] for _, text, _ in context.said] == [str(len(blank))]


def test_ties_changes_and_deletions_meanwhile_lose_nothing(caller: Caller) -> None:
    """Many rows of one second, in an order of the server's own where the query leaves it open."""
    ids = caller.sandbox.ids("incident")
    caller.sandbox.touch("incident", ids[:40], at=datetime(2026, 5, 1, tzinfo=UTC))
    caller.sandbox.trap(shuffle=True, hide_keys=ids[10:30])
    caller.sandbox.after(2, NOW, lambda _: caller.sandbox.delete("incident", ids[5]))
    caller.sandbox.after(4, NOW, lambda _: caller.sandbox.delete("incident", ids[12]))
    found, _, _ = read(caller, **TABLE, **CHANGED)
    keys = [row["sys_id"] for row in found]
    assert len(keys) == len(set(keys))
    assert set(visible(caller, *ids[10:30])) <= set(keys)


def test_a_later_run_reads_what_changed(caller: Caller) -> None:
    """From the cursor on, in one request; a condition of one's own narrows it."""
    caller.sandbox.touch("incident", caller.sandbox.ids("incident")[-1:])
    _, pages, _ = read(caller, **TABLE, **CHANGED)
    cursor = [page.cursor for page in pages if page.cursor][-1]
    keys = caller.sandbox.touch("incident", caller.sandbox.ids("incident")[:3])
    found, _, context = read(caller, token=cursor, **TABLE, **CHANGED)
    assert set(keys) <= {row["sys_id"] for row in found}
    assert len(context.requests) == 1
    narrowed = TABLE | {"paging": {"kind": "servicenow", "size": 8, "filter": "priority=1^NQpriority=2"}}
    found, _, _ = read(caller, **narrowed, **CHANGED)
    assert {row["priority"] for row in found} == {"1", "2"}


def test_a_field_that_the_query_does_not_know_is_noticed(caller: Caller) -> None:
    """ServiceNow drops such conditions silently; the rows that come tell."""
    caller.sandbox.trap(drop_fields=["sys_updated_on"])
    with pytest.raises(BadAnswer, match=r"left the filter out|not in the order"):
        read(caller, token=datetime.now(UTC).isoformat(), **TABLE, **CHANGED)


@pytest.mark.parametrize("heavy", ["cancelled", "partial", "cut", "504"])
def test_pages_too_heavy_for_the_instance_shrink(caller: Caller, heavy: str) -> None:
    """However it says so: an error of status 200, alone or behind half a page, a body cut off, a gateway's 504."""
    caller.sandbox.trap(heavy_rows=3, heavy=heavy)
    found, _, context = read(caller, **TABLE, **CHANGED)
    assert sorted(row["sys_id"] for row in found) == visible(caller)
    assert {text for _, text, _ in context.said[:2]} == {
        "a page of 8 records failed, 4 are asked for instead",
        "a page of 4 records failed, 2 are asked for instead",
    }


def test_an_instance_that_sleeps_is_told(caller: Caller) -> None:
    """By its page for people."""
    caller.sandbox.fault(Fault("hibernating", path=NOW, times=None))
    with pytest.raises(BadAnswer, match="the instance is asleep; sign in to wake it"):
        read(caller, **TABLE)


def test_a_url_that_is_too_long_is_told(caller: Caller) -> None:
    """With what to shorten."""
    caller.sandbox.trap(url_limit=100)
    with pytest.raises(GiveUp, match="URL is too long"):
        read(caller, **TABLE, **CHANGED)


def test_links_to_a_foreign_host_are_followed_at_home_where_told(caller: Caller) -> None:
    """As it is with the links of some Tangoe pages."""
    caller.sandbox.trap(link_host="https://tngo--mobproc.example")
    options = ITEMS | {"params": {"style": "link", "per_page": "20"}, "paging": {"kind": "link", "own_host": True}}
    assert len(read(caller, **options)[0]) == len(caller.sandbox.ids("items"))


@pytest.mark.parametrize(
    "options",
    [
        ITEMS | {"params": {"style": "offset"}, "paging": {"kind": "offset", "size": 7}},
        ITEMS | {"params": {"style": "page"}, "paging": {"kind": "page", "size": 7}},
    ],
)
def test_an_api_that_is_deaf_to_paging_is_noticed(caller: Caller, options: dict[str, Any]) -> None:
    """The same page for ever."""
    caller.sandbox.trap(deaf=True)
    with pytest.raises(BadAnswer, match=r"the same .* records as the page before"):
        read(caller, **options)
