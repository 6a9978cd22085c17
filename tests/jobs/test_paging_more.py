"""Tokens and keysets yield every record once, in query or body; links keep to the account's host where told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import Answer, BadAnswer, Json
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext, Request, answer
from tests.jobs.servers import Script, asked, records

COUNTS = st.integers(0, 60)
SIZES = st.integers(1, 25)


def walked(script: Script, paging: dict[str, Any], **more: Json) -> tuple[list[dict[str, Any]], list[Request]]:
    """Returns the records that a walk brings, and its requests."""
    options = {"account": "api", "path": "/items", "records": "items", "paging": paging} | more
    with MemoryContext(answers=script) as context:
        pages = list(RestSource(RestOptions.model_validate(options)).pages(context))
        return [record for page in pages for record in page.records], context.requests


def tokens(rows: list[dict[str, Any]], gaps: frozenset[int] = frozenset()) -> Script:
    """Returns a server of pages by token; the pages `gaps` come empty, though there are more."""

    def script(request: Request) -> Answer:
        given = request.json["page"] if request.json else asked(request)
        start, size = int(given.get("token", 0)), int(given.get("size", 7))
        found = [] if start // size in gaps else rows[start : start + size]
        return answer({"items": found, "page": {"next": start + size if start + size < len(rows) else None}})

    return script


def keyset(rows: list[dict[str, Any]]) -> Script:
    """Returns a server of what comes after a key, or after a time and a key."""

    def script(request: Request) -> Answer:
        given = asked(request)
        after = given.get("at", ""), int(given.get("after", -1))
        found = [row for row in rows if (row.get("at", ""), row["id"]) > after]
        return answer({"items": found[: int(given.get("limit", 9))], "left": len(found)})

    return script


@given(COUNTS, SIZES, st.booleans(), st.frozensets(st.integers(0, 3)))
def test_tokens_yield_each_record_once(count: int, size: int, sized: bool, gaps: frozenset[int]) -> None:
    """Followed to the end over empty pages, the size sent or left to the server."""
    paging: dict[str, Any] = {"kind": "token", "next": "page.next", "param": "token"}
    paging |= {"size": size, "size_param": "size"} if sized else {}
    step = size if sized else 7
    found, requests = walked(tokens(records(count), gaps), paging)
    assert found == [row for row in records(count) if row["id"] // step not in gaps]
    assert all(("size" in request.params) == sized for request in requests)
    assert "token" not in requests[0].params


@given(COUNTS, SIZES)
def test_tokens_may_stand_in_the_body(count: int, size: int) -> None:
    """A dotted name leads into the body's template, whose other parts stay."""
    paging: dict[str, Any] = {"kind": "token", "in": "body", "next": "page.next", "param": "page.token"}
    paging |= {"size": size, "size_param": "page.size"}
    body = {"filter": {"state": "open"}, "page": {"sort": "id"}}
    found, requests = walked(tokens(records(count)), paging, method="POST", body=body)
    assert found == records(count)
    assert requests[0].json == {"filter": {"state": "open"}, "page": {"sort": "id", "size": size}}
    assert all(request.reads and request.method == "POST" and not request.params for request in requests)
    assert body == {"filter": {"state": "open"}, "page": {"sort": "id"}}


@given(COUNTS, SIZES, st.sampled_from(["empty", "short"]))
def test_keysets_yield_each_record_once(count: int, size: int, until: str) -> None:
    """What comes after the last key, until nothing comes or less than asked for."""
    paging = {"kind": "keyset", "field": "id", "param": "after", "size": size, "size_param": "limit", "until": until}
    found, requests = walked(keyset(records(count)), paging | {"total": "left"})
    assert found == records(count)
    assert len(requests) <= count // size + 2
    assert "after" not in requests[0].params


@given(st.lists(st.integers(0, 3), max_size=30), SIZES)
def test_keysets_by_time_and_key_keep_ties_apart(times: list[int], size: int) -> None:
    """Records of one time on both sides of a page's end come once each."""
    rows = [{"id": place, "at": f"2026-06-01T12:00:0{at}Z"} for place, at in enumerate(sorted(times))]
    stamp = {"field": "at", "param": "at"}
    paging = {"kind": "keyset", "field": "id", "param": "after", "size": size, "size_param": "limit", "stamp": stamp}
    cursor = {"field": "at", "param": "at", "sorted": True}
    assert walked(keyset(rows), paging, cursor=cursor)[0] == rows


def test_links_to_another_host_may_be_taken_home() -> None:
    """With own_host only path and parameters of a link count."""

    def script(request: Request) -> Json:
        first = request.path == "/items"
        return {"items": [{"id": request.path}], "next": "https://elsewhere.test/v1/items?at=1" if first else None}

    paging = {"kind": "next_url", "next": "next"}
    assert walked(script, paging)[1][1].path == "https://elsewhere.test/v1/items?at=1"
    assert walked(script, paging | {"own_host": True})[1][1].path == "https://api.test/v1/items?at=1"


@pytest.mark.parametrize(
    ("document", "paging", "words"),
    [
        ({"items": [{}], "n": {}}, {"kind": "token", "next": "n"}, "has a dict at 'n'; expected the next page's token"),
        ({"items": [{}], "n": True}, {"kind": "token", "next": "n"}, "has a bool at 'n'"),
        ({"items": [{"k": 1}]}, {"kind": "keyset", "field": "id", "param": "a"}, "a record with nothing at id"),
        ({"items": [{"id": []}]}, {"kind": "keyset", "field": "id", "param": "a"}, "with a list at id"),
        ({"items": [7]}, {"kind": "keyset", "field": "id", "param": "a"}, "nothing at id"),
        ({"items": [{"id": 1}]}, {"kind": "keyset", "field": "id", "param": "a"}, "the same 1 records|circle"),
        ({"items": [{"id": 1}], "n": "t"}, {"kind": "token", "next": "n"}, "the same 1 records|circle"),
    ],
)
def test_nonsense_is_named(document: Json, paging: dict[str, Any], words: str) -> None:
    """Tokens and keys that cannot be sent, and servers that do not know the parameters."""
    with pytest.raises(BadAnswer, match=words):
        walked(lambda _: answer(document), paging)


@pytest.mark.parametrize(
    "changed",
    [
        {"paging": {"kind": "token", "next": "n", "size": 5}},
        {"paging": {"kind": "token", "next": "n", "size_param": "size"}},
        {"paging": {"kind": "keyset", "field": "id"}},
        {"paging": {"kind": "keyset", "field": "id", "param": "a", "until": "short"}},
        {"paging": {"kind": "keyset", "field": "id", "param": "a", "stamp": {"field": "at"}}},
        {"paging": {"kind": "token", "next": "n", "in": "body"}},
        {"paging": {"kind": "token", "next": "n", "in": "body"}, "method": "POST", "body": [1]},
        {"cursor": {"field": "at"}},
        {"cursor": {"field": "at", "param": "p", "in": "body"}},
        {"cursor": {"field": "at", "param": "p", "until_template": "now"}},
    ],
)
def test_what_cannot_work_is_refused(changed: dict[str, Any]) -> None:
    """Halves of pairs, bodies where none is sent, cursors nobody asks for."""
    with pytest.raises(ValidationError):
        RestOptions.model_validate({"account": "a", "path": "/x"} | changed)
