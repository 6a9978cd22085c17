"""Rows that are at the API under an id that it never told: found by a look, or told; never made a second time."""

from typing import Any

import pytest

from jobs.contract import Delivery, Json
from jobs.testing import MemoryContext
from tests.jobs.crm import LOOKUP, UPDATE, Crm, deliver, remember, row, states

SILENT: dict[str, Json] = {"id": "data.none", "update": UPDATE}
ASKED: dict[str, Json] = {"in_doubt": "lookup", "lookup": LOOKUP}
BY_KEY: dict[str, Json] = ASKED | {"lookup": LOOKUP | {"found": ""}}  # tells that a row is there, and no id


@pytest.mark.parametrize("given", [{}, {"idempotency_header": "Idempotency-Key"}, BY_KEY])
def test_a_change_without_an_id_is_a_reject(given: dict[str, Json]) -> None:
    """A second POST would make a second row; what was delivered is remembered as it is there."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a")], **SILENT, **given)
        deliver(context, [row("a", "new"), row("b")], **SILENT, **given)
        assert crm.names() == {"a": ["a"], "b": ["a"]}
        assert [record for record, _ in context.rejects] == [row("a", "new")]
        assert "its id at the API is not known, which destination.update needs" in context.rejects[0][1]
        deliver(context, [row("a")], **SILENT, **given)
        assert (len(crm.seen), states(context)['"a"']) == (2, "delivered")


@pytest.mark.parametrize(("is_there", "orders"), [(True, {"o1": "new"}), (False, {"o2": "new"})])
def test_a_look_finds_the_id_of_a_change(is_there: bool, orders: dict[str, str]) -> None:
    """The change goes there; a row that is no longer there is made anew."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a")], **SILENT, **ASKED)
        if not is_there:
            crm.orders.clear()
        deliver(context, [row("a", "new")], **SILENT, **ASKED)
        assert {key: order["name"] for key, order in crm.orders.items()} == orders
        deliver(context, [row("a", "newer")], **SILENT, **ASKED)
        assert (len(crm.orders), crm.names(), context.rejects) == (1, {"a": ["newer"]}, [])


@pytest.mark.parametrize("given", [{"in_doubt": "resend"}, {"method": "PUT", "path": "/orders/{key}"}])
def test_an_api_that_knows_a_row_again_is_sent_it_again(given: dict[str, Json]) -> None:
    """By coalesce, or by the path of a PUT."""
    crm = Crm()
    with MemoryContext(answers=crm) as context:
        for name in ("a", "new"):
            deliver(context, [row("a", name)], **SILENT, **given)
        assert [request.json for request in crm.seen] == [row("a"), row("a", "new")]
        assert context.rejects == []


def test_what_a_person_says_arrived_is_not_made_again() -> None:
    """Nobody knows its id either."""
    crm = Crm(faults=iter(["lost"]))
    with MemoryContext(answers=crm) as context:
        deliver(context, [row("a")], update=UPDATE)
        context.params = {"arrived": "a"}
        deliver(context, [row("a", "new")], update=UPDATE)
        assert crm.names() == {"a": ["a"]}
        assert len(context.rejects) == 1


def test_what_changed_in_doubt_and_has_no_id_is_not_made_again() -> None:
    """The look tells that its old state arrived, and not under which id."""
    crm = Crm(orders={"o9": row("a")})
    with MemoryContext(answers=crm) as context:
        remember(context, Delivery('"a"', "x", "sending"))
        deliver(context, [row("a", "new")], **SILENT, **BY_KEY)
        assert (crm.names(), len(context.rejects)) == ({"a": ["a"]}, 1)


def test_a_row_that_cannot_be_asked_for_costs_no_other() -> None:
    """It has nothing that the look's path needs."""
    crm = Crm()
    asked: dict[str, Any] = {"in_doubt": "lookup", "lookup": {"path": "/orders/{name}"}}
    with MemoryContext(answers=crm) as context:
        remember(context, Delivery('"a"', "x", "sending"))
        deliver(context, [row("a", ""), row("b")], **asked)
        assert crm.names() == {"b": ["a"]}
        assert [record for record, _ in context.rejects] == [row("a", "")]


def test_a_deletion_whose_id_no_look_tells_is_held() -> None:
    """A person can do it."""
    with MemoryContext(answers=Crm()) as context:
        given = {**SILENT, **BY_KEY, "delete": {"path": "/orders/{remote_id}"}}
        deliver(context, [row("a")], **given)
        deliver(context, [], page={"gone": [{"key": "a"}]}, **given)
        assert "its id at the API is not known" in context.rejects[0][1]
