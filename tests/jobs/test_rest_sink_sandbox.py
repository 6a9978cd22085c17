"""Rows to the sandbox over real HTTP: an import set, one by one and in bulk, and an API that loses answers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from jobs.contract import Answer, Json, Unanswered
from jobs.progress import Progress
from jobs.sinks.rest import RestDestination
from jobs.testing import BASE_URL, MemoryContext, Request
from tests.jobs.crm import Clock, Failed, batch, options, states
from tests.sandbox.calling import Caller
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox

Script = Callable[[Request], Answer]
ITEMS = "/basic/items"
LOOKUP: dict[str, Json] = {
    "path": "/items/lookup",
    "params": {"external_id": "{external_id}"},
    "records": "data.items",
    "found": "id",
}


@pytest.fixture
def caller() -> Iterator[Caller]:
    """A caller of a sandbox with few rows."""
    with Sandbox(SandboxOptions(rows=3)) as sandbox:
        calling = Caller(sandbox)
        with calling.session:
            yield calling


def over_http(caller: Caller, base: str, **given: Any) -> Script:  # noqa: ANN401 - what requests takes
    """Returns a script whose answers come from the sandbox."""

    def script(request: Request) -> Answer:
        url, sent = base + request.path, dict(request.params)
        headers = {**request.headers, **given.get("headers", {})}
        try:
            found = caller.session.request(
                request.method, url, params=sent, json=request.json, auth=given.get("auth"), headers=headers, timeout=10
            )
        except requests.ConnectionError:
            raise Unanswered("the connection closed before an answer came") from None
        if found.status_code >= 400:
            raise Failed(found.status_code, found.json())
        return Answer(found.status_code, {"content-type": "application/json"}, found.content, BASE_URL)

    return script


def items(caller: Caller) -> Script:
    """Returns a script of the generic API."""
    return over_http(caller, f"{caller.sandbox.url}/basic", auth=(caller.who.basic_username, caller.who.basic_password))


def now(caller: Caller) -> Script:
    """Returns a script of the ServiceNow-style API."""
    return over_http(caller, caller.sandbox.servicenow_url, headers=caller.now_headers())


def sent(context: MemoryContext, rows: list[dict[str, Json]], **given: Json) -> None:
    """Sends rows."""
    sink = RestDestination(options(**given), context, Progress(context), pace=Clock().pace())
    sink.store([batch(rows)])


def external(caller: Caller) -> list[str]:
    """Returns the external ids of the items that were made."""
    return sorted(str(row["external_id"]) for row in caller.sandbox.rows("items") if "external_id" in row)


def rows(count: int) -> list[dict[str, Json]]:
    """Returns rows for the generic API."""
    return [{"external_id": f"e{number}", "name": f"n{number}"} for number in range(count)]


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ({}, 1),
        ({"idempotency_header": "Idempotency-Key"}, 2),
        ({"in_doubt": "lookup", "lookup": LOOKUP}, 2),
        ({"in_doubt": "lookup", "lookup": LOOKUP, "parallel": 4}, 2),
    ],
)
def test_lost_answers_double_nothing(caller: Caller, given: dict[str, Json], runs: int) -> None:
    """The API did what it was asked and hung up: held, known by its key, or looked up."""
    caller.sandbox.fault(Fault("lost_answer", path=ITEMS, method="POST", after=1))
    wanted: dict[str, Json] = {"path": "/items", "key": "external_id", **given}
    with MemoryContext(answers=items(caller)) as context:
        for _ in range(runs - 1):
            with pytest.raises(Unanswered):
                sent(context, rows(4), **wanted)
        sent(context, rows(4), **wanted)
        assert external(caller) == ["e0", "e1", "e2", "e3"]
        assert len(context.rejects) == (0 if given else 1)
        assert context.counts.written == (4 if given else 3)


def test_items_are_made_changed_and_refused(caller: Caller) -> None:
    """POST, then PATCH with the id that came back; what is bad is told in the API's words."""
    wanted: dict[str, Json] = {
        "path": "/items",
        "key": "external_id",
        "update": {"path": "/items/{remote_id}"},
        "error": "message",
    }
    with MemoryContext(answers=items(caller)) as context:
        sent(context, rows(2), **wanted)
        sent(context, [{"external_id": "e0", "name": "new"}, {"external_id": "e1", "name": "!error"}], **wanted)
        made = {row["external_id"]: row["name"] for row in caller.sandbox.rows("items") if "external_id" in row}
        assert made == {"e0": "new", "e1": "n1"}
        assert [reason for _, reason in context.rejects] == ["answered 422: no field may be '!error'"]


