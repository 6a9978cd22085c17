"""The Table API: parameters, paging headers, references, single records and changes."""

import pytest
import requests

from tests.sandbox.calling import Caller, Make
from worker.sandbox.options import SandboxOptions


def _links(answer: requests.Response) -> dict[str, str]:
    return {rel: link["url"] for rel, link in answer.links.items()}


def test_without_a_good_token_nobody_gets_in(caller: Caller) -> None:
    """401 in ServiceNow's words for a missing and for a bad bearer."""
    url = f"{caller.sandbox.url}/api/now/table/incident"
    for headers in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}):
        answer = requests.get(url, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json() == {
            "error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"},
            "status": "failure",
        }


@pytest.mark.parametrize("table", ["incident", "cmdb_ci", "sys_user"])
def test_a_walk_by_link_header_finds_every_row_once(caller: Caller, table: str) -> None:
    """Following rel=next gives exactly the rows of the sandbox; every value is text."""
    headers = caller.now_headers()
    url = f"{caller.sandbox.url}/api/now/table/{table}?sysparm_limit=7&sysparm_exclude_reference_link=true"
    found = []
    while url:
        answer = caller.session.get(url, headers=headers, timeout=10)
        assert answer.headers["X-Total-Count"] == "60"
        found += answer.json()["result"]
        url = _links(answer).get("next", "")
    assert found == caller.sandbox.rows(table)
    assert all(isinstance(value, str) for row in found for value in row.values())


def test_link_header_names_what_there_is(caller: Caller) -> None:
    """First and last are always there, prev and next where they exist; none or no last on request."""
    first = caller.now("/table/incident", sysparm_limit=20)
    assert set(_links(first)) == {"first", "next", "last"}
    assert "sysparm_offset=40" in _links(first)["last"]
    assert set(_links(caller.now("/table/incident", sysparm_limit=20, sysparm_offset=20))) == {
        "first",
        "prev",
        "next",
        "last",
    }
    assert "next" not in _links(caller.now("/table/incident", sysparm_limit=20, sysparm_offset=40))
    assert "Link" not in caller.now("/table/incident", sysparm_suppress_pagination_header="true").headers
    uncounted = caller.now("/table/incident", sysparm_limit=20, sysparm_no_count="true")
    assert "X-Total-Count" not in uncounted.headers
    assert "last" not in _links(uncounted)


@pytest.mark.parametrize("params", [{"sysparm_limit": 0}, {"sysparm_limit": "x"}, {"sysparm_offset": -1}])
def test_a_wrong_page_is_refused(caller: Caller, params: dict[str, str | int]) -> None:
    """400 naming the parameter; a limit of 0 is one of them."""
    answer = caller.now("/table/incident", "GET", None, **params)
    assert answer.status_code == 400
    assert next(iter(params)) in answer.json()["error"]["detail"]


def test_an_unknown_table_is_refused(caller: Caller) -> None:
    """400 with the table's name."""
    answer = caller.now("/table/u_nothing")
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid table u_nothing")


def test_chosen_fields_and_views(caller: Caller) -> None:
    """Fields, display values and reference links as asked for; unknown fields are left out in silence."""
    row = caller.sandbox.rows("incident")[0]
    one = f"/table/incident/{row['sys_id']}"
    fields = "number,state,caller_id,nothing"
    link = f"{caller.sandbox.url}/api/now/table/sys_user/{row['caller_id']}"
    plain = caller.now(one, sysparm_fields=fields).json()["result"]
    assert plain == {
        "number": row["number"],
        "state": row["state"],
        "caller_id": {"link": link, "value": row["caller_id"]},
    }
    bare = caller.now(one, sysparm_fields=fields, sysparm_exclude_reference_link="true").json()["result"]
    assert bare["caller_id"] == row["caller_id"]
    user = next(user for user in caller.sandbox.rows("sys_user") if user["sys_id"] == row["caller_id"])
    shown = caller.now(one, sysparm_fields=fields, sysparm_display_value="true").json()["result"]
    assert shown["caller_id"] == {"display_value": user["name"], "link": link}
    assert shown["state"] in ("New", "In Progress", "On Hold", "Resolved", "Closed")
    both = caller.now(one, sysparm_fields=fields, sysparm_display_value="all").json()["result"]
    assert both["state"] == {"display_value": shown["state"], "value": row["state"]}
    assert both["caller_id"]["value"] == row["caller_id"]


