"""The Import Set API: verdicts by row, coalescing, and many rows at once."""

from typing import cast

import requests

from tests.sandbox.calling import Caller

STAGING = "u_tangoe_devices"


def _load(caller: Caller, **row: object) -> dict[str, str]:
    answer = caller.now(f"/import/{STAGING}", "POST", row)
    assert answer.status_code == 201
    body = answer.json()
    assert body["staging_table"] == STAGING
    assert body["import_set"].startswith("ISET")
    (verdict,) = body["result"]
    return cast("dict[str, str]", verdict)


def test_the_same_key_updates_and_the_same_row_is_ignored(caller: Caller) -> None:
    """Coalescing on u_serial: inserted, ignored, updated, and one row at the end."""
    first = _load(caller, u_serial="S1", u_cost="10")
    assert first["status"] == "inserted"
    assert (first["display_name"], first["display_value"]) == ("u_serial", "S1")
    assert first["record_link"].endswith(first["sys_id"])
    assert _load(caller, u_serial="S1", u_cost="10")["status"] == "ignored"
    updated = _load(caller, u_serial="S1", u_cost="11")
    assert (updated["status"], updated["sys_id"]) == ("updated", first["sys_id"])
    (row,) = caller.control("GET", f"/rows/{STAGING}").json()
    assert (row["u_cost"], row["sys_mod_count"]) == ("11", "1")
    assert caller.now(f"/table/{STAGING}/{first['sys_id']}").json()["result"] == row


def test_without_a_key_each_row_is_inserted(caller: Caller) -> None:
    """No coalesce field: always a new row; an empty one: skipped; u_id coalesces too."""
    assert [_load(caller, u_name="x")["status"] for _ in range(2)] == ["inserted", "inserted"]
    assert _load(caller, u_serial="", u_name="x")["status"] == "skipped"
    assert [_load(caller, u_id="7", u_name=name)["status"] for name in "xy"] == ["inserted", "updated"]
    assert caller.sandbox.counts()[STAGING] == 3


def test_a_bad_row_is_201_with_an_error_in_it(caller: Caller) -> None:
    """The trap: the status code is fine and the row is not there."""
    verdict = _load(caller, u_serial="S1", u_owner="!error")
    assert verdict["status"] == "error"
    assert "(100)" in verdict["error_message"]
    assert "sys_id" not in verdict
    assert STAGING not in caller.sandbox.counts()


def test_values_become_text(caller: Caller) -> None:
    """Only text is kept: null is empty, booleans are words, nested JSON is mangled."""
    _load(caller, u_serial="S1", u_null=None, u_flag=True, u_number=1.5, u_nested={"a": 1})
    (row,) = caller.sandbox.rows(STAGING)
    assert (row["u_null"], row["u_flag"], row["u_number"]) == ("", "true", "1.5")
    assert row["u_nested"] == "{'a': 1}"


def test_many_rows_get_ids_only(caller: Caller) -> None:
    """InsertMultiple answers before the rows are transformed: two ids and no verdict."""
    records = [{"u_serial": f"S{index}"} for index in range(20)]
    answer = caller.now(f"/import/{STAGING}/insertMultiple", "POST", {"records": records})
    assert answer.status_code == 201
    assert set(answer.json()) == {"import_set_id", "multi_import_set_id"}
    assert caller.sandbox.counts()[STAGING] == 20
    wrong = caller.now(f"/import/{STAGING}/insertMultiple", "POST", {"records": [1]})
    assert wrong.status_code == 400


def test_a_staged_row_can_be_asked_for(caller: Caller) -> None:
    """GET of a staged row shows its state; one that is not there is 404."""
    staged = _load(caller, u_serial="S1")["staging_sys_id"]
    row = caller.now(f"/import/{STAGING}/{staged}").json()["result"]
    assert (row["u_serial"], row["sys_import_state"]) == ("S1", "inserted")
    assert caller.now(f"/import/{STAGING}/none").status_code == 404


def test_import_needs_a_token(caller: Caller) -> None:
    """Without a bearer nothing is imported."""
    url = f"{caller.sandbox.url}/api/now/import/{STAGING}"
    assert requests.post(url, json={"u_serial": "S1"}, timeout=10).status_code == 401
    assert STAGING not in caller.sandbox.counts()
