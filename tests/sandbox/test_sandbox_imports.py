"""Import sets as the instance keeps them: pending rows, verdicts in the staging table, maps, labels, purges."""

from typing import cast

from tests.sandbox.calling import Caller

STAGING = "u_tangoe_devices"
Row = dict[str, str]


def many(caller: Caller, records: list[Row], **params: str | int) -> str:
    """Posts records and returns the id of their import set."""
    answer = caller.now(f"/import/{STAGING}/insertMultiple", "POST", {"records": records}, **params)
    assert answer.status_code == 201
    return str(answer.json()["import_set_id"])


def staged(caller: Caller, import_set: str) -> list[Row]:
    """Returns the staged rows of an import set as the Table API shows them."""
    query = f"sys_import_set={import_set}^ORDERBYsys_id"
    params: dict[str, str | int] = {"sysparm_query": query, "sysparm_exclude_reference_link": "true"}
    return cast("list[Row]", caller.now(f"/table/{STAGING}", "GET", None, **params).json()["result"])


def states(caller: Caller, import_set: str) -> set[str]:
    """Returns the states of the rows of an import set."""
    return {row["sys_import_state"] for row in staged(caller, import_set)}


def test_verdicts_are_read_from_the_staging_table(caller: Caller) -> None:
    """Own fields, state, target and comment of each row; the base table and the set tell of them too."""
    first = many(caller, [{"u_serial": "S1", "u_name": "a"}, {"u_serial": "", "u_name": "b"}])
    second = many(caller, [{"u_serial": "S1", "u_name": "a"}, {"u_serial": "S2", "u_name": "!error"}])
    found = {row["u_name"]: row for row in staged(caller, first)}
    assert found["a"]["sys_import_state"] == "inserted"
    assert caller.now(f"/table/{STAGING}/{found['a']['sys_target_sys_id']}").json()["result"]["u_serial"] == "S1"
    assert (found["b"]["sys_import_state"], found["b"]["sys_target_sys_id"]) == ("skipped", "")
    assert {row["u_name"]: row["sys_import_state"] for row in staged(caller, second)} == {
        "a": "ignored",
        "!error": "error",
    }
    assert "(100)" in next(row["sys_import_state_comment"] for row in staged(caller, second) if "!" in row["u_name"])
    base = caller.now("/table/sys_import_set_row", sysparm_query=f"sys_import_set={first}").json()["result"]
    assert len(base) == 2
    assert "u_serial" not in base[0]
    assert base[0]["sys_import_set"]["value"] == first
    record = caller.now(f"/table/sys_import_set/{first}").json()["result"]
    assert (record["state"], record["table_name"]) == ("processed", STAGING)


def test_rows_stay_pending_for_so_many_looks(caller: Caller) -> None:
    """And are then processed a few per look; nothing hangs on the clock."""
    caller.sandbox.trap(import_polls=2, import_batch=2)
    made = many(caller, [{"u_serial": f"S{index}"} for index in range(5)])
    assert caller.sandbox.counts().get(STAGING, 0) == 0
    assert states(caller, made) == {"pending"}
    assert caller.now(f"/table/sys_import_set/{made}").json()["result"]["state"] == "loaded"
    seen = [[row["sys_import_state"] for row in staged(caller, made)].count("pending") for _ in range(3)]
    assert seen == [3, 1, 0]
    assert caller.now(f"/table/sys_import_set/{made}").json()["result"]["state"] == "processed"


def test_one_import_set_waits_for_another(caller: Caller) -> None:
    """`run_after` names the set that comes first; `multi_import_set_id` joins sets."""
    caller.sandbox.trap(import_polls=1)
    first = many(caller, [{"u_serial": "S1", "u_name": "first"}], multi_import_set_id="joined")
    caller.sandbox.trap(import_polls=0)
    second = many(caller, [{"u_serial": "S1", "u_name": "second"}], run_after=first, multi_import_set_id="joined")
    assert states(caller, second) == {"pending"}
    assert states(caller, first) == {"inserted"}
    assert states(caller, second) == {"updated"}
    joined = caller.now("/table/sys_import_set", sysparm_query="multi_import_set=joined").json()["result"]
    assert {row["sys_id"] for row in joined} == {first, second}


def test_a_purge_leaves_nothing_to_ask_for(caller: Caller) -> None:
    """Staged rows are gone, what they made is not."""
    made = many(caller, [{"u_serial": "S1"}])
    key = staged(caller, made)[0]["sys_id"]
    assert caller.now(f"/import/{STAGING}/{key}").status_code == 200
    assert caller.sandbox.purge_staged() == 1
    assert caller.now(f"/import/{STAGING}/{key}").status_code == 404
    assert staged(caller, made) == []
    assert caller.sandbox.counts()[STAGING] == 1


def test_a_map_leads_into_a_table_and_several_matches_update_the_first(caller: Caller) -> None:
    """Only one of two rows with the same serial number is updated, and nobody says so."""
    caller.sandbox.transform_map(STAGING, "cmdb_ci", ["serial_number"], {"u_serial": "serial_number", "u_cost": "cost"})
    twins = [caller.sandbox.insert("cmdb_ci", {"serial_number": "S1", "cost": "1.00"}) for _ in range(2)]
    answer = caller.now(f"/import/{STAGING}", "POST", {"u_serial": "S1", "u_cost": "2.00", "u_other": "x"})
    (verdict,) = answer.json()["result"]
    assert (verdict["status"], verdict["table"]) == ("updated", "cmdb_ci")
    costs = {row["sys_id"]: row["cost"] for row in caller.sandbox.rows("cmdb_ci")}
    assert sorted(str(costs[key]) for key in twins) == ["1.00", "2.00"]
    made = caller.now(f"/import/{STAGING}", "POST", {"u_serial": "S2"}).json()["result"][0]
    assert made["status"] == "inserted"
    assert set(caller.sandbox.rows("cmdb_ci")[0]) == {name for row in caller.sandbox.rows("cmdb_ci") for name in row}
    caller.sandbox.transform_map(STAGING, "u_always")
    posted = [caller.now(f"/import/{STAGING}", "POST", {"u_serial": "S2"}).json()["result"][0] for _ in range(2)]
    assert [one["status"] for one in posted] == ["inserted", "inserted"]
    assert len(caller.now("/table/u_always").json()["result"]) == 2


def test_labels_instead_of_names(caller: Caller) -> None:
    """With labels "Serial" is u_serial, and a name is no column."""
    caller.sandbox.trap(import_labels=True)
    made = many(caller, [{"Serial": "S1", "Asset tag": "A"}])
    (row,) = staged(caller, made)
    assert (row["u_serial"], row["u_asset_tag"], row["sys_import_state"]) == ("S1", "A", "inserted")
    (row,) = staged(caller, many(caller, [{"u_serial": "S1"}]))
    assert "S1" not in (row.get("u_serial"), row.get("u_asset_tag"))


def test_the_answer_is_hidden_and_the_row_is_there(caller: Caller) -> None:
    """201 without a body."""
    caller.sandbox.trap(import_hidden=True)
    answer = caller.now(f"/import/{STAGING}", "POST", {"u_serial": "S1"})
    assert (answer.status_code, answer.content) == (201, b"")
    assert caller.sandbox.counts()[STAGING] == 1
