"""The REST source: what is asked for, what an answer may hold, what is said where it makes no sense."""

from typing import Any

import pytest
from pydantic import ValidationError

from jobs.contract import Answer, BadAnswer, Interrupted, Json
from jobs.flow import Page
from jobs.sources.decode import records_at
from jobs.sources.rest import RestOptions, RestSource
from jobs.testing import MemoryContext
from tests.jobs.servers import Offsets, records


def pages(answer: Json, **options: Json) -> list[Page]:
    """Returns what a source makes of one answer."""
    with MemoryContext(answers=[answer]) as context:
        given = {"account": "api", "path": "/items"} | options
        return list(RestSource(RestOptions.model_validate(given)).pages(context))


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([{"id": 1}], ""),
        ([{"id": 1}], "@"),
        ({"items": [{"id": 1}]}, "items"),
        ({"data": {"items": [{"id": 1}]}}, "data.items"),
        ({"groups": [{"items": [{"id": 1}]}, {"items": []}]}, "groups[].items[]"),
    ],
)
def test_records_are_found_by_their_path(document: Json, path: str) -> None:
    """The body itself, a plain or dotted path, and any other JMESPath."""
    assert pages(document, records=path)[0].records == [{"id": 1}]


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"result": []}, "items", "nothing at 'items': no items in an object with the keys result"),
        ({"data": {"rows": []}}, "data.items", "no items in an object with the keys rows"),
        ({"data": None}, "data.items", "no items in null"),
        ({}, "items", "an empty object"),
        ({"items": {"id": 1}}, "items", "has an object with the keys id at 'items'; expected a list"),
        ({"items": []}, "", "has an object with the keys items as its body; expected a list"),
        ({"a": 1}, "b[0]", "nothing at 'b\\[0\\]' in an object with the keys a"),
        ({"a": 1}, "length(a)", "cannot be applied"),
        ([{"id": 1}], "items", "no items in a list"),
    ],
)
def test_what_is_no_list_of_records_is_named(document: Json, path: str, words: str) -> None:
    """A wrong path says where it broke off and what was found there."""
    with pytest.raises(BadAnswer, match=words):
        records_at(document, path, "https://api.test/items")


def test_null_where_the_list_belongs_is_an_empty_list() -> None:
    """A key that is there with null means that there is nothing."""
    assert pages({"items": None}, records="items")[0].records == []


def test_no_content_is_an_empty_list() -> None:
    """Status 204 has no body to look into."""
    assert pages(Answer(204, {}, b"", ""), records="items")[0].records == []


def test_what_is_no_object_becomes_a_reject() -> None:
    """Good records beside it go on."""
    page = pages([{"id": 1}, 7, "x", [1], None])[0]
    assert page.records == [{"id": 1}]
    assert [found for found, _ in page.rejects] == [7, "x", [1], None]
    assert page.rejects[0][1] == "expected an object, found a int"


def test_html_is_no_answer() -> None:
    """A login page in place of JSON is told as such."""
    with pytest.raises(BadAnswer, match="an HTML page"):
        pages(Answer(200, {"content-type": "text/html"}, b"<!doctype html><html>", ""))


def test_the_total_comes_with_the_page() -> None:
    """Progress knows how much is to come."""
    assert [page.total for page in pages([{"id": 1}, {"id": 2}])] == [2]


def test_it_checks_between_pages_whether_it_may_go_on() -> None:
    """A cancelled run makes no further request."""
    paging = {"kind": "offset", "size": 2}
    options = {"account": "api", "path": "/items", "records": "items", "paging": paging}
    with (
        MemoryContext(answers=Offsets(records(9)), interrupt_after=2) as context,
        pytest.raises(Interrupted),
    ):
        list(RestSource(RestOptions.model_validate(options)).pages(context))
    assert len(context.requests) == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"path": "/items?status=open"},
        {"path": ""},
        {"method": "PUT"},
        {"body": {}},
        {"params": {"from": "{start}"}},
        {"records": "a["},
        {"records": "order-items"},
        {"pagination": {}},
        {"params": {"n": {}}},
    ],
)
def test_bad_options_are_refused(bad: dict[str, Any]) -> None:
    """What cannot work is refused when it is configured."""
    with pytest.raises(ValidationError) as caught:
        RestOptions.model_validate({"account": "api", "path": "/items"} | bad)
    assert "input_value" not in str(caught.value)


def test_every_page_is_asked_for_on_behalf_of_whom_the_source_names() -> None:
    """The first one and those that links lead to."""
    link = Answer(200, {"link": '<https://api.test/items?page=2>; rel="next"'}, b"[]", "https://api.test/items")
    given = {"account": "api", "path": "/items", "paging": {"kind": "link"}, "act_for": {"employee_id": "7"}}
    with MemoryContext(answers=[link, []]) as context:
        list(RestSource(RestOptions.model_validate(given)).pages(context))
        assert [request.act_for for request in context.requests] == [{"employee_id": "7"}] * 2
