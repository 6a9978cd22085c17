"""A changed configuration is taken up whole or not at all, while everything else goes on."""

import os
import signal
from functools import partial

import orjson
import pytest

from tests.process.house import DEVICES, INCIDENTS, Daemon, House, wait_for
from worker.model.records import Reason, RunState
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_PAGES = "/mobproc"
_RARELY = DEVICES.replace('every = "1s"', 'every = "1h"')
_BROKEN = '\n[jobs.devices]\ntype = "synk"\n'


def _worker(house: House, *arguments: str) -> tuple[int, str, str]:
    """Runs a verb, and returns its exit code, its output and its errors."""
    done = house.launch(*arguments)
    return done.left(), done.output.read_text(), done.errors.read_text()


def _hup(daemon: Daemon, event: str = "configuration.reloaded") -> None:
    """Sends HUP and waits for what comes of it."""
    before = len(daemon.lines(event))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(daemon.lines(event)) > before, event)


def test_added_changed_and_removed_jobs_take_effect_at_once(either_house: House) -> None:
    """One reading brings one job, speeds another up and takes a third away; nobody is interrupted."""
    house = either_house
    house.configure(_RARELY)
    daemon = house.start()
    house.configure(DEVICES, INCIDENTS)
    _hup(daemon)
    (told,) = daemon.lines("configuration.reloaded")
    assert (told["added"], told["changed"], told["removed"], told["accounts"]) == (1, 1, 0, [])
    for job in ("devices", "incidents"):
        wait_for(partial(house.runs, job, RunState.SUCCEEDED), f"a run of {job}")
    house.configure(INCIDENTS)
    _hup(daemon)
    known = len(house.runs("devices"))
    wait_for(lambda: len(house.runs("incidents", RunState.SUCCEEDED)) > 2, "further runs of incidents")
    assert len(house.runs("devices")) <= known
    daemon.stop()


def test_a_broken_file_keeps_the_last_good_configuration_and_says_so(house: House) -> None:
    """By event, by the command's outcome and in `worker health`: the problem with file and line; then mended."""
    house.configure(DEVICES)
    daemon = house.start()
    house.configure(_BROKEN)
    code, said, _ = _worker(house, "reload", "--wait", "--json")
    assert code == 1
    (outcome,) = orjson.loads(said)
    assert outcome["outcome"].startswith(f"refused: {house.config}:")
    (refused,) = daemon.lines("configuration.refused")
    assert any("synk" in problem and f"{house.config}:" in problem for problem in refused["problems"])
    code, _, warned = _worker(house, "health")
    assert code == 0
    assert "synk" in warned

    ran = len(house.runs())
    wait_for(lambda: len(house.runs()) > ran, "a further run by the last good configuration")
    house.configure(DEVICES, INCIDENTS)
    code, said, _ = _worker(house, "reload", "--wait", "--json")
    assert code == 0, said
    assert orjson.loads(said)[0]["outcome"] == "done: 1 job added"
    _, said, _ = _worker(house, "health", "--json")
    assert orjson.loads(said)["nodes"][0]["reload_error"] is None
    daemon.stop()


def test_a_secret_that_is_missing_is_found_before_anything_changes(house: House) -> None:
    """The file is fine, what it refers to is not there: refused, with the place that was looked at."""
    house.configure(DEVICES)
    daemon = house.start()
    (house.folder / "secrets" / "servicenow_client_secret").unlink()
    house.configure(DEVICES, INCIDENTS)
    _hup(daemon, "configuration.refused")
    assert "servicenow_client_secret" in daemon.lines("configuration.refused")[0]["problems"][0]
    assert not house.runs("incidents")
    daemon.stop()


def test_a_changed_secret_makes_its_account_anew_and_leaves_the_other(house: House) -> None:
    """A run underway goes on with what it began with."""
    house.configure(DEVICES, drain="20s")
    house.sandbox.fault(Fault("delay", path=_PAGES, seconds=1.5, after=1))
    daemon = house.start()
    wait_for(lambda: len(house.sandbox.calls(_PAGES)) >= 2, "a second page")
    house.secret("servicenow_client_secret", "another-secret-of-theirs")
    _hup(daemon)
    assert daemon.lines("configuration.reloaded")[0]["accounts"] == ["servicenow"]
    house.sandbox.clear_faults()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "the end of the run")
    assert not house.runs("devices", RunState.FAILED)
    daemon.stop()


def test_queued_runs_of_a_removed_job_end_with_the_reason(house: House) -> None:
    """A run that waits for its next attempt would wait for ever."""
    house.configure(_RARELY, attempts=3)
    house.execute("SELECT 1")
    house.sandbox.fault(Fault("status", path=_PAGES, status=503, retry_after=3600))
    daemon = house.start()
    _worker(house, "trigger", "devices")
    wait_for(lambda: daemon.lines("run.retrying"), "a first attempt")
    house.configure(INCIDENTS)
    _hup(daemon)
    (run,) = house.runs("devices")
    assert (run.state, run.reason) == (RunState.SKIPPED, Reason.REMOVED)
    daemon.stop()


def test_a_storm_of_hups_is_few_reloads(house: House) -> None:
    """5,000 signals lead to at most three readings, and the daemon works."""
    house.configure(DEVICES)
    daemon = house.start()
    for _ in range(5_000):
        os.kill(daemon.process.pid, signal.SIGHUP)
    wait_for(lambda: daemon.lines("configuration.reloaded"), "a reload")
    ran = len(house.runs())
    wait_for(lambda: len(house.runs()) > ran + 1, "further runs")
    daemon.stop()
    assert len(daemon.lines("configuration.reloaded")) <= 3


def test_what_a_running_process_cannot_take_up_is_told(house: House) -> None:
    """Such keys are named each time until the next start, and all the rest is in force."""
    house.configure(DEVICES)
    daemon = house.start()
    text = house.config.read_text().replace('name = "house"', 'name = "other"\nconcurrency = 3')
    house.config.write_text(text)
    for _ in range(2):
        _hup(daemon)
    for told in daemon.lines("configuration.reloaded"):
        assert told["at_next_start"] == ["worker.name", "worker.concurrency"]
    daemon.stop()


def test_term_during_a_reload_leaves(house: House) -> None:
    """Signals of both kinds at once: the daemon leaves with 0, whichever the reload met."""
    house.configure(DEVICES)
    daemon = house.start()
    daemon.process.send_signal(signal.SIGHUP)
    daemon.stop()
    assert daemon.told("daemon.stopped", drained=True)
