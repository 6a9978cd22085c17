"""The traps of the Table API, each as told and none without being told (apis.md 2.3 and 2.4)."""

from typing import Any

import pytest
import requests

from tests.sandbox.calling import Caller


def ids(caller: Caller, offset: int = 0, limit: int = 10, sysparm_query: str = "") -> list[str]:
    """Returns the sys_ids of one page of incidents; `{}` where a row came blank."""
    params: dict[str, Any] = {"sysparm_limit": limit, "sysparm_offset": offset, "sysparm_query": sysparm_query}
    page = caller.now("/table/incident", "GET", None, **params)
    return [row.get("sys_id", "{}") for row in page.json()["result"]]


def test_whole_pages_are_empty_and_yet_counted(caller: Caller) -> None:
    """The first rows by key, those of a condition, or single ones: short pages, the same total, 404 alone."""
    caller.sandbox.trap(hide_first=25)
    keys = caller.sandbox.ids("incident")
    assert [len(ids(caller, offset)) for offset in range(0, 60, 10)] == [0, 0, 5, 10, 10, 10]
    empty = caller.now("/table/incident", sysparm_limit=10)
    assert (empty.json(), empty.headers["X-Total-Count"]) == ({"result": []}, "60")
    assert 'rel="next"' in empty.headers["Link"]
    assert caller.now(f"/table/incident/{keys[0]}").status_code == 404
    caller.sandbox.trap(hide_first=0, hide_where="category=network^ORstate=7", hide_keys=[keys[0]])
    seen = set(ids(caller, limit=100))
    gone = {row["sys_id"] for row in caller.sandbox.rows("incident") if row["sys_id"] not in seen}
    assert gone == {keys[0]} | {
        row["sys_id"] for row in caller.sandbox.rows("incident") if row["category"] == "network" or row["state"] == "7"
    }
    assert len(caller.now("/table/sys_user").json()["result"]) == 60


def test_rows_come_blank(caller: Caller) -> None:
    """Each n-th, or those of a condition, is an empty object in its place."""
    caller.sandbox.trap(blank_every=3)
    shown = ids(caller, limit=60)
    assert 0 < shown.count("{}") < 60
    assert len(shown) == 60
    caller.sandbox.trap(blank_every=0, blank_where="state=7")
    closed = sum(row["state"] == "7" for row in caller.sandbox.rows("incident"))
    assert ids(caller, limit=60).count("{}") == closed > 0


def test_without_a_unique_order_pages_overlap(caller: Caller) -> None:
    """The same walk twice: another order each time, rows doubled and missing; ORDERBYsys_id is safe."""
    caller.sandbox.trap(shuffle=True)
    assert ids(caller) != ids(caller)
    walked = [key for offset in range(0, 60, 10) for key in ids(caller, offset)]
    assert len(walked) == 60 > len(set(walked))
    loose = {"sysparm_query": "ORDERBYstate"}
    assert ids(caller, 0, 60, **loose) != ids(caller, 0, 60, **loose)
    states = caller.now("/table/incident", "GET", None, **loose, sysparm_fields="state").json()["result"]
    assert states == sorted(states, key=lambda row: int(row["state"]))
    firm = {"sysparm_query": "ORDERBYstate^ORDERBYsys_id"}
    assert ids(caller, 0, 60, **firm) == ids(caller, 0, 60, **firm)


def test_an_invalid_query_returns_what_the_instance_says(caller: Caller) -> None:
    """Dropped in silence by default, no rows with the property; a column can be unknown to queries alone."""
    query = {"sysparm_query": "u_typo=1^state=7"}
    assert len(ids(caller, 0, 60, **query)) > 0
    caller.sandbox.trap(no_rows_on_invalid_query=True)
    assert ids(caller, 0, 60, **query) == []
    caller.sandbox.trap(no_rows_on_invalid_query=False, drop_fields=["sys_updated_on"])
    assert len(ids(caller, 0, 60, sysparm_query="sys_updated_on>2099-01-01 00:00:00")) == 60
    assert caller.now("/table/incident", sysparm_limit=1).json()["result"][0]["sys_updated_on"]


