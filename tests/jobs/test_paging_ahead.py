"""Pages side by side: the same records in the same order as one after the other, whatever changes meanwhile."""

import threading
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import BadAnswer, FailedAnswer, Json
from jobs.flow import Page
from jobs.sources.flights import Flights
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext, Reply, Request, answer
from tests.jobs.servers import Numbers, Offsets, Script, records

TOTAL = {"kind": "offset", "size": 4, "total": "_meta.totalCount"}
PATIENCE_S = 20.0


def source(ahead: int, **paging: Json) -> RestSource:
    """Returns a source with up to so many requests in flight."""
    options = {"account": "api", "path": "/items", "records": "items", "paging": paging or TOTAL}
    return RestSource(RestOptions.model_validate(options), ahead)


def walked(script: Any, ahead: int, **paging: Json) -> list[Json]:  # noqa: ANN401 - any far end
    """Returns what a walk brings."""
    with MemoryContext(answers=script) as context:
        return [record for page in source(ahead, **paging).pages(context) for record in page.records]


@given(st.integers(0, 80), st.integers(1, 12), st.integers(0, 6), st.booleans(), st.integers(1, 12))
def test_offsets_side_by_side_are_complete(count: int, size: int, ahead: int, snaps: bool, cap: int) -> None:
    """In order, each record once, also where the server gives fewer than asked for."""
    server = Offsets(records(count), cap=size if snaps else cap, snaps=snaps)
    found = walked(server, ahead, kind="offset", size=size, snaps=snaps, total="_meta.totalCount")
    assert found == records(count)


@given(st.integers(0, 80), st.integers(1, 12), st.integers(0, 6))
def test_page_numbers_side_by_side_are_complete(count: int, size: int, ahead: int) -> None:
    """Where the number of pages is told."""
    paging = {"kind": "page", "size": size, "first": 0, "total_pages": "pages"}
    assert walked(Numbers(records(count), 0, True), ahead, **paging) == records(count)


def test_as_many_as_allowed_are_in_flight_at_once() -> None:
    """Behind the first page, requests meet at the far end; none is made that the total rules out."""
    server, meeting = Offsets(records(16)), threading.Barrier(3)

    def script(request: Request) -> Reply:
        if request.params["offset"] != "0":
            meeting.wait(PATIENCE_S)
        return server(request)

    assert walked(script, 3) == records(16)
    assert sorted(server.served) == [0, 4, 8, 12]


@pytest.mark.parametrize("paging", [TOTAL | {"parallel": False}, {"kind": "offset", "size": 4}])
def test_one_after_the_other_where_told_or_unknown(paging: dict[str, Any]) -> None:
    """Without a total, or with parallel = false, no thread is started."""
    threads = set[str]()

    def script(request: Request) -> Reply:
        threads.add(threading.current_thread().name)
        return Offsets(records(16))(request)

    assert walked(script, 4, **paging) == records(16)
    assert threads == {threading.current_thread().name}


@given(st.integers(1, 40), st.integers(1, 5), st.integers(2, 5), st.integers(1, 12))
def test_what_is_put_in_front_meanwhile_loses_nothing(count: int, size: int, ahead: int, moment: int) -> None:
    """A record put in front between two requests, in whatever order they arrive, shifts no other one out of sight."""
    rows, served, lock = records(count), [0], threading.Lock()

    def script(request: Request) -> Reply:
        with lock:
            served[0] += 1
            if served[0] == moment:
                rows.insert(0, {"id": -1})
            return Offsets(list(rows))(request)

    paging = {"kind": "offset", "size": size, "total": "_meta.totalCount"}
    found = {record["id"] for record in walked(script, ahead, **paging)}
    assert set(range(count)) <= found


def test_an_answer_older_than_the_page_before_is_asked_for_again() -> None:
    """The second page came before a record was put in front, the first one after it: the second is not used."""
    rows, second = records(12), threading.Event()

    def script(request: Request) -> Reply:
        offset = request.params["offset"]
        if offset == "4":
            assert second.wait(PATIENCE_S)
            rows.insert(0, {"id": -1})
        reply = Offsets(list(rows))(request)
        if offset == "8":
            second.set()
        return reply

    found = [record["id"] for record in walked(script, 2)]
    assert set(range(12)) <= set(found)


def test_errors_come_in_the_order_of_pages() -> None:
    """A later page that fails first is raised only once those before it were given."""
    failed = threading.Event()

    def script(request: Request) -> Reply:
        offset = int(request.params["offset"])
        if offset == 8:
            failed.set()
            error = FailedAnswer("no")
            error.status = 404
            return error
        if offset == 4:
            assert failed.wait(PATIENCE_S)
        return Offsets(records(20))(request)

    with MemoryContext(answers=script) as context:
        pages = source(3).pages(context)
        assert [record for _ in range(2) for record in next(pages).records] == records(8)
        with pytest.raises(FailedAnswer, match=r"no \(page: offset 8\)"):
            next(pages)


def test_nothing_flies_on_after_a_walk_that_was_left() -> None:
    """Closing the walk waits for what is in flight, and asks for nothing more."""
    with MemoryContext(answers=Offsets(records(400))) as context:
        pages = source(4).pages(context)
        next(pages)
        pages.close()
        assert 1 <= len(context.requests) <= 5
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("page")]


def test_threads_share_the_context_of_the_walk() -> None:
    """What the log is bound to holds in them too."""
    told: ContextVar[str] = ContextVar("told", default="nobody")
    told.set("the walk")
    seen = list[str]()

    def request(at: Json, size: int) -> Any:  # noqa: ANN401 - an answer that nobody reads
        seen.append(told.get())
        return answer([])

    with Flights(request, 2) as flights:
        flights.foresee([1, 2, 3], 4)
        flights.take(1, 4)
        flights.take(2, 4)
    assert seen == ["the walk"] * 2


def test_nothing_in_the_middle_is_no_end() -> None:
    """An empty body below the total that was told is an error, not the last page."""
    script: Script = lambda request: (  # noqa: E731 - one line of a far end
        Offsets(records(12))(request) if request.params["offset"] == "0" else answer(None, 204)
    )
    with pytest.raises(BadAnswer, match=r"holds nothing .* told of 12 records"):
        walked(script, 0)


def test_pages_tell_the_last_of_the_calls_they_rest_on() -> None:
    """Where answers come out of order, a page rests on all before it: on the first one, which began last here."""
    server = Offsets(records(16))

    def script(request: Request) -> Reply:
        return replace(server(request), call_id=100 - int(request.params["offset"]))

    with MemoryContext(answers=script) as context:
        assert [page.upto_call for page in source(3).pages(context)] == [100, 100, 100, 100]


@pytest.mark.parametrize(("told", "upto"), [([7, 9, 8], 9), ([7, None], None), ([], None)])
def test_pages_stored_together_rest_on_the_calls_of_all(told: list[int | None], upto: int | None) -> None:
    """One that does not tell rests on every call so far."""
    assert Page.last_call(Page([], upto_call=call) for call in told) == upto
