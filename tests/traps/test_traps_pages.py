"""Paging and incremental pitfalls of ServiceNow, by their numbers in apis.md 2.3, as the profile reads them."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.contract import BadAnswer, GiveUp
from tests.traps.plant import Plant, incidents
from worker.sandbox.calllog import CallRecord
from worker.sandbox.server import Sandbox

_AT = datetime(2026, 5, 1, 8, tzinfo=UTC)


def _stamp(seconds: int) -> datetime:
    return _AT + timedelta(seconds=seconds)


def _visible(sandbox: Sandbox, *hidden: str, table: str = "incident") -> list[str]:
    return sorted(set(sandbox.ids(table)) - set(hidden))


def test_2_3_1_a_limit_before_the_access_rules(plant: Plant, sandbox: Sandbox) -> None:
    """Short pages and empty ones in the middle, and a count that counts what is hidden: every visible row comes."""
    ids = sandbox.ids("incident")
    hidden = [*ids[4:25], *ids[30:33]]
    sandbox.trap(hide_keys=hidden)
    assert plant.run("p1", incidents("p1", size=4)).error is None
    assert plant.ids("p1") == _visible(sandbox, *hidden)


def test_2_3_2_rows_without_content(plant: Plant, sandbox: Sandbox) -> None:
    """A row that comes as {} is left out and told; the others come."""
    sandbox.trap(blank_where="priority=2")
    done = plant.run("p2", incidents("p2", size=5))
    blank = [str(row["sys_id"]) for row in sandbox.rows("incident") if row["priority"] == "2"]
    assert blank
    assert plant.ids("p2") == _visible(sandbox, *blank)
    assert [text.split()[0] for text in done.warned] == [str(len(blank))]


def test_2_3_3_an_order_that_is_none(plant: Plant, sandbox: Sandbox) -> None:
    """What the query leaves equal comes in another order with each request; the walk's own order ends in a key."""
    sandbox.trap(shuffle=True)
    sandbox.touch("incident", sandbox.ids("incident"), at=_stamp(0))
    done = plant.run("p3", incidents("p3", size=7))
    assert (done.error, plant.ids("p3")) == (None, _visible(sandbox))
    assert done.counts.read == done.counts.written


def test_2_3_4_rows_that_leave_while_pages_are_read(plant: Plant, sandbox: Sandbox) -> None:
    """Deleted, or changed out of their place, in front of where the walk is: no other row is left out."""
    ids = sandbox.ids("incident")
    for row, key in enumerate(ids):
        sandbox.touch("incident", [key], at=_stamp(row))
    path = "/api/now/table/incident"

    def change(_: CallRecord) -> None:
        for key in ids[:3]:
            sandbox.delete("incident", key)
        sandbox.touch("incident", ids[4:7])

    sandbox.after(1, path, change)
    assert plant.run("p4", incidents("p4", size=6)).error is None
    assert set(_visible(sandbox, *ids[4:7])) <= set(plant.ids("p4"))
    assert plant.run("p4", incidents("p4", size=6)).error is None
    assert set(_visible(sandbox)) <= set(plant.ids("p4"))


def test_2_3_5_keyset_over_time_and_key(plant: Plant, sandbox: Sandbox) -> None:
    """Pages end within one second; later pages ask for the rest of it and for what is later, in one query."""
    sandbox.touch("incident", sandbox.ids("incident")[:20], at=_stamp(100))
    sandbox.forget_calls()
    assert plant.run("p5", incidents("p5", size=6)).error is None
    assert plant.ids("p5") == _visible(sandbox)
    later = [str(call.query) for call in sandbox.calls("/api/now/table/incident")][1:]
    assert later
    assert all("^NQ" in query or "%5ENQ" in query for query in later)


@pytest.mark.parametrize("size", [3, 8])
def test_2_3_6_pages_that_are_hidden_to_the_last_row(plant: Plant, sandbox: Sandbox, size: int) -> None:
    """No key to go on from: the walk steps over them, also where a row goes while it does."""
    job, ids = f"p6_{size}", sandbox.ids("incident")
    for row, key in enumerate(ids):
        sandbox.touch("incident", [key], at=_stamp(row))
    hidden = ids[2 : len(ids) - 2]
    sandbox.trap(hide_keys=hidden)
    sandbox.after(3, "/api/now/table/incident", lambda _: sandbox.delete("incident", hidden[1]))
    assert plant.run(job, incidents(job, size=size)).error is None
    assert plant.ids(job) == _visible(sandbox, *hidden)


def test_2_3_7_many_rows_of_one_second(plant: Plant, sandbox: Sandbox) -> None:
    """The run that follows asks for that second again: a row that was stamped with it later is not lost."""
    ids = sandbox.ids("incident")
    sandbox.touch("incident", ids[:10], at=_stamp(500))
    assert plant.run("p7", incidents("p7", size=4)).error is None
    key = sandbox.insert("incident", {"short_description": "late"}, at=sandbox_newest(sandbox))
    assert plant.run("p7", incidents("p7", size=4)).error is None
    assert key in plant.ids("p7")


def sandbox_newest(sandbox: Sandbox) -> str:
    """Returns the stamp of the row that changed last."""
    return max(str(row["sys_updated_on"]) for row in sandbox.rows("incident"))


def test_2_3_8_the_watermark_is_a_stamp_that_was_seen(plant: Plant, sandbox: Sandbox) -> None:
    """Nothing is added to it."""
    assert plant.run("p8", incidents("p8")).error is None
    newest = datetime.fromisoformat(sandbox_newest(sandbox)).replace(tzinfo=UTC)
    assert datetime.fromisoformat(plant.house.cursor("p8")) == newest


