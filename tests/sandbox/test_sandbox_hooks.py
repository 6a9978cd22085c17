"""Hooks in the test's own process, and the controls that change rows between two pages."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tests.sandbox.calling import Caller
from worker.sandbox.calllog import CallRecord
from worker.sandbox.traps import Traps


def test_a_hook_sees_each_request_before_it_is_answered(caller: Caller) -> None:
    """It may change what the request will find, and everything else it likes."""
    seen: list[str] = []

    def hook(record: CallRecord) -> None:
        seen.append(f"{record.method} {record.path}")
        if record.path == "/basic/items":
            caller.sandbox.delete("items", caller.sandbox.ids("items")[0])

    caller.sandbox.on_request(hook)
    counts = [len(caller.generic("/items").json()["data"]["items"]) for _ in range(3)]
    caller.sandbox.on_request(None)
    assert counts == [59, 58, 57]
    assert seen == ["GET /basic/items"] * 3
    assert len(caller.generic("/items").json()["data"]["items"]) == 57


def test_after_so_many_requests_something_happens_once(caller: Caller) -> None:
    """Only requests to the path count; two that wait for the same request both act, in order."""
    done: list[str] = []
    caller.sandbox.after(1, "/basic/items", lambda record: done.append(f"a {record.path}"))
    caller.sandbox.after(1, "/basic", lambda record: done.append(f"b {record.path}"))
    caller.generic("/settings")
    assert done == []
    caller.generic("/items")
    assert done == ["b /basic/items"]
    caller.generic("/items/1000000")
    caller.generic("/items")
    assert done == ["b /basic/items", "a /basic/items/1000000"]


def test_a_hook_that_raises_is_heard(caller: Caller) -> None:
    """Status 500: a wrong assertion in a hook is no silent page."""

    def hook(_: CallRecord) -> None:
        raise ZeroDivisionError

    caller.sandbox.on_request(hook)
    assert caller.generic("/items").status_code == 500


def test_rows_are_inserted_updated_touched_and_deleted(caller: Caller) -> None:
    """Backdated inserts, silent updates, many rows in one second, deletions with their record."""
    sandbox = caller.sandbox
    key = sandbox.insert("incident", {"short_description": "old"}, at="2024-02-03 04:05:06")
    row = next(row for row in sandbox.rows("incident") if row["sys_id"] == key)
    assert (row["sys_updated_on"], row["short_description"]) == ("2024-02-03 04:05:06", "old")
    sandbox.update("incident", key, {"state": "7"}, silent=True)
    sandbox.update("cmdb_ci", sandbox.ids("cmdb_ci")[0], {"cost": "1.00"})
    row = next(row for row in sandbox.rows("incident") if row["sys_id"] == key)
    assert (row["sys_updated_on"], row["state"], row["sys_mod_count"]) == ("2024-02-03 04:05:06", "7", "0")
    assert sandbox.rows("cmdb_ci")[0]["sys_mod_count"] == "1"
    touched = sandbox.touch("incident", 25)
    stamps = {row["sys_updated_on"] for row in sandbox.rows("incident") if row["sys_id"] in touched}
    assert (len(touched), len(stamps)) == (25, 1)
    sandbox.delete("incident", key)
    assert key not in sandbox.ids("incident")
    (told,) = caller.now("/table/sys_audit_delete").json()["result"]
    assert (told["tablename"], told["documentkey"]) == ("incident", key)
    with pytest.raises(KeyError, match="no row"):
        sandbox.delete("incident", key)


def test_a_wrong_switch_is_refused(caller: Caller) -> None:
    """ValueError names it, and nothing changed; all can be turned back."""
    with pytest.raises(ValueError, match="traps: unknown 'hide_all'"):
        caller.sandbox.trap(shuffle=True, hide_all=1)
    with pytest.raises(ValueError, match="heavy must be one of"):
        caller.sandbox.trap(heavy="very")
    with pytest.raises(ValueError, match="hide_first must be int"):
        caller.sandbox.trap(hide_first=-1)
    assert caller.sandbox.traps()["shuffle"] is False
    caller.sandbox.trap(hide_keys=["a"], latency_s=1)
    assert (caller.sandbox.traps()["hide_keys"], caller.sandbox.traps()["latency_s"]) == (["a"], 1.0)
    caller.sandbox.clear_traps()
    assert caller.sandbox.traps()["hide_keys"] == []


def test_every_switch_is_tested() -> None:
    """No trap without a test that sets it."""
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = {one.name for one in fields(Traps)} - {"changes"}
    assert {name for name in names if not re.search(rf"\b{name}=|\"{name}\":", text)} == set()
