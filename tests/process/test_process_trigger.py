"""A run that another process asks for."""

import orjson
import pytest

from tests.process.house import DEVICES, House, wait_for
from worker.model.records import RunState, Trigger
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

BY_HAND = DEVICES.replace('{ every = "1s" }', '"manual"')
_USAGE = 2


def test_trigger_waits_for_the_run(house: House) -> None:
    """It ends with 0 once the run has succeeded, and tells of its row."""
    house.configure(BY_HAND)
    daemon = house.start()
    asked = house.launch("trigger", "devices", "--wait", "--json")
    assert asked.left() == 0
    told = orjson.loads(asked.output.read_text())
    daemon.stop()
    (run,) = house.runs()
    assert (int(told["id"]), told["state"], told["written"]) == (run.id, "succeeded", 50)
    assert (run.trigger, run.state) == (Trigger.MANUAL, RunState.SUCCEEDED)
    assert house.rows() == house.rows_there()


def test_trigger_tells_of_a_run_that_fails(house: House) -> None:
    """It ends with 1 and names the cause."""
    house.configure(BY_HAND, attempts=1)
    house.sandbox.fault(Fault("status", path="/mobproc", status=404))
    daemon = house.start()
    asked = house.launch("trigger", "devices", "--wait")
    assert asked.left() == 1
    said = asked.errors.read_text()
    assert "404" in said
    assert ".;" not in said  # the cause is a sentence, and goes on within another one
    daemon.stop()


def test_trigger_of_an_unknown_job_is_a_wrong_usage(house: House) -> None:
    """It ends with 2 and names the jobs there are; nothing is asked for."""
    house.configure(BY_HAND)
    assert house.database.dialect == "sqlite"
    asked = house.launch("trigger", "device")
    assert asked.left() == _USAGE
    assert "devices" in asked.errors.read_text()
    assert house.runs() == []


def test_trigger_without_a_daemon_says_so_and_is_not_lost(house: House) -> None:
    """Who waits is told that nobody works; the run begins when a daemon does."""
    house.configure(BY_HAND)
    assert house.database.dialect == "sqlite"
    asked = house.launch("trigger", "devices", "--wait")
    wait_for(lambda: "no daemon works on this database" in asked.errors.read_text(), "a word about the daemon")
    daemon = house.start()
    assert asked.left() == 0
    daemon.stop()
    assert [run.state for run in house.runs()] == [RunState.SUCCEEDED]
