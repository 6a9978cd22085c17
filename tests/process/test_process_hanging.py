"""TERM leaves in time whatever hangs; USR1 tells where; a log that nobody reads holds up no run."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.process.house import DEVICES, House, wait_for
from worker.model.records import AttemptState, Reason, RunState

pytestmark = pytest.mark.process

_HANGS = """
[jobs.devices]
type = "python"
call = "tests.process.hanging:{where}"
schedule = {{ every = "1s" }}
"""
_DRAIN_S = 0.5
_SLACK_S = 2.0


@pytest.mark.parametrize("where", ["in_a_lock", "in_recv", "in_c", "in_a_pool", "in_python"])
def test_term_leaves_in_time_whatever_hangs(house: House, where: str) -> None:
    """With 0, within the drain and two seconds; the attempt is lost, its run waits for the next start."""
    house.configure(_HANGS.format(where=where), drain="500ms")
    daemon = house.start()
    wait_for(lambda: daemon.told("job.said"), "a run that hangs")
    begun = time.monotonic()
    daemon.stop()
    assert time.monotonic() - begun < _DRAIN_S + _SLACK_S
    assert daemon.told("daemon.stopped", drained=False)
    run = house.runs()[0]
    assert (run.state, run.reason) == (RunState.QUEUED, Reason.SHUTDOWN)
    assert [one.state for one in house.attempts(run)] == [AttemptState.LOST]


def test_usr1_tells_where_every_thread_is(house: House) -> None:
    """The run that hangs is named, and its place in the code; no value of a variable is told; the daemon goes on."""
    house.configure(_HANGS.format(where="in_a_lock"), drain="100ms")
    daemon = house.start()
    wait_for(lambda: daemon.told("job.said"), "a run that hangs")
    daemon.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: any(line["thread"] == "signals" for line in daemon.lines("daemon.thread")), "its threads")
    (state,) = daemon.lines("daemon.state")
    assert (state["jobs"], state["running"], len(state["runs"])) == (1, 1, 1)
    stacks = [line["stack"][0] for line in daemon.lines("daemon.thread") if line["thread"].startswith("run-")]
    assert any("tests/process/hanging.py:" in place and "in_a_lock" in place for place in stacks)
    daemon.stop()


def test_a_log_that_nobody_reads_holds_up_no_run(house: House) -> None:
    """The reader of its pipe stops and never goes on: runs go on, and TERM still leaves in time."""
    house.configure(DEVICES, drain="5s")
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    command = [sys.executable, "-m", "worker", "run", "--config", str(house.config)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=writing, cwd=Path.cwd())
    try:
        os.close(writing)
        wait_for(lambda: len(house.runs("devices", RunState.SUCCEEDED)) >= 4, "runs beyond what the pipe holds")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
        os.close(reading)


def test_a_full_disk_under_the_log_holds_up_no_run(house: House) -> None:
    """Lines are lost, and `worker health` says how many."""
    house.configure(DEVICES)
    command = [sys.executable, "-m", "worker", "run", "--config", str(house.config)]
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=full, cwd=Path.cwd())
    try:
        wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run")

        def lost() -> int:
            verb = house.launch("health", "--json")
            assert verb.left() == 0
            return int(orjson.loads(verb.output.read_bytes())["nodes"][0]["lines_dropped"])

        wait_for(lost, "a number of lost lines")
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