def test_nothing_found_differs_by_version(caller: Caller) -> None:
    """v1: 404; v2 and no version: 200 with an empty list."""
    query = {"sysparm_query": "number=none"}
    assert caller.now("/v1/table/incident", "GET", None, **query).status_code == 404
    for path in ("/v2/table/incident", "/table/incident"):
        answer = caller.now(path, "GET", None, **query)
        assert (answer.status_code, answer.json()) == (200, {"result": []})
    single = caller.now("/table/incident/none")
    assert (single.status_code, single.json()["error"]["message"]) == (404, "No Record found")


def test_hidden_rows_leave_pages_short(make: Make) -> None:
    """Rows hidden by access rules are missing from pages and yet counted, and alone they are 404."""
    caller = make(SandboxOptions(rows=60, hide_every=3))
    answer = caller.now("/table/incident", sysparm_limit=30)
    seen = {row["sys_id"] for row in answer.json()["result"]}
    hidden = [row for row in caller.sandbox.rows("incident")[:30] if row["sys_id"] not in seen]
    assert 0 < len(hidden) < 30
    assert len(seen) + len(hidden) == 30
    assert answer.headers["X-Total-Count"] == "60"
    assert caller.now(f"/table/incident/{hidden[0]['sys_id']}").status_code == 404


def test_an_unknown_field_in_a_query_is_dropped(caller: Caller) -> None:
    """The trap: the rest of the query runs, so too many rows come back."""
    answer = caller.now("/table/incident", sysparm_query="u_typo=1^state=7", sysparm_fields="state")
    wanted = [row for row in caller.sandbox.rows("incident") if row["state"] == "7"]
    assert answer.json()["result"] == [{"state": "7"}] * len(wanted)
    assert 0 < len(wanted) < 60


def test_a_keyset_walk_finds_every_row_once(caller: Caller) -> None:
    """The best public pattern for increments, ties of the stamp included."""
    stamp, key, found = "", "", []
    while True:
        after = f"sys_updated_on>{stamp}^NQsys_updated_on={stamp}^sys_id>{key}"
        query = f"{after}^ORDERBYsys_updated_on^ORDERBYsys_id"
        page = caller.now("/table/incident", sysparm_query=query, sysparm_limit=7).json()["result"]
        if not page:
            break
        found += [row["sys_id"] for row in page]
        stamp, key = page[-1]["sys_updated_on"], page[-1]["sys_id"]
    rows = sorted(caller.sandbox.rows("incident"), key=lambda row: (row["sys_updated_on"], row["sys_id"]))
    assert found == [row["sys_id"] for row in rows]


def test_records_are_made_changed_and_deleted(caller: Caller) -> None:
    """POST 201, PATCH 200, DELETE 204; own fields are the server's, unknown ones are ignored."""
    made = caller.now("/table/incident", "POST", {"short_description": "new", "nothing": 1, "sys_id": "mine"})
    row = made.json()["result"]
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"/api/now/table/incident/{row['sys_id']}")
    assert (row["short_description"], row["sys_mod_count"]) == ("new", "0")
    assert row["sys_id"] != "mine"
    assert "nothing" not in row
    one = f"/table/incident/{row['sys_id']}"
    changed = caller.now(one, "PATCH", {"state": 2}).json()["result"]
    assert (changed["state"], changed["short_description"], changed["sys_mod_count"]) == ("2", "new", "1")
    assert caller.now(one, "PATCH", {"state": 2}).json()["result"]["sys_mod_count"] == "1"
    assert caller.now(one, "DELETE").status_code == 204
    assert caller.now(one).status_code == 404
    assert caller.sandbox.counts()["incident"] == 60


def test_a_body_that_is_no_json_object_is_refused(caller: Caller) -> None:
    """415 for another type, 400 for broken JSON and for a list."""
    url = f"{caller.sandbox.url}/api/now/table/incident"
    headers = caller.now_headers()
    assert requests.post(url, data={"a": "b"}, headers=headers, timeout=10).status_code == 415
    headers["Content-Type"] = "application/json"
    for body in ("{", "[1]"):
        assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 400
