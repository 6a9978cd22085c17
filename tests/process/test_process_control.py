"""What operators do from another process, with a daemon up or down: on either database, and with two daemons."""

import orjson
import pytest

from tests.process.house import DEVICES, House, wait_for
from worker.model.records import Reason, Run, RunState
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_REFUSED = 1


def asked(house: House, *words: str) -> dict[str, str]:
    """Returns what a verb says as JSON, once it ended well."""
    verb = house.launch(*words, "--json")
    assert verb.left() == 0, verb.errors.read_text()
    said: dict[str, str] = orjson.loads(verb.output.read_text())
    return said


def record(house: House) -> list[tuple[str, str, str]]:
    """Returns what `worker commands` lists, oldest first: verb, target, outcome."""
    listed = house.launch("commands", "--json")
    assert listed.left() == 0
    return [(one["verb"], one["target"], one["outcome"]) for one in orjson.loads(listed.output.read_text())[::-1]]


def skipped(house: House) -> list[Run]:
    """Returns the rows of ticks that were skipped because the job was paused."""
    return [run for run in house.runs("devices", RunState.SKIPPED) if run.reason is Reason.PAUSED]


@pytest.mark.slow
def test_a_pause_holds_the_schedule_until_the_resume(either_house: House) -> None:
    """Its ticks are one row with the reason, over a restart of the daemon too; who did it is on record."""
    house = either_house
    house.configure(DEVICES)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a first run")
    assert asked(house, "pause", "devices", "--why", "a test")["outcome"] == "done"
    daemon.stop()
    daemon = house.start()
    paused = wait_for(lambda: skipped(house), "a tick that is skipped")[-1]
    said = asked(house, "resume", "devices", "--run-now")
    assert said["outcome"] == "done"
    wait_for(lambda: [run for run in house.runs() if run.id > paused.id and run.state.ended], "a run after it")
    daemon.stop()
    assert record(house) == [("pause", "devices", "done"), ("resume", "devices", "done")]


@pytest.mark.slow
def test_a_pause_without_a_daemon_waits_for_one_and_comes_before_what_it_missed(house: House) -> None:
    """Who asks is told; the next daemon pauses the job before it makes up for anything."""
    house.configure(DEVICES)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a first run")
    daemon.stop()
    before = len(house.runs())
    waiting = house.launch("pause", "devices", "--wait")
    wait_for(lambda: "no daemon works on this database" in waiting.errors.read_text(), "a word about the daemon")
    daemon = house.start()
    assert waiting.left() == 0
    wait_for(lambda: skipped(house), "a tick that is skipped")
    daemon.stop()
    assert {run.state for run in house.runs()[before:]} <= {RunState.SKIPPED, RunState.MISSED}


@pytest.mark.slow
def test_a_run_is_cancelled_from_another_process(either_house: House) -> None:
    """It ends in mid-run; who waits learns of it when it has, and the next run goes through."""
    house = either_house
    house.configure(DEVICES.replace('{ every = "1s" }', '"manual"'))
    house.sandbox.fault(Fault("delay", path="/mobproc", seconds=4, times=None))
    daemon = house.start()
    house.launch("trigger", "devices")
    wait_for(lambda: house.runs("devices", RunState.RUNNING), "a run underway")
    verb = house.launch("cancel", "devices", "--wait")
    assert verb.left() == 0, verb.errors.read_text()
    (run,) = house.runs()
    assert (run.state, run.reason) == (RunState.CANCELLED, Reason.OPERATOR)
    assert house.launch("cancel", str(run.id)).left() == _REFUSED
    house.sandbox.clear_faults()
    assert house.launch("trigger", "devices", "--wait").left() == 0
    daemon.stop()
    assert house.rows() == house.rows_there()
