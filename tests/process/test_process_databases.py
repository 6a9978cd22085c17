"""A database that cannot be reached: the daemon starts without it, the runs that need it are tried again."""

import pytest

from tests.process.house import DEVICES, House, wait_for
from worker.model.records import RunState

pytestmark = pytest.mark.process

_WAREHOUSE = '[databases.warehouse]\nurl = "sqlite:///later/warehouse.db"\n'
_AWAY = """
[jobs.away]
type = "sync"
schedule = { every = "1s" }
source = { account = "tangoe", resource = "devices", paging = { size = 10 } }
destination = { database = "warehouse", table = "devices" }
"""
_CONFIGURATION = 78


def test_what_needs_it_fails_and_all_else_works(house: House) -> None:
    """`worker check --connect` names the database; once it is there, the next attempt finds it without a restart."""
    house.configure(_WAREHOUSE, DEVICES, _AWAY)
    checked = house.launch("check", "--connect")
    assert checked.left() == _CONFIGURATION
    assert "databases.warehouse.url" in checked.errors.read_text()
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run of the job that needs nothing else")
    wait_for(lambda: daemon.told("run.finished", job="away", state="failed"), "a failed run of the other job")
    [run] = house.runs("away", RunState.FAILED)[:1]
    assert run.error_kind == "database"
    assert "does not exist" in (run.error or "")
    (house.folder / "later").mkdir()
    wait_for(lambda: house.runs("away", RunState.SUCCEEDED), "a run that succeeds")
    daemon.stop()
    assert house.launch("check", "--connect").left() == 0