def test_a_batch_has_a_verdict_for_each(caller: Caller) -> None:
    """By order, since the API tells places."""
    given: dict[str, Json] = {
        "path": "/items/batch",
        "key": "external_id",
        "batch": 3,
        "body": {"items": "{rows}"},
        "items": "results",
        "failed": "status == 'error'",
        "error": "message",
        "id": "id",
    }
    wrong = [{"external_id": "e9", "name": "!error"}]
    with MemoryContext(answers=items(caller)) as context:
        sent(context, [*rows(2), *wrong, *rows(5)[3:]], **given)
        assert external(caller) == ["e0", "e1", "e3", "e4"]
        assert [record for record, _ in context.rejects] == wrong
        ids = {str(row["external_id"]): str(row["id"]) for row in caller.sandbox.rows("items") if "external_id" in row}
        assert {key: one.remote_id for key, one in context.sent.items() if one.remote_id} == {
            f'"{key}"': remote_id for key, remote_id in ids.items()
        }


STAGING = "u_assets"
ONE: dict[str, Json] = {
    "path": f"/api/now/import/{STAGING}",
    "key": "u_serial",
    "failed": "result[0].status == 'error'",
    "error": "result[0].error_message",
    "id": "result[0].sys_id",
}


def test_a_201_with_an_error_in_it_is_a_reject(caller: Caller) -> None:
    """An import set's row has its status in the answer."""
    given = [{"u_serial": "S1", "u_cost": "1"}, {"u_serial": "S2", "u_cost": "!error"}]
    with MemoryContext(answers=now(caller)) as context:
        sent(context, given, **ONE)
        assert [row["u_serial"] for row in caller.sandbox.rows(STAGING)] == ["S1"]
        assert states(context) == {'"S1"': "delivered", '"S2"': "refused"}
        assert "(100)" in context.rejects[0][1]


def test_a_hidden_answer_counts_as_delivered(caller: Caller) -> None:
    """201 without a body: access rules hid the row that was made; a line warns of it."""
    caller.sandbox.trap(import_hidden=True)
    with MemoryContext(answers=now(caller)) as context:
        sent(context, [{"u_serial": "S1"}], **ONE)
        assert (states(context), context.sent['"S1"'].remote_id) == ({'"S1"': "delivered"}, "")
        assert context.said[0][0] == "warning"


MANY: dict[str, Json] = {
    "path": f"/api/now/import/{STAGING}/insertMultiple",
    "key": "u_serial",
    "batch": 15,
    "body": {"records": "{rows}"},
    "failed": "sys_import_state == 'error'",
    "error": "sys_import_state_comment",
    "id": "sys_target_sys_id.value || sys_target_sys_id",
    "poll": {
        "path": f"/api/now/table/{STAGING}",
        "params": {"sysparm_query": "sys_import_set={answer.import_set_id}"},
        "items": "result[?sys_import_state != 'pending']",
        "item_key": "u_serial",
    },
}


@pytest.mark.parametrize("slow", [{}, {"import_polls": 3}, {"import_polls": 1, "import_batch": 4}])
def test_rows_in_bulk_are_watched_to_their_end(caller: Caller, slow: dict[str, Any]) -> None:
    """However long the far end takes, at once or a few at a time."""
    caller.sandbox.trap(**slow)
    given = [{"u_serial": f"S{number:02d}", "u_cost": "!error" if number == 7 else "1"} for number in range(20)]
    with MemoryContext(answers=now(caller)) as context:
        sent(context, given, **MANY)
        made = {str(row["u_serial"]): str(row["sys_id"]) for row in caller.sandbox.rows(STAGING) if row.get("u_serial")}
        assert (len(made), [record for record, _ in context.rejects]) == (19, [given[7]])
        assert {key: one.remote_id for key, one in context.sent.items() if one.remote_id} == {
            f'"{key}"': sys_id for key, sys_id in made.items()
        }
