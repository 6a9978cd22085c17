"""Cursors that only the server understands: kept as they are, started anew once they have run out."""

from typing import Any

import pytest

from jobs.contract import Answer, BadAnswer, Cursor, FailedAnswer, Json
from jobs.flow import Page
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext, Reply, Request


def source(**cursor: Json) -> RestSource:
    """Returns a source whose last page names the next run's token."""
    options: dict[str, Any] = {
        "account": "api",
        "path": "/events",
        "records": "items",
        "params": {"max": "2"},
        "paging": {"kind": "token", "next": "nextPage", "param": "page"},
        "cursor": {"kind": "opaque", "param": "sync", "next": "nextSync", "initial_params": {"deleted": "true"}}
        | cursor,
    }
    return RestSource(RestOptions.model_validate(options))


def failed(status: int) -> FailedAnswer:
    """Returns the error for an answer of this status."""
    error = FailedAnswer(f"GET https://api.test/events answered {status}.")
    error.status = status
    return error


def read(token: Json, *answers: Reply, **cursor: Json) -> tuple[list[Page], MemoryContext]:
    """Returns what a run that starts from a token reads, and its context."""
    with MemoryContext(answers=answers, cursors={"": Cursor(token, 1)} if token else {}) as context:
        return list(source(**cursor).pages(context)), context


FIRST = {"items": [{"id": 1}], "nextPage": "p2"}
LAST = {"items": [{"id": 2}], "nextSync": "s1"}


def test_the_first_run_reads_everything_and_keeps_the_token() -> None:
    """The token comes with the last page; what asks for everything goes with each request."""
    pages, context = read(None, FIRST, LAST)
    assert [page.cursor for page in pages] == [None, "s1"]
    assert [request.params for request in context.requests] == [
        {"max": "2", "deleted": "true"},
        {"max": "2", "deleted": "true", "page": "p2"},
    ]


def test_later_runs_start_from_the_token() -> None:
    """Without what asked for everything; an unchanged token moves nothing."""
    pages, context = read("s0", FIRST, LAST)
    assert [page.cursor for page in pages] == [None, "s1"]
    assert [request.params for request in context.requests] == [
        {"max": "2", "sync": "s0"},
        {"max": "2", "sync": "s0", "page": "p2"},
    ]
    assert [page.cursor for page in read("s1", LAST)[0]] == [None]


@pytest.mark.parametrize("before", [[], [FIRST]])
def test_a_token_that_ran_out_starts_over(before: list[Json]) -> None:
    """At its first page or a later one, with a warning; the new token is kept."""
    pages, context = read("s0", *before, failed(410), FIRST, LAST)
    assert pages[-1].cursor == "s1"
    assert [record["id"] for page in pages[len(before) :] for record in page.records] == [1, 2]
    assert context.requests[-1].params == {"max": "2", "deleted": "true", "page": "p2"}
    ((level, text, _),) = context.said
    assert level == "warning"
    assert "no longer takes the token of the last run (status 410): everything is read again" in text


def test_statuses_that_say_so_can_be_named() -> None:
    """Some APIs answer 400; an API that refuses everything is not asked for ever."""
    assert read("s0", failed(400), LAST, expired=[400, 410])[0][-1].cursor == "s1"
    with pytest.raises(FailedAnswer, match="answered 404"):
        read("s0", failed(404))
    with pytest.raises(FailedAnswer, match="answered 410"):
        read("s0", failed(410), failed(410))
    with pytest.raises(FailedAnswer, match="answered 410"):
        read(None, failed(410))


def test_a_last_page_without_a_token_is_an_error() -> None:
    """The next run would read everything again and nobody would know."""
    with pytest.raises(BadAnswer, match=r"is the last page and has no token at 'nextSync'.*initial_params"):
        read(None, {"items": []})


def test_an_answer_without_a_body_keeps_the_token() -> None:
    """Nothing changed since: the next run asks from the same token."""
    (page,), _ = read("s0", Answer(204, {}, b"", ""))
    assert (page.records, page.cursor) == ([], None)


def test_the_token_may_stand_in_the_body() -> None:
    """As with other parameters of a search by POST."""
    given = {
        "account": "api",
        "path": "/q",
        "method": "POST",
        "records": "items",
        "cursor": {"kind": "opaque", "in": "body", "param": "sync.token", "next": "next"},
    }
    asked = list[Request]()

    def script(request: Request) -> Json:
        asked.append(request)
        return {"items": [], "next": 8}

    with MemoryContext(answers=script, cursors={"": Cursor(7, 1)}) as context:
        (page,) = RestSource(RestOptions.model_validate(given)).pages(context)
    assert (asked[0].json, page.cursor) == ({"sync": {"token": 7}}, 8)
