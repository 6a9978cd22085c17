"""Rejects on a real daemon, from a bad map to an empty list."""

import orjson
import pytest
import sqlalchemy as sa

from tests.process.house import House
from worker.model.records import RunState

pytestmark = pytest.mark.process

_JOB = """
[jobs.devices]
type = "sync"
schedule = "manual"
max_rejects = "100%"
source = {{ account = "tangoe", resource = "devices", paging = {{ size = 10 }} }}
map = {{ id = "id", revision = "revision", updated = "updated", imei = "{imei}" }}
destination = {{ table = "devices", key = "id" }}
"""
BAD = _JOB.format(imei="length(imei)")  # which fails where there is none
MENDED = _JOB.format(imei="imei && length(imei)")


def rejects(house: House) -> list[dict[str, object]]:
    """Returns what the verb lists."""
    asked = house.launch("rejects", "devices", "--json")
    assert asked.left() == 0, asked.errors.read_text()
    found: list[dict[str, object]] = orjson.loads(asked.output.read_text())
    return found


def test_rejects_get_through_once_their_cause_is_mended(either_house: House) -> None:
    """Rows are there, none twice; the list is empty, the cursor where it was, and the source is not asked again."""
    house = either_house
    broken = {str(row["id"]) for row in house.sandbox.rows("devices") if row["imei"] is None}
    assert 0 < len(broken) < 50
    house.configure(BAD)
    daemon = house.start()
    assert house.launch("trigger", "devices", "--wait").left() == 0
    kept = rejects(house)
    assert {orjson.loads(str(one["record"]))["id"] for one in kept} == broken
    assert all("length(imei)" in str(one["reason"]) and one["whole"] for one in kept)
    assert len(house.rows()) == 50 - len(broken)
    cursor = house.cursor()

    still = house.launch("replay", "devices", "--rejects", "--wait", "--json")
    assert still.left() == 0
    told = orjson.loads(still.output.read_text())
    assert (told["read"], told["written"], told["rejected"]) == (len(broken), 0, len(broken))
    assert len(rejects(house)) == len(broken)

    daemon.stop()
    house.configure(MENDED)
    house.sandbox.forget_calls()
    daemon = house.start()
    again = house.launch("replay", "devices", "--rejects", "--wait", "--json")
    assert again.left() == 0, again.errors.read_text()
    daemon.stop()
    told = orjson.loads(again.output.read_text())
    assert (told["read"], told["written"], told["rejected"]) == (len(broken), len(broken), 0)
    assert rejects(house) == []
    assert house.rows() == house.rows_there()
    with house.database.read() as connection:
        counted = sa.text("SELECT count(*), count(DISTINCT id) FROM devices")
        assert tuple(connection.execute(counted).one()) == (50, 50)
    assert house.cursor() == cursor
    assert house.sandbox.calls("/mobproc") == []
    assert [run.state for run in house.runs()] == [RunState.SUCCEEDED] * 3