def test_a_table_that_does_not_tell_when_rows_changed(caller: Caller) -> None:
    """No sys_ field but the id; rows can be made, changed, churned and deleted like others."""
    rows = caller.now("/table/u_plain", sysparm_query="sys_updated_on>2099-01-01^ORDERBYsys_id").json()["result"]
    assert rows == caller.sandbox.rows("u_plain")
    assert set(rows[0]) == {"sys_id", "u_name", "u_value", "state"}
    made = caller.now("/table/u_plain", "POST", {"u_name": "new"}).json()["result"]
    assert caller.now(f"/table/u_plain/{made['sys_id']}", "PATCH", {"u_value": "5"}).json()["result"]["u_value"] == "5"
    assert caller.sandbox.churn(5, "u_plain") == {"u_plain": 5}
    assert {field for row in caller.sandbox.rows("u_plain") for field in row} == set(rows[0])
    assert caller.now(f"/table/u_plain/{made['sys_id']}", "DELETE").status_code == 204


def test_deletions_are_filed_under_the_real_class(caller: Caller) -> None:
    """By the Table API and by the controls; queries by time work; tables can opt out."""
    first, second, third = caller.sandbox.ids("cmdb_ci")[:3]
    kind = {row["sys_id"]: row["sys_class_name"] for row in caller.sandbox.rows("cmdb_ci")}
    assert caller.now("/table/sys_audit_delete").json()["result"] == []
    caller.now(f"/table/cmdb_ci/{first}", "DELETE")
    caller.sandbox.delete("cmdb_ci", second)
    caller.sandbox.trap(audit_deletes=False)
    caller.sandbox.delete("cmdb_ci", third)
    query = "sys_created_on>=2026-01-01 00:00:00^ORDERBYsys_created_on^ORDERBYsys_id"
    found = caller.now("/table/sys_audit_delete", sysparm_query=query).json()["result"]
    assert {(row["documentkey"], row["tablename"]) for row in found} == {(first, kind[first]), (second, kind[second])}


def test_rows_of_one_second_and_rows_from_the_past(caller: Caller) -> None:
    """Many rows share a stamp; a row can appear behind a watermark; sys_created_on can be asked for."""
    caller.sandbox.touch("incident", 30, "2026-03-01 10:00:00")
    tied = "sys_updated_on=2026-03-01 10:00:00^ORDERBYsys_id"
    assert len(ids(caller, 0, 60, sysparm_query=tied)) == 30
    late = caller.sandbox.insert("incident", {"sys_created_on": "2020-01-01 00:00:00"}, at="2020-01-02 00:00:00")
    assert ids(caller, 0, 60, sysparm_query="sys_created_on<2021-01-01^ORDERBYsys_created_on") == [late]
    assert ids(caller, 0, 60, sysparm_query="sys_updated_on<2021-01-01^ORDERBYsys_updated_on") == [late]


def test_a_walk_by_key_takes_no_scan_and_finds_all(caller: Caller) -> None:
    """`sys_id>last^ORDERBYsys_id`, and bounds on both sides."""
    keys, after, found = caller.sandbox.ids("incident"), "", []
    while page := ids(caller, 0, 7, sysparm_query=f"sys_id>{after}^ORDERBYsys_id" if after else "ORDERBYsys_id"):
        found += page
        after = page[-1]
    assert found == keys
    assert ids(caller, 0, 60, sysparm_query=f"sys_id>={keys[5]}^sys_id<{keys[9]}^ORDERBYsys_id") == keys[5:9]
    assert ids(caller, 0, 60, sysparm_query=f"sys_id={keys[5]}^sys_id<{keys[2]}") == []


@pytest.mark.parametrize(("kind", "rows"), [("cancelled", None), ("partial", 10)])
def test_a_heavy_page_is_cancelled_with_status_200(caller: Caller, kind: str, rows: int | None) -> None:
    """The error stands alone or after half of the rows; a page that is light enough is whole."""
    caller.sandbox.trap(heavy_rows=10, heavy=kind)
    answer = caller.now("/table/incident", sysparm_limit=20)
    assert answer.status_code == 200
    assert answer.json()["error"]["message"] == "Transaction cancelled: maximum execution time exceeded"
    assert (len(answer.json()["result"]) if rows else answer.json().get("result")) == rows
    assert len(ids(caller, limit=10)) == 10
    assert len(ids(caller, offset=55, limit=20)) == 5


def test_a_heavy_page_is_cut_off_late_or_lost_at_the_gateway(caller: Caller) -> None:
    """JSON without its end, an answer after the caller's patience, 504; hidden rows weigh as much as others."""
    caller.sandbox.trap(heavy_rows=10, heavy="cut", hide_first=60)
    answer = caller.now("/table/incident", sysparm_limit=20)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    caller.sandbox.trap(heavy="504")
    assert caller.now("/table/incident").status_code == 504
    caller.sandbox.trap(heavy="hang", hang_s=0.05)
    assert caller.now("/table/incident").status_code == 200
