"""Paging ends, and yields every record exactly once; what goes in circles is noticed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import BadAnswer, Json
from jobs.sources.linked import next_link
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext, Request
from tests.jobs.servers import Links, Numbers, Offsets, Script, records

COUNTS = st.integers(0, 60)
SIZES = st.integers(1, 25)


def walked(script: Script, paging: dict[str, Any], **more: Json) -> tuple[list[dict[str, Any]], int]:
    """Returns the records that a walk brings, and the number of requests it took."""
    options = {"account": "api", "path": "/items", "records": "items", "paging": paging} | more
    with MemoryContext(answers=script) as context:
        pages = list(RestSource(RestOptions.model_validate(options)).pages(context))
        return [record for page in pages for record in page.records], len(context.requests)


@given(COUNTS, SIZES, st.booleans(), st.booleans())
def test_offset_yields_each_record_once(count: int, size: int, total: bool, snaps: bool) -> None:
    """Offset paging is complete, told the total or not, on servers that snap and on those that do not."""
    server = Offsets(records(count), snaps=snaps, total=total)
    paging = {"kind": "offset", "size": size, "snaps": snaps, "total": "_meta.totalCount" if total else ""}
    found, requests = walked(server, paging)
    assert found == records(count)
    assert requests <= count // size + 2
    assert not snaps or all(offset % size == 0 for offset in server.served)


@given(COUNTS, st.integers(2, 25), st.integers(1, 10), st.booleans())
def test_offset_survives_a_server_that_gives_fewer(count: int, size: int, cap: int, total: bool) -> None:
    """A server's own upper bound of the page size loses nothing: the offset moves by what came."""
    server = Offsets(records(count), cap=cap, total=total)
    paging = {"kind": "offset", "size": size, "total": "_meta.totalCount" if total else ""}
    assert walked(server, paging)[0] == records(count)


def test_offset_with_total_asks_for_no_page_too_many() -> None:
    """Once the total is reached, no further request is made."""
    paging = {"kind": "offset", "size": 10, "total": "_meta.totalCount"}
    assert walked(Offsets(records(30)), paging)[1] == 3
    assert walked(Offsets(records(0)), paging)[1] == 1


def test_offset_may_end_with_a_short_page() -> None:
    """Where the server is known to fill its pages, a short one saves the last request."""
    paging = {"kind": "offset", "size": 10, "until": "short"}
    assert walked(Offsets(records(15), total=False), paging) == (records(15), 2)


def test_a_snapping_server_with_smaller_pages_is_no_silent_loss() -> None:
    """Steps of our size over pages of its size would leave records out, so that it is an error."""
    server = Offsets(records(30), cap=5, snaps=True)
    with pytest.raises(BadAnswer, match=r"gave 5 records at offset 0, where 10 of 30 .* paging\.size"):
        walked(server, {"kind": "offset", "size": 10, "snaps": True, "total": "_meta.totalCount"})


def test_an_offset_that_cannot_move_is_an_error() -> None:
    """An empty page below the total ends in an error, not in the same request for ever."""

    def empty(request: Request) -> Json:
        return {"items": [], "total": 7}

    with pytest.raises(BadAnswer, match="gave 0 records at offset 0"):
        walked(empty, {"kind": "offset", "size": 5, "total": "total"})


def test_a_server_that_ignores_the_offset_is_noticed() -> None:
    """The same page twice means that the parameters have other names."""

    def same(request: Request) -> Json:
        return {"items": records(5)}

    with pytest.raises(BadAnswer, match="same 5 records as the page before"):
        walked(same, {"kind": "offset", "size": 5})


@given(COUNTS, SIZES, st.integers(0, 1), st.booleans())
def test_page_numbers_yield_each_record_once(count: int, size: int, first: int, pages: bool) -> None:
    """Page paging is complete, told the number of pages or not, counted from 0 or 1."""
    paging = {"kind": "page", "size": size, "first": first, "total_pages": "pages" if pages else ""}
    found, requests = walked(Numbers(records(count), first, pages), paging)
    assert found == records(count)
    assert requests <= count // size + 2


@given(COUNTS, SIZES, st.booleans(), st.frozensets(st.integers(0, 3)))
def test_links_yield_each_record_once(count: int, size: int, in_body: bool, gaps: frozenset[int]) -> None:
    """Links in header or body are followed to the end, over pages that access rules have emptied."""
    paging = {"kind": "next_url", "next": "next"} if in_body else {"kind": "link"}
    found, _ = walked(Links(records(count), size, in_body, gaps), paging)
    hidden = {place for gap in gaps for place in range(gap * size, (gap + 1) * size)}
    assert found == [record for place, record in enumerate(records(count)) if place not in hidden]


