"""What operators do from another process, with a daemon up or down: on either database, and with two daemons."""

import orjson
import pytest

from tests.process.house import DEVICES, House, wait_for
from worker.model.records import Reason, Run, RunState, Trigger
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


@pytest.mark.slow
def test_a_cursor_is_set_back_and_a_run_replayed(either_house: House) -> None:
    """After the set the next run reads again from there; the replay reads its window and leaves the cursor."""
    house = either_house
    house.configure(DEVICES.replace('{ every = "1s" }', '"manual"'))
    daemon = house.start()
    assert house.launch("trigger", "devices", "--wait").left() == 0
    (run,) = house.runs()
    reached = house.cursor()
    listed = house.launch("cursor", "show", "devices", "--json")
    assert listed.left() == 0
    (shown,) = orjson.loads(listed.output.read_text())
    assert (shown["value"], shown["run_id"]) == (reached, str(run.id))

    oldest = min(str(row["updated"]) for row in house.sandbox.rows("devices"))
    told = asked(house, "cursor", "set", "devices", oldest)["outcome"]
    assert f"worker cursor set devices '\"{reached}\"'" in told
    again = asked(house, "trigger", "devices", "--wait")
    assert int(again["read"]) == len(house.rows_there())
    assert house.cursor() == reached
    asked(house, "cursor", "reset", "devices")
    replayed = asked(house, "replay", str(run.id), "--wait")
    assert (replayed["state"], int(replayed["read"])) == ("succeeded", len(house.rows_there()))
    assert house.cursor() is None
    daemon.stop()


@pytest.mark.slow
@pytest.mark.postgres
def test_two_daemons_carry_each_command_out_once(postgres_house: House) -> None:
    """One of them takes it, and both know of it: a pause of one holds the other back, too."""
    house = postgres_house
    house.configure(DEVICES)
    first, second = house.start(), house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a first run")
    assert asked(house, "pause", "devices")["outcome"] == "done"
    paused_at = wait_for(lambda: skipped(house), "a tick that is skipped")[-1].id
    told = [asked(house, "trigger", "devices") for _ in range(3)]
    assert len({one["run"] for one in told}) == 3
    assert asked(house, "pause", "devices")["outcome"].startswith("done: nothing to do")
    wait_for(lambda: not house.runs("devices", RunState.RUNNING, RunState.QUEUED), "the end of every run")
    first.stop()
    second.stop()
    by_hand = [run for run in house.runs() if run.trigger is Trigger.MANUAL]
    assert [run.state for run in by_hand] == [RunState.SUCCEEDED] * 3
    began = [run for run in house.runs() if run.id > paused_at and run.trigger is not Trigger.MANUAL]
    assert {run.reason for run in began} <= {Reason.PAUSED}
