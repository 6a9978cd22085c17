"""The real daemon while the wall clock jumps: noticed at once, no storm, no stall; what elapses does not jump along."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.process.house import DEVICES, House, wait_for
from tests.process.shims import WallClock
from worker.model.moments import utc_now
from worker.model.records import Run, RunState, Trigger
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_HOUR_S, _DAY_S = 3600.0, 86_400.0
_NOTICED_S = 5.0
_BUSY_S = 15.0  # what a machine that does other things may add
_NONE = """
[jobs.none]
type = "sync"
schedule = { every = "10s" }
catch_up = "none"
source = { account = "tangoe", resource = "orders", paging = { size = 50 } }
destination = { table = "orders" }
"""


@pytest.fixture
def clock(house: House, tmp_path: Path) -> WallClock:
    """The wall clock of the house's daemons."""
    made = WallClock(tmp_path / "shift")
    house.environment = made.environment
    return made


def _beyond(house: House, job: str, shift_s: float) -> list[Run]:
    """Returns the runs of ticks that only a clock so far ahead can show."""
    edge = utc_now() + timedelta(seconds=shift_s / 2)
    return [run for run in house.runs(job) if run.tick and (run.tick_until or run.tick) > edge]


def _after(house: House, job: str, run_id: int) -> list[Run]:
    return [run for run in house.runs(job, RunState.SUCCEEDED) if run.id > run_id]


def _succeeded(house: House, run_id: int) -> bool:
    return run_id in [run.id for run in house.runs("devices", RunState.SUCCEEDED)]


def _took_s(house: House, clock: WallClock, shift_s: float) -> float:
    """Sets the clock as soon as another run has begun; returns how long that took, by the clock."""
    before = {run.id for run in house.runs("devices")}

    def news(state: RunState) -> list[Run]:
        return [run for run in house.runs("devices", state) if run.id not in before]

    begun = wait_for(lambda: news(RunState.RUNNING), "a run that has just begun")
    clock.shift(shift_s)
    [ended] = wait_for(lambda: [run for run in news(RunState.SUCCEEDED) if run.id == begun[0].id], "its end")
    assert ended.started_at is not None
    assert ended.finished_at is not None
    return (ended.finished_at - ended.started_at).total_seconds()


def test_a_jump_forward_is_noticed_and_makes_no_storm(house: House, clock: WallClock) -> None:
    """What was leapt over is made up for as each job has it: by one run, or by none; and one row says so."""
    house.configure(DEVICES, _NONE)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run")
    clock.shift(_HOUR_S)
    wait_for(lambda: _beyond(house, "devices", _HOUR_S), "a tick an hour ahead", _NOTICED_S + _BUSY_S)
    wait_for(lambda: _beyond(house, "none", _HOUR_S), "word of the other job", _NOTICED_S + _BUSY_S)
    wait_for(lambda: len(_beyond(house, "devices", _HOUR_S)) >= 4, "ticks that go on")
    daemon.stop()
    [gap] = [run for run in house.runs("devices", RunState.MISSED) if run.ticks > 3000]
    made_up = [run for run in _beyond(house, "devices", _HOUR_S) if run.trigger is Trigger.CATCH_UP and run.attempt]
    assert gap.tick_until is not None
    assert [run.tick for run in made_up] == [gap.tick_until + timedelta(seconds=1)]
    assert len([run for run in house.runs("none", RunState.MISSED) if run.ticks > 300]) == 1
    assert not [run for run in _beyond(house, "none", _HOUR_S) if run.trigger is Trigger.CATCH_UP and run.attempt]


@pytest.mark.parametrize("back_s", [_HOUR_S, pytest.param(_DAY_S + 60, marks=pytest.mark.slow)])
def test_a_jump_back_stalls_nothing(house: House, clock: WallClock, back_s: float) -> None:
    """Jobs go on, and a run that waits for its next attempt does not wait for the time that it was told before."""
    retry = 'retry = { attempts = 5, backoff = "4s", max = "4s" }\n'
    house.configure(DEVICES.replace('"1s"', '"2s"') + retry)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run")
    clock.shift(-back_s)
    seen = house.runs("devices")[-1].id
    wait_for(lambda: len(_after(house, "devices", seen)) >= 2, "runs by the clock that was set back")
    daemon.stop()
    before = len(house.runs("devices", RunState.SUCCEEDED))  # ids made by that clock are lower
    daemon = house.start()
    wait_for(lambda: len(house.runs("devices", RunState.SUCCEEDED)) >= before + 2, "runs after a start by that clock")
    house.sandbox.fault(Fault("status", path="/mobproc", status=503, times=None))
    waiting = wait_for(
        lambda: [run for run in house.runs("devices", RunState.QUEUED) if run.attempt], "a run that waits"
    )
    house.sandbox.clear_faults()
    clock.shift(-2 * back_s)
    wait_for(lambda: _succeeded(house, waiting[0].id), "the end of the run that waited")
    daemon.stop()


def test_what_elapses_does_not_follow_the_wall_clock(house: House, clock: WallClock) -> None:
    """A run within its timeout goes on, and a token is asked for once, whatever time of day it is."""
    house.configure(DEVICES + 'timeout = "30s"\n')
    house.sandbox.fault(Fault("delay", path="/mobproc", seconds=0.8, times=None))
    daemon = house.start()
    assert _took_s(house, clock, _DAY_S) == pytest.approx(_DAY_S, abs=_HOUR_S)
    assert _took_s(house, clock, -_DAY_S) == pytest.approx(-2 * _DAY_S, abs=_HOUR_S)
    daemon.stop()
    assert not house.runs("devices", RunState.FAILED)
    assert len(house.sandbox.token_requests()) == 1
