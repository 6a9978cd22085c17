"""What is sent and what comes: POST searches, places, NDJSON, CSV, single objects, failures of a good status."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.contract import Answer, BadAnswer, Cursor, FailedAnswer, GiveUp, Json, Window
from jobs.flow import Page
from jobs.sources.decode import Overburdened
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext, Request
from tests.jobs.servers import Offsets, records

SINCE, UNTIL = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC)
WINDOW = Window(SINCE, UNTIL)


def body(content: bytes, kind: str = "") -> Answer:
    """Returns an answer of status 200."""
    return Answer(200, {"content-type": kind}, content, "")


def read(answer: Any, window: Window = WINDOW, **options: Json) -> tuple[list[Page], list[Request]]:  # noqa: ANN401 - any reply
    """Returns the pages that a source makes of one answer, and what was asked."""
    with MemoryContext(answers=[answer], window=window) as context:
        given = {"account": "api", "path": "/items"} | options
        return list(RestSource(RestOptions.model_validate(given)).pages(context)), context.requests


def test_a_search_by_post_only_reads() -> None:
    """Paging and cursor go into the body where told; the API may repeat it."""
    options: dict[str, Any] = {
        "method": "POST",
        "body": {"query": {"open": True}},
        "paging": {"kind": "offset", "in": "body", "size": 5, "total": "n"},
        "records": "items",
        "cursor": {"field": "at", "param": "query.changed.since", "in": "body", "initial": "2026-01-01T00:00:00Z"},
    }
    _, (request,) = read({"items": [], "n": 0}, **options)
    query = {"open": True, "changed": {"since": "2026-01-01T00:00:00Z"}}
    assert request.json == {"query": query, "offset": 0, "limit": 5}
    assert (request.method, request.reads, request.params) == ("POST", True, {})


def test_errors_of_a_search_name_the_page() -> None:
    """Where the URL does not tell it."""
    paging = {"kind": "offset", "in": "body", "size": 5, "total": "n"}
    with pytest.raises(BadAnswer, match=r"POST https://api.test/items \(offset 0\) has a str at 'n'"):
        read({"items": [], "n": "x"}, method="POST", paging=paging, records="items")


def test_places_hold_what_the_run_covers() -> None:
    """In path, params and body, in the format that `times` names."""
    given: dict[str, Any] = {"path": "/days/{since}", "params": {"q": "to={until}", "raw": '{"a":{"b":1}}'}}
    _, (request,) = read([], **given)
    assert request.path == "/days/2026-06-01T00%3A00%3A00Z"
    assert request.params == {"q": "to=2026-06-02T00:00:00Z", "raw": '{"a":{"b":1}}'}
    _, (request,) = read([], method="POST", body={"from": ["{since}", 1]}, times="epoch")
    assert request.json == {"from": ["1780272000", 1]}


@pytest.mark.parametrize("beside", ["", " {until}"])
def test_two_braces_stand_for_one(beside: str) -> None:
    """Whether a place stands beside them or not."""
    given: dict[str, Any] = {
        "path": "/a{{b}}",
        "params": {"q": f"{{{{x}}}}{beside}"},
        "body": {"query": "{{ a {{id}} }}"},
    }
    _, (request,) = read([], method="POST", **given)
    told = " 2026-06-02T00:00:00Z" if beside else ""
    assert (request.path, request.params) == ("/a{b}", {"q": f"{{x}}{told}"})
    assert request.json == {"query": "{ a {id} }"}


def test_places_may_hold_a_day() -> None:
    """As APIs want it that know whole days only."""
    _, (request,) = read([], path="/days/{since}", times="%Y%m%d")
    assert request.path == "/days/20260601"


def test_a_run_without_a_beginning_cannot_fill_since() -> None:
    """The first run of a job has none, and says so; {until} alone is always known."""
    with pytest.raises(GiveUp, match="has no beginning"):
        read([], Window(None, UNTIL), params={"a": "{since}"})
    assert read([], Window(None, UNTIL), params={"a": "{until}"})[1][0].params == {"a": "2026-06-02T00:00:00Z"}


def test_the_upper_bound_is_sent_where_it_has_a_parameter() -> None:
    """With and without a lower one."""
    cursor = {"field": "at", "param": "since", "until_param": "until", "until_template": "<{until}", "format": "epoch"}
    assert read([], cursor=cursor)[1][0].params == {"until": "<1780358400"}
    cursor |= {"initial": "2026-05-01"}
    assert read([], cursor=cursor)[1][0].params == {"since": "1777593600", "until": "<1780358400"}


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3), max_size=6))
def test_ndjson_is_a_document_a_line(rows: list[dict[str, Any]]) -> None:
    """Whatever stands in the values; blank lines count for nothing."""
    kept = [row for row in rows if all(not isinstance(v, int) or abs(v) < 2**53 for v in row.values())]
    content = b"\r\n\n".join(map(orjson.dumps, kept)) + b"\n"
    pages, (request,) = read(body(content), format="ndjson")
    assert pages[0].records == kept
    assert request.headers["Accept"] == "application/x-ndjson"


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b'{"a":1}\n{"b"', Overburdened, "no JSON in its line 2 of 2"),
        (b'{"a":1}\noops\n{"b":2}', BadAnswer, "no JSON in its line 2 of 3"),
        (b"<html>sign in", BadAnswer, "an HTML page"),
    ],
)
def test_broken_ndjson_names_its_line(content: bytes, error: type[BadAnswer], words: str) -> None:
    """A last line that breaks off may be mended by a smaller page."""
    with pytest.raises(BadAnswer, match=words) as caught:
        read(body(content), format="ndjson")
    assert type(caught.value) is error


@pytest.mark.parametrize("odd", [b"NaN", b"-Infinity", b"1e400", b'"\\ud83d"', b'{"deep": [1e999]}'])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_what_json_cannot_hold_costs_its_record_alone(odd: bytes, form: str) -> None:
    """Many servers write it; the other records of the page go on."""
    records = [b'{"id": 1}', b'{"id": 2, "v": %b}' % odd, b'{"id": 3}']
    content = b"\n".join(records) if form == "ndjson" else b"[" + b",".join(records) + b"]"
    page = read(body(content), format=form, records="")[0][0]
    assert [record["id"] for record in page.records] == [1, 3]
    ((record, reason),) = page.rejects
    assert (record["id"], "what JSON cannot" in reason) == (2, True)


@pytest.mark.parametrize(
    ("form", "first", "rest"),
    [
        ("json", b'[{"id": 1, "v": NaN}, {"id": 2}]', b'[{"id": 3}]'),
        ("ndjson", b'{"id": 1, "v": NaN}\n{"id": 2}', b'{"id": 3}'),
        ("csv", b"id,v\n1\n2,b", b"id,v\n3,c"),
    ],
)
def test_a_record_that_cannot_be_read_counts_on_its_page(form: str, first: bytes, rest: bytes) -> None:
    """Else a full page would pass for a short one, and what comes after it would be lost."""
    paging = {"kind": "offset", "size": 2, "until": "short"}
    given = {"account": "api", "path": "/items", "format": form, "paging": paging}
    with MemoryContext(answers=lambda asked: body(first if asked.params["offset"] == "0" else rest)) as context:
        pages = list(RestSource(RestOptions.model_validate(given)).pages(context))
    assert [str(record["id"]) for page in pages for record in page.records] == ["2", "3"]
    assert [len(page.rejects) for page in pages] == [1, 0]


@pytest.mark.parametrize("odd", [b"NaN", b"1e400", b"1" + b"0" * 5000])
def test_pages_of_nothing_but_odd_records_are_gone_through(odd: bytes) -> None:
    """The next page is asked for behind them; a server that gives them again and again is still noticed."""
    rows = [b'{"id": %d, "v": %b}' % (number, odd if number < 4 else b"0") for number in range(1, 6)]
    paging = {"kind": "keyset", "field": "id", "param": "after", "size": 2, "size_param": "n"}

    def script(asked: Request) -> Answer:
        behind = int(str(asked.params.get("after", 0)))
        return body(b"[" + b",".join(rows[behind : behind + 2]) + b"]")

    given = {"account": "api", "path": "/items", "paging": paging}
    with MemoryContext(answers=script) as context:
        pages = list(RestSource(RestOptions.model_validate(given)).pages(context))
    assert [record["id"] for page in pages for record in page.records] == [4, 5]
    assert [record["id"] for page in pages for record, _ in page.rejects] == [1, 2, 3]
    repeated = given | {"paging": {"kind": "offset", "size": 2}}
    stuck = body(b"[" + b",".join(rows[:2]) + b"]")
    with MemoryContext(answers=lambda _: stuck) as context, pytest.raises(BadAnswer, match="the same 2 records"):
        list(RestSource(RestOptions.model_validate(repeated)).pages(context))


def test_whole_numbers_are_read_as_in_other_pages() -> None:
    """Beyond 64 bits as floats, whatever else the page holds."""
    told = b"[-9223372036854775808, 18446744073709551615, 18446744073709551616, 9%b]" % (b"0" * 25)
    page = read(body(b'[{"v": %b}, {"v": NaN}]' % told), records="")[0][0]
    assert page.records == [{"v": orjson.loads(told)}]
    assert list(map(type, page.records[0]["v"])) == list(map(type, orjson.loads(told)))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ('[{"name": "Zoë"}]'.encode("latin-1"), BadAnswer, "a byte 0xeb that is no UTF-8"),
        (b'[{"a": NaN}, {"b"', Overburdened, "cut off or broken"),
        (b"[" * 100_000, Overburdened, "cut off or broken"),
        ('[{"name": "Zoë'.encode()[:-1], Overburdened, "cut off or broken"),
    ],
)
def test_broken_json_says_how(content: bytes, error: type[BadAnswer], words: str) -> None:
    """Smaller pages are asked for only where they may help."""
    with pytest.raises(BadAnswer, match=words) as caught:
        read(body(content), records="")
    assert type(caught.value) is error


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_a_byte_order_mark_carries_nothing(form: str) -> None:
    """Programs on Windows write one."""
    content = {"json": b'[{"id": "1"}]', "ndjson": b'{"id": "1"}', "csv": b"id\n1"}[form]
    assert read(body(b"\xef\xbb\xbf" + content), format=form, records="")[0][0].records == [{"id": "1"}]


def test_a_cell_of_csv_may_be_long() -> None:
    """The bound is the body's."""
    assert read(body(b"id\n" + b"x" * 200_000), format="csv")[0][0].records == [{"id": "x" * 200_000}]