def test_2_3_9_the_watermark_moves_with_what_is_stored(plant: Plant, sandbox: Sandbox) -> None:
    """A walk that breaks off in the middle leaves it at its last whole page; what changed meanwhile is not passed."""
    ids = sandbox.ids("incident")
    for row, key in enumerate(ids):
        sandbox.touch("incident", [key], at=_stamp(row))
    sandbox.after(2, "/api/now/table/incident", lambda _: sandbox.trap(url_limit=50))
    assert isinstance(plant.run("p9", incidents("p9", size=5)).error, GiveUp)
    stored = plant.rows("p9")
    assert len(stored) == 10
    reached = datetime.fromisoformat(plant.house.cursor("p9"))
    assert reached == _stamp(9)
    sandbox.clear_traps()
    assert plant.run("p9", incidents("p9", size=5)).error is None
    assert plant.ids("p9") == _visible(sandbox)


_WHOLE = """
[jobs.{job}]
type = "sync"
schedule = "manual"
source = {{ account = "servicenow", resource = "table/{table}", cursor = "none" }}
destination = {{ table = "{job}", mode = "mirror" }}
"""


def test_2_3_10_changes_that_leave_no_stamp(plant: Plant, sandbox: Sandbox) -> None:
    """A run over what changed cannot see them; one that reads everything does."""
    key = sandbox.ids("incident")[0]
    assert plant.run("p10", incidents("p10")).error is None
    sandbox.update("incident", key, {"short_description": "silently"}, silent=True)
    for row in sandbox.ids("incident")[1:3]:
        sandbox.touch("incident", [row])
    assert plant.run("p10", _WHOLE.format(job="p10", table="incident")).error is None
    assert {row["sys_id"]: row["short_description"] for row in plant.rows("p10")}[key] == "silently"


def test_2_3_11_a_table_without_a_time_of_change(plant: Plant, sandbox: Sandbox) -> None:
    """It is read whole, and what is gone from it is marked."""
    assert plant.run("p11", _WHOLE.format(job="p11", table="u_plain")).error is None
    gone = sandbox.ids("u_plain")[3]
    sandbox.delete("u_plain", gone)
    assert plant.run("p11", _WHOLE.format(job="p11", table="u_plain")).error is None
    rows = plant.rows("p11")
    assert [row["sys_id"] for row in rows if row["_deleted_at"]] == [gone]
    assert sorted(row["sys_id"] for row in rows if not row["_deleted_at"]) == sandbox.ids("u_plain")


def test_2_3_12_times_are_utc_without_saying_so(plant: Plant, sandbox: Sandbox) -> None:
    """They are asked for as plain texts, and stored as times of UTC."""
    key = sandbox.ids("incident")[0]
    sandbox.touch("incident", [key], at=datetime(2026, 7, 1, 23, 30, tzinfo=UTC))
    sandbox.forget_calls()
    assert plant.run("p12", incidents("p12")).error is None
    assert {row["sys_id"]: row["sys_updated_on"] for row in plant.rows("p12")}[key].startswith("2026-07-01T23:30:00")
    assert "dateGenerate" not in str([call.query for call in sandbox.calls("/api/now/table/incident")])


def test_2_3_13_a_url_that_is_too_long(plant: Plant, sandbox: Sandbox) -> None:
    """Its 414 is told with what to shorten, and is no reason to try again."""
    sandbox.trap(url_limit=120)
    error = plant.run("p13", incidents("p13")).error
    assert isinstance(error, GiveUp)
    assert "The URL is too long for the server" in str(error)


def test_2_2_a_condition_that_is_dropped(plant: Plant, sandbox: Sandbox) -> None:
    """An unknown field is left out of a query without a word; rows older than the watermark tell."""
    for row, key in enumerate(sandbox.ids("incident")):
        sandbox.touch("incident", [key], at=_stamp(row * 600))
    assert plant.run("p14", incidents("p14")).error is None
    sandbox.trap(drop_fields=["sys_updated_on"])
    assert isinstance(plant.run("p14", incidents("p14")).error, BadAnswer)


_AUDITED = """
[jobs.{job}]
type = "sync"
schedule = "manual"
source = {{ account = "servicenow", resource = "table/incident", deletions = {{ resource = "deleted/incident" }} }}
destination = {{ table = "{job}", mode = "upsert", guard = {{ max_delete = {guard} }} }}
"""


def test_2_4_1_deletions_stand_in_a_table_of_their_own(plant: Plant, sandbox: Sandbox) -> None:
    """`sys_audit_delete` names what is gone, in the same run that reads what changed."""
    assert plant.run("p15", _AUDITED.format(job="p15", guard=10)).error is None
    gone = sandbox.ids("incident")[:2]
    for key in gone:
        sandbox.delete("incident", key)
    assert plant.run("p15", _AUDITED.format(job="p15", guard=10)).error is None
    assert sorted(row["sys_id"] for row in plant.rows("p15") if row["_deleted_at"]) == gone


def test_2_4_2_access_rules_look_like_deletions(plant: Plant, sandbox: Sandbox) -> None:
    """A whole pass that suddenly shows little takes nothing away, and says what the guard allows."""
    assert plant.run("p16", _WHOLE.format(job="p16", table="incident")).error is None
    before = plant.ids("p16")
    sandbox.trap(hide_keys=sandbox.ids("incident")[:30])
    error = plant.run("p16", _WHOLE.format(job="p16", table="incident")).error
    assert "guard.max_delete" in str(error)
    assert plant.ids("p16") == before
    assert not any(row.get("_deleted_at") for row in plant.rows("p16"))