def test_links_are_asked_for_whole_and_alone() -> None:
    """A link stands for path and parameters: nothing of the configured ones is sent along."""
    with MemoryContext(answers=Links(records(4), 2)) as context:
        options = {
            "account": "api",
            "path": "/items",
            "records": "items",
            "params": {"status": "open"},
            "headers": {"Prefer": "x"},
            "paging": {"kind": "link"},
        }
        pages = list(RestSource(RestOptions.model_validate(options)).pages(context))
        first, second = context.requests
    assert (first.path, first.params) == ("/items", {"status": "open"})
    assert (second.path, second.params) == ("https://api.test/items?at=1", {})
    assert first.headers == second.headers == {"Prefer": "x"}
    assert [page.total for page in pages] == [4, 4]


def test_relative_links_are_taken_from_where_they_stand() -> None:
    """A link without a host is resolved against the answer's URL."""
    found, _ = walked(Links(records(5), 2, in_body=True, base="/items"), {"kind": "next_url", "next": "next"})
    assert found == records(5)


def test_links_in_a_circle_are_noticed() -> None:
    """A next URL that was followed before ends the walk with an error."""

    def circle(request: Request) -> Json:
        here = request.path[-1] if request.path[-1] in "ab" else "z"
        return {"items": [{"id": here}], "next": {"z": "/items/a", "a": "/items/b", "b": "/items/a"}[here]}

    with pytest.raises(BadAnswer, match="circle"):
        walked(circle, {"kind": "next_url", "next": "next"})


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://h/a?x=1,2>; rel="next"', "https://h/a?x=1,2"),
        ("<https://h/a>; rel=next", "https://h/a"),
        ('<https://h/p>; rel=prev, <https://h/n>; title="a, b; rel=c"; rel="last next"', "https://h/n"),
        ('<https://h/n>;REL="NEXT"', "https://h/n"),
        ('<https://h/n>; rel="prev"', ""),
        ("", ""),
        ("rel=next", ""),
    ],
)
def test_link_header_is_read_as_rfc_8288_says(header: str, target: str) -> None:
    """Commas inside targets and quotes, several relations and any case are understood."""
    assert next_link(header) == target


def test_a_header_made_to_be_slow_is_read_at_once() -> None:
    """With time by its square this would take hours, in which no other thread of the process goes on."""
    assert next_link("<" * 1_000_000) == ""


@pytest.mark.parametrize("own_host", [True, False])
def test_a_link_that_is_no_url_is_told(own_host: bool) -> None:
    """The page and the link are named."""
    pages = {"items": [{"id": 1}], "next": "http://[x"}
    paging = {"kind": "next_url", "next": "next", "own_host": own_host}
    options = RestOptions.model_validate({"account": "api", "path": "/items", "records": "items", "paging": paging})
    with (
        MemoryContext(answers=lambda _: pages) as context,
        pytest.raises(BadAnswer, match=r"cannot be read: 'http://\[x'"),
    ):
        list(RestSource(options).pages(context))


@pytest.mark.parametrize(
    ("document", "paging", "words"),
    [
        ({"items": [{}], "next": 7}, {"kind": "next_url", "next": "next"}, "has a int at 'next'"),
        ({"items": [{}], "n": "many"}, {"kind": "offset", "size": 5, "total": "n"}, "has a str at 'n'"),
        ({"items": [{}], "n": True}, {"kind": "page", "size": 5, "total_pages": "n"}, "has a bool at 'n'"),
    ],
)
def test_nonsense_in_the_envelope_is_named(document: Json, paging: dict[str, Any], words: str) -> None:
    """A next URL or a total of the wrong type says where it stands and what it is."""
    with pytest.raises(BadAnswer, match=words):
        walked(lambda _: document, paging)


@pytest.mark.parametrize(
    "paging",
    [
        {"kind": "offset"},
        {"kind": "offset", "size": 0},
        {"kind": "offset", "size": 5, "total": "a["},
        {"kind": "next_url"},
        {"kind": "next_url", "next": ""},
        {"kind": "sideways"},
        {"kind": "link", "size": 5},
    ],
)
def test_bad_paging_is_refused_when_configured(paging: dict[str, Any]) -> None:
    """Missing sizes, broken paths, unknown kinds and keys never come to a run."""
    with pytest.raises(ValidationError):
        RestOptions.model_validate({"account": "a", "path": "/x", "paging": paging})