def test_csv_is_rows_by_the_names_of_the_header() -> None:
    """With a byte order mark, quoted line ends and separators, another delimiter, another charset."""
    content = b'\xef\xbb\xbfid;name\r\n1;"a;\r\n""b"""\r\n2;\r\n\r\n'
    pages, (request,) = read(body(content), format="csv", delimiter=";")
    assert pages[0].records == [{"id": "1", "name": 'a;\r\n"b"'}, {"id": "2", "name": ""}]
    assert request.headers["Accept"] == "text/csv"
    latin = body("id,name\n1,Zoë".encode("latin-1"), 'text/csv; charset="ISO-8859-1"')
    assert read(latin, format="csv")[0][0].records == [{"id": "1", "name": "Zoë"}]


def test_blank_lines_before_the_header_are_passed_over() -> None:
    """As those between the rows are."""
    assert read(body(b"\r\n\r\nid,name\r\n1,a\r\n"), format="csv")[0][0].records == [{"id": "1", "name": "a"}]


def test_text_of_two_bytes_that_is_a_mark_alone_holds_nothing() -> None:
    """It ended the run as a fault of the worker."""
    assert read(body(b"\xff\xfe", "text/csv; charset=utf-16"), format="csv")[0][0].records == []


def test_a_row_of_another_length_is_a_reject() -> None:
    """Good rows beside it go on."""
    page = read(body(b"id,name\n1,a\n2\n3,c,d\n4,e\n"), format="csv")[0][0]
    assert [row["id"] for row in page.records] == ["1", "4"]
    assert page.rejects == [
        (["2"], "line 3 holds 1 values, the header 2 names"),
        (["3", "c", "d"], "line 4 holds 3 values, the header 2 names"),
    ]


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"id,,name\n1,2,3", "", "begins with the line 'id,,name'; expected a header row"),
        (b"id,id\n1,2", "", "a name of its own"),
        (b'id,name\n1,"a"b\n', "", "holds no CSV at line 2"),
        (b"id\n\xff", "", "no text in utf-8"),
        (b"id\n1", "text/csv; charset=klingon", "no text in klingon"),
        (b"  <!doctype html><html>", "", "an HTML page"),
    ],
)
def test_what_is_no_csv_is_named(content: bytes, kind: str, words: str) -> None:
    """Headers without names, broken quotes, bytes that are no text, a page for people."""
    with pytest.raises(BadAnswer, match=words):
        read(body(content, kind), format="csv")


