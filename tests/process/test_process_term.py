"""TERM: what runs may end, what hangs is cut off in time, and nothing is left running either way."""

import signal
import sqlite3
import time

import pytest

from tests.process.house import DEVICES, Daemon, House, wait_for
from worker.model.records import AttemptState, Reason, Run, RunState
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_PAGES = "/mobproc"
_SLACK_S = 3.0  # what leaving takes beyond `drain_timeout`: last words, the last rows


def _held_up(house: House, seconds: float, drain: str) -> Daemon:
    """Starts a daemon whose first sync is held up on its second page."""
    house.configure(DEVICES, drain=drain)
    house.sandbox.fault(Fault("delay", path=_PAGES, seconds=seconds, after=1))
    daemon = house.start()
    wait_for(lambda: len(house.sandbox.calls(_PAGES)) >= 2, "a second page")
    return daemon


def _first(house: House) -> Run:
    return house.runs()[0]


def _assert_done_at_the_next_start(house: House) -> None:
    house.sandbox.clear_faults()
    daemon = house.start()
    wait_for(lambda: _first(house).state is RunState.SUCCEEDED, "the end of the run that was cut off")
    daemon.stop()
    assert house.rows() == house.rows_there()
    assert not house.runs("devices", RunState.RUNNING, RunState.FAILED)


def test_a_run_underway_may_end(either_house: House) -> None:
    """The daemon waits for it, leaves with 0, and says that it drained."""
    daemon = _held_up(either_house, 1.0, "20s")
    daemon.stop()
    assert daemon.told("daemon.stopped", drained=True)
    assert _first(either_house).state is RunState.SUCCEEDED
    assert not either_house.runs("devices", RunState.RUNNING)
    assert either_house.rows() == either_house.rows_there()


def test_a_run_that_hangs_is_cut_off_and_done_at_the_next_start(either_house: House) -> None:
    """The daemon leaves within `drain_timeout` and three seconds; the run waits, and is done by the next daemon."""
    daemon = _held_up(either_house, 60.0, "500ms")
    begun = time.monotonic()
    daemon.stop()
    assert time.monotonic() - begun < 0.5 + _SLACK_S
    assert daemon.told("daemon.stopped", drained=False)
    run = _first(either_house)
    assert (run.state, run.reason) == (RunState.QUEUED, Reason.SHUTDOWN)
    assert [one.state for one in either_house.attempts(run)] == [AttemptState.LOST]

    _assert_done_at_the_next_start(either_house)
    assert [one.state for one in either_house.attempts(run)] == [AttemptState.LOST, AttemptState.SUCCEEDED]


def test_a_second_term_leaves_at_once(house: House) -> None:
    """Whoever asks twice does not wait for the drain; what ran is done at the next start."""
    daemon = _held_up(house, 60.0, "60s")
    daemon.ask_to_leave()
    wait_for(lambda: daemon.told("daemon.stopping"), "daemon.stopping")
    begun = time.monotonic()
    daemon.ask_to_leave()
    assert daemon.left() == 128 + signal.SIGTERM
    assert time.monotonic() - begun < _SLACK_S

    _assert_done_at_the_next_start(house)


@pytest.mark.slow
def test_a_database_that_is_away_does_not_hold_the_daemon(house: House) -> None:
    """Another process keeps the file locked: the daemon leaves all the same, in bounded time, and nothing is lost."""
    daemon = _held_up(house, 60.0, "500ms")
    with sqlite3.connect(house.folder / "worker.db", isolation_level=None) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        daemon.ask_to_leave()
        daemon.left(30)
        stranger.execute("ROLLBACK")
    stranger.close()
    _assert_done_at_the_next_start(house)
