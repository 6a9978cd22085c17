"""The items as CSV, as NDJSON and by a posted search: the same rows in other clothes."""

import csv
import json
from io import StringIO

import pytest

from tests.sandbox.calling import Caller


def test_ndjson_is_the_rows(caller: Caller) -> None:
    """One object a line; whole, or in pages that a Link header joins."""
    whole = caller.generic("/items.ndjson")
    assert whole.headers["Content-Type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in whole.text.splitlines()] == caller.sandbox.rows("items")
    page, found = caller.generic("/items.ndjson", per_page=25), []
    while True:
        found += [json.loads(line) for line in page.text.splitlines()]
        if "next" not in page.links:
            break
        auth = (caller.who.basic_username, caller.who.basic_password)
        page = caller.session.get(page.links["next"]["url"], auth=auth, timeout=10)
    assert found == caller.sandbox.rows("items")


def test_csv_is_the_rows_as_text(caller: Caller) -> None:
    """A header, quotes where they are needed, nested values as JSON, null as nothing."""
    caller.sandbox.update("items", "1000000", {"name": 'a "quoted", name\nin two lines', "note": None})
    answer = caller.generic("/items.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(StringIO(answer.text, newline="")))
    wanted = caller.sandbox.rows("items")
    assert [int(row["id"]) for row in rows] == [row["id"] for row in wanted]
    assert (rows[0]["name"], rows[0]["note"]) == (wanted[0]["name"], "")
    assert [json.loads(row["owner"]) for row in rows] == [row["owner"] for row in wanted]
    assert {row["active"] for row in rows} == {"true", "false"}
    assert len(list(csv.reader(StringIO(caller.generic("/items.csv", page=3, per_page=25).text, newline="")))) == 11


@pytest.mark.parametrize("kind", ["offset", "cursor"])
def test_a_posted_search_walks_by_what_stands_in_the_body(caller: Caller, kind: str) -> None:
    """The filter's items once each, by offset or by cursor."""
    wanted = [row for row in caller.sandbox.rows("items") if row["status"] == "open"]
    body: dict[str, object] = {"filter": {"status": "open"}, "limit": 4}
    found = []
    while True:
        answer = caller.generic("/search", "POST", body).json()
        found += answer["data"]
        if answer["next_cursor"] is None:
            break
        body[kind] = answer[f"next_{kind}"]
    assert found == wanted
    assert answer["total"] == len(wanted)


def test_a_filter_has_tests(caller: Caller) -> None:
    """Bounds, lists and nested members; an unknown test and a filter that is none are told."""
    bounds = {"updated_at": {"gte": "2025-03-01", "lt": "2025-06-01"}, "status": {"in": ["open", "held"]}}
    found = caller.generic("/search", "POST", {"filter": bounds, "limit": 1000}).json()["data"]
    assert found == [
        row
        for row in caller.sandbox.rows("items")
        if "2025-03-01" <= str(row["updated_at"]) < "2025-06-01" and row["status"] in ("open", "held")
    ]
    nested = caller.generic("/search", "POST", {"filter": {"owner.id": 3}}).json()["data"]
    assert {row["owner"]["id"] for row in nested} <= {3}
    for wrong in ({"filter": {"id": {"like": 1}}}, {"filter": [1]}, {"limit": 0}, {"offset": "x"}, [1]):
        assert caller.generic("/search", "POST", wrong).status_code == 400


def test_an_empty_page_can_be_204(caller: Caller) -> None:
    """As the vendor's support API answers when nothing matches; and links can name a foreign host."""
    assert caller.generic("/items", style="page", page=99).status_code == 200
    caller.sandbox.trap(no_content=True, link_host="https://tngo--mobproc.example")
    empty = caller.generic("/items", style="page", page=99)
    assert (empty.status_code, empty.content) == (204, b"")
    following = caller.generic("/items", style="next_url", per_page=5).json()["next"]
    assert following.startswith("https://tngo--mobproc.example/basic/items?")


def test_the_generic_api_can_snap_too(caller: Caller) -> None:
    """An offset inside a page gives the page that holds it."""
    caller.sandbox.trap(snap=True)
    body = caller.generic("/items", style="offset", limit=10, offset=17).json()
    assert (body["offset"], body["data"]["items"][0]["id"]) == (10, 1_000_010)


def test_devices_come_in_all_styles_too(caller: Caller) -> None:
    """Fifteen fields a record, for whoever measures."""
    url = f"{caller.sandbox.url}/generic/v1/devices?style=page&per_page=1000"
    rows = caller.session.get(url, headers=caller.now_headers(), timeout=10).json()["data"]["devices"]
    assert rows == caller.sandbox.rows("devices")
    assert len(rows[0]) == 15


def test_a_server_caps_pages_without_a_word(caller: Caller) -> None:
    """Fewer rows than asked for, and more to come."""
    caller.sandbox.trap(cap=10)
    body = caller.generic("/items", style="token", per_page=50).json()
    assert (len(body["data"]["items"]), body["next_token"]) == (10, "c10")
    assert len(caller.generic("/items", style="offset", limit=50, offset=50).json()["data"]["items"]) == 10


@pytest.mark.parametrize("style", ["token", "next_url", "link"])
def test_a_server_leads_in_a_circle(caller: Caller, style: str) -> None:
    """The next page is the same page for ever."""
    caller.sandbox.trap(loop=True)
    answer = caller.generic("/items", style=style, per_page=7)
    body = answer.json()
    following = {"token": "next_token", "next_url": "next"}.get(style)
    there = body[following] if following else answer.links["next"]["url"]
    assert there.endswith(("c0", "cursor=c0", "page=1"))


@pytest.mark.parametrize("params", [{"style": "page", "page": 3}, {"style": "offset", "offset": 20}])
def test_a_server_takes_no_notice_of_paging(caller: Caller, params: dict[str, str | int]) -> None:
    """The first page again and again."""
    caller.sandbox.trap(deaf=True)
    assert caller.generic("/items", "GET", None, **params).json()["data"]["items"][0]["id"] == 1_000_000