@pytest.mark.parametrize("content", [b"", b" \r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
@pytest.mark.parametrize("kind", ["json", "ndjson", "csv"])
def test_an_empty_body_holds_nothing(content: bytes, kind: str) -> None:
    """Also where records are asked for by a path."""
    pages, _ = read(body(content), format=kind, records="items" if kind == "json" else "")
    assert pages[0].records == []


@pytest.mark.parametrize(
    ("document", "path", "found"),
    [({"id": 1}, "", [{"id": 1}]), ({"data": {"id": 1}}, "data", [{"id": 1}]), ({"data": None}, "data", [])],
)
def test_a_single_object_is_one_record(document: Json, path: str, found: list[Json]) -> None:
    """The document itself, or what stands at the path; null is nothing."""
    assert read(document, single=True, records=path)[0][0].records == found


def test_a_list_in_place_of_a_single_object_is_told() -> None:
    """With what to do."""
    with pytest.raises(BadAnswer, match=r"a list as its body; expected one object\. Set single = false"):
        read([{"id": 1}], single=True)


def test_a_good_status_may_tell_of_a_failure() -> None:
    """What `failed` names is an error; null and absent are none."""
    trouble = {"result": [{"id": 1}], "error": {"message": "Transaction cancelled"}}
    with pytest.raises(BadAnswer, match=r'answered that it failed \(error: {"message":"Transaction cancelled"}\)'):
        read(trouble, records="result", failed="error")
    assert read({"result": [], "error": None}, records="result", failed="error")[0][0].records == []


MARKED = {"instance-hibernating-page": "the instance is asleep; sign in to wake it"}


def test_a_known_page_is_told_by_its_meaning() -> None:
    """Whatever its status; the run may be tried again. In JSON the same words are data."""
    page = b"<html><div class='instance-hibernating-page'>"
    failure = FailedAnswer("GET https://api.test/items answered 503")
    failure.status, failure.body = 503, page
    for reply in (body(page, "text/html"), failure):
        with pytest.raises(BadAnswer, match=r"items.*: the instance is asleep; sign in to wake it") as caught:
            read(reply, error_pages=MARKED)
        assert not caught.value.permanent
    assert read([{"note": "instance-hibernating-page"}], error_pages=MARKED)[0][0].records


def test_a_url_that_is_too_long_is_told() -> None:
    """Trying again cannot help; the error says what to shorten."""
    failure = FailedAnswer("GET https://api.test/items answered 414.")
    failure.status = 414
    with pytest.raises(GiveUp, match=r"414\. The URL is too long .* paging\.filter"):
        read(failure)


def test_a_page_of_a_resource_says_whose_cursor_it_moves() -> None:
    """A source beside the main one has a cursor of its own name."""
    options = RestOptions.model_validate(
        {"account": "api", "path": "/gone", "cursor": {"field": "at", "param": "since"}}
    )
    row = {"id": 1, "at": "2026-06-01T10:00:00Z"}
    cursors = {"gone": Cursor("2026-06-01T09:00:00Z", 1)}
    with MemoryContext(answers=[[row]], window=WINDOW, cursors=cursors) as context:
        (page,) = RestSource(options, name="gone").pages(context)
    assert (page.cursor, page.cursor_name) == (row["at"], "gone")
    assert context.requests[0].params == {"since": "2026-06-01T09:00:00Z"}


@pytest.mark.parametrize(
    "bad",
    [
        {"format": "csv", "records": "items"},
        {"format": "ndjson", "single": True},
        {"format": "csv", "failed": "error"},
        {"format": "csv", "paging": {"kind": "token", "next": "n"}},
        {"format": "ndjson", "paging": {"kind": "offset", "size": 5, "total": "n"}},
        {"format": "ndjson", "cursor": {"kind": "opaque", "param": "p", "next": "n"}},
        {"format": "xml"},
        {"delimiter": ";;"},
        {"body": {"a": "{cursor}"}, "method": "POST"},
    ],
)
def test_what_does_not_go_together_is_refused(bad: dict[str, Any]) -> None:
    """Bodies without an envelope have nothing beside the records."""
    with pytest.raises(ValidationError):
        RestOptions.model_validate({"account": "api", "path": "/x"} | bad)


def test_offsets_go_with_ndjson() -> None:
    """A walk over lines ends with an empty page."""

    def script(request: Request) -> Answer:
        rows = Offsets(records(5))(request).json()["items"]
        return body(b"".join(b'{"id": %d}\n' % row["id"] for row in rows))

    options = {"account": "api", "path": "/x", "format": "ndjson", "paging": {"kind": "offset", "size": 2}}
    with MemoryContext(answers=script) as context:
        pages = list(RestSource(RestOptions.model_validate(options)).pages(context))
    assert [row["id"] for page in pages for row in page.records] == [0, 1, 2, 3, 4]
