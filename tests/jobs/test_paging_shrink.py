"""Pages shrink where the far end cannot bear them, grow again later, and lose nothing by it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Answer, BadAnswer, FailedAnswer, Json, Unanswered, WorkerError
from jobs.sources.rest import RestOptions, RestSource
from jobs.sources.shrink import Sizes
from jobs.testing import MemoryContext, Reply, Request
from tests.jobs.servers import Numbers, Offsets, asked, records


def failed(status: int, retry_after_s: float | None = None) -> FailedAnswer:
    """Returns the error for an answer of this status."""
    error = FailedAnswer(f"GET https://api.test/items answered {status}")
    error.status, error.retry_after_s = status, retry_after_s
    return error


class TooLarge(WorkerError):
    """Stands in for the worker's own error for bodies beyond their bound."""

    kind = "body_too_large"
    permanent = True


CUT = Answer(200, {"content-type": "application/json"}, b'{"items": [{"id": 1}, {"id"', "")
TROUBLE: dict[str, Callable[[], Reply]] = {
    "times out": lambda: Unanswered("no answer came within 60 s"),
    "fails": lambda: failed(500),
    "is cut off": lambda: CUT,
    "is too large": lambda: TooLarge("an answer passes its bound"),
    "tells of a failure": lambda: {"items": [{"id": 1}], "error": {"message": "maximum execution time exceeded"}},
}


def walked(
    script: Callable[[Request], Reply], paging: dict[str, Any], ahead: int = 0
) -> tuple[list[Json], MemoryContext]:
    """Returns what a walk brings, and its context."""
    options = {"account": "api", "path": "/items", "records": "items", "failed": "error", "paging": paging}
    with MemoryContext(answers=script) as context:
        source = RestSource(RestOptions.model_validate(options), ahead)
        return [record for page in source.pages(context) for record in page.records], context


def bearing(server: Callable[[Request], Answer], most: int, name: str, trouble: str) -> Callable[[Request], Reply]:
    """Returns a server that bears pages of so many records."""

    def script(request: Request) -> Reply:
        return server(request) if int(asked(request)[name]) <= most else TROUBLE[trouble]()

    return script


@given(
    st.integers(0, 90),
    st.integers(1, 32),
    st.integers(1, 32),
    st.booleans(),
    st.sampled_from(sorted(TROUBLE)),
    st.sampled_from([0, 3]),
)
def test_offsets_shrink_until_the_page_is_borne(
    count: int, size: int, most: int, snaps: bool, trouble: str, ahead: int
) -> None:
    """Every record arrives once, whatever the trouble with large pages; snapped offsets stay multiples."""
    size, most = (1 << (size % 6), 1 << (most % 6)) if snaps else (size, most)
    server = Offsets(records(count), snaps=snaps)
    paging = {"kind": "offset", "size": size, "min_size": 1, "snaps": snaps, "total": "_meta.totalCount"}
    found, _ = walked(bearing(server, most, "limit", trouble), paging, ahead)
    assert found == records(count)


@given(st.integers(0, 90), st.integers(0, 5), st.integers(0, 5), st.sampled_from([0, 3]))
def test_page_numbers_shrink_too(count: int, size: int, most: int, ahead: int) -> None:
    """Half the size means twice the number."""
    server = Numbers(records(count), pages=True)
    paging = {"kind": "page", "size": 1 << size, "min_size": 1, "total_pages": "pages"}
    assert walked(bearing(server, 1 << most, "per_page", "fails"), paging, ahead)[0] == records(count)


def test_each_shrinking_is_told() -> None:
    """A warning names the page, the sizes and the error."""
    paging = {"kind": "offset", "size": 8, "min_size": 1, "total": "_meta.totalCount"}
    _, context = walked(bearing(Offsets(records(9)), 2, "limit", "times out"), paging)
    assert [(level, text, facts["page"]) for level, text, facts in context.said] == [
        ("warning", "a page of 8 records failed, 4 are asked for instead", "offset 0"),
        ("warning", "a page of 4 records failed, 2 are asked for instead", "offset 0"),
    ]
    assert "no answer came" in context.said[0][2]["error"]


@pytest.mark.parametrize(
    ("size", "least", "tries"), [(32, None, [32, 16, 8, 4, 2]), (8, 4, [8, 4]), (9, 9, [9]), (3, None, [3, 1])]
)
def test_the_error_is_raised_at_the_least_size(size: int, least: int | None, tries: list[int]) -> None:
    """Down to min_size, by default a sixteenth; the error tells where the page stands."""
    paging = {"kind": "offset", "size": size} | ({"min_size": least} if least else {})
    sizes = list[int]()

    def script(request: Request) -> Reply:
        sizes.append(int(request.params["limit"]))
        return failed(502)

    with pytest.raises(FailedAnswer, match=r"answered 502 \(page: offset 0\)"):
        walked(script, paging)
    assert sizes == tries


@pytest.mark.parametrize("error", [failed(404), failed(429), failed(503, 20.0)])
def test_what_no_smaller_page_can_mend_is_raised_at_once(error: FailedAnswer) -> None:
    """Refusals, and failures that name a time to wait."""
    asked_for = list[Request]()

    def script(request: Request) -> Reply:
        asked_for.append(request)
        return error

    with pytest.raises(FailedAnswer):
        walked(script, {"kind": "offset", "size": 8})
    assert len(asked_for) == 1


def test_kinds_without_a_size_raise_at_once() -> None:
    """A link cannot be halved."""
    with pytest.raises(BadAnswer, match="cut off or broken after 27 bytes"):
        walked(lambda _: CUT, {"kind": "link"})


def test_a_server_with_a_page_size_of_its_own_is_noticed() -> None:
    """Numbers mean other pages there once the size is another one."""
    server = Numbers(records(40))

    def script(request: Request) -> Reply:
        if request.params["per_page"] == "8" and request.params["page"] == "2":
            return failed(500)
        return server(Request("api", "GET", "/items", {"per_page": "8", "page": request.params["page"]}))

    with pytest.raises(BadAnswer, match=r"gave 8 records where 4 were asked for: .*min_size"):
        walked(script, {"kind": "page", "size": 8})


def test_the_size_comes_back_after_ten_good_pages() -> None:
    """One bad moment does not slow the whole walk; a size that fails again is tried later the next time."""
    sizes = Sizes(8, 1)
    assert sizes.shrink(lambda _: True)
    for _ in range(9):
        sizes.praise(lambda _: True)
    assert sizes.now == 4
    sizes.praise(lambda size: size != 8)
    assert sizes.now == 4  # the next page may not begin there
    sizes.praise(lambda _: True)
    assert sizes.now == 8
    assert sizes.shrink(lambda _: True)
    for _ in range(19):
        sizes.praise(lambda _: True)
    assert sizes.now == 4
    sizes.praise(lambda _: True)
    assert sizes.now == 8


@pytest.mark.parametrize("snaps", [False, True])
def test_a_walk_grows_back(snaps: bool) -> None:
    """After a page that failed once, the size is what it was, and nothing comes twice."""
    server, troubled = Offsets(records(300), snaps=snaps), [40]

    def script(request: Request) -> Reply:
        if troubled and int(request.params["offset"]) == troubled[0]:
            troubled.pop()
            return failed(500)
        return server(request)

    found, context = walked(script, {"kind": "offset", "size": 8, "snaps": snaps, "total": "_meta.totalCount"})
    assert found == records(300)
    limits = [request.params["limit"] for request in context.requests]
    assert (limits[6], limits[-1]) == ("4", "8")
    assert 10 <= limits.count("4") <= 11
