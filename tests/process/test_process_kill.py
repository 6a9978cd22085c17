"""kill -9 at any moment of a sync, then a new start: no tick lost, no row doubled or missing, nothing left running."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.process.house import DEVICES, Daemon, House, wait_for
from tests.process.ledger import assert_every_second_once
from worker.model.records import AttemptState, Purpose, Run, RunState
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_TOKEN, _PAGES = "/as/token.oauth2", "/mobproc"
_FOREVER_S = 60.0
_LEASE_S, _LATE_S = 30.0, 5.0


def _asked(path: str, times: int) -> Callable[[House], object]:
    return lambda house: len(house.sandbox.calls(path)) >= times


def _stored(pages: int) -> Callable[[House], object]:
    return lambda house: any(one.counts.pages >= pages for run in house.runs() for one in house.attempts(run))


@dataclass(frozen=True)
class Moment:
    """When the daemon dies: what holds the sync up, and what must have happened by then."""

    name: str
    fault: Fault
    come: Callable[[House], object]
    slow: bool = False  # left to the long round


MOMENTS = [
    Moment("token request", Fault("delay", path=_TOKEN, seconds=_FOREVER_S), _asked(_TOKEN, 1)),
    Moment("token answer", Fault("drip", path=_TOKEN, seconds=1), _asked(_TOKEN, 1), slow=True),
    Moment("first page", Fault("delay", path=_PAGES, seconds=_FOREVER_S), _asked(_PAGES, 1), slow=True),
    Moment("third page", Fault("delay", path=_PAGES, seconds=_FOREVER_S, after=2), _asked(_PAGES, 3)),
    Moment("half a page", Fault("drip", path=_PAGES, seconds=0.01, after=1), _asked(_PAGES, 2)),
    Moment("between pages", Fault("delay", path=_PAGES, seconds=0.05, times=None), _stored(3)),
    Moment(
        "run begun", Fault("delay", path=_PAGES, seconds=0.01), lambda house: house.runs("devices", RunState.RUNNING)
    ),
]


def _name(moment: Moment) -> str:
    return moment.name


def _killed(house: House, moment: Moment) -> Run:
    """Lets a daemon die at that moment and returns the run that died with it; rows change while it is away."""
    house.configure(DEVICES)
    house.sandbox.fault(moment.fault)
    daemon = house.start()
    wait_for(lambda: moment.come(house), moment.name)
    daemon.kill()
    house.sandbox.clear_faults()
    house.sandbox.churn(10, "devices")
    return house.runs("devices", RunState.RUNNING)[0]


def _recovered(house: House, died: Run) -> Daemon:
    """Starts a new daemon, returns it once all is made good."""
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a run that succeeded")
    wait_for(lambda: house.cursor() == house.newest(), "the cursor at the newest row")
    wait_for(lambda: died.id in [run.id for run in house.runs("devices", RunState.SUCCEEDED)], "the end of that run")
    return daemon


def _assert_all_good(house: House, died: Run) -> None:
    assert [one.state for one in house.attempts(died)] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    assert not house.runs("devices", RunState.RUNNING, RunState.FAILED)
    assert_every_second_once(house.runs())
    assert house.rows() == house.rows_there()
    assert house.cursor() == house.newest()


def _assert_token_requests_have_rows(house: House) -> None:
    """A row may have no request, where the daemon died between the two; a request without a row there is never."""
    rows = [one for one in house.calls() if one.purpose in (Purpose.TOKEN, Purpose.REFRESH)]
    answered = [one for one in rows if one.status is not None]
    assert len(answered) <= len(house.sandbox.token_requests()) <= len(rows)
    assert all(one.ms is not None or one.error for one in rows), "a call without an end"


@pytest.mark.parametrize(
    "moment",
    [pytest.param(moment, id=moment.name, marks=pytest.mark.slow if moment.slow else ()) for moment in MOMENTS],
)
def test_a_daemon_that_dies_loses_nothing(house: House, moment: Moment) -> None:
    """On SQLite the next start takes over at once: the file's lock tells that the other is dead."""
    died = _killed(house, moment)
    daemon = _recovered(house, died)
    daemon.stop()
    assert daemon.told("run.rescued", run=died.id)
    _assert_all_good(house, died)
    _assert_token_requests_have_rows(house)


_OLDER = "UPDATE nodes SET heartbeat_at = heartbeat_at - interval '1 hour'"


@pytest.mark.postgres
@pytest.mark.parametrize("moment", [MOMENTS[3], MOMENTS[5]], ids=_name)
def test_on_postgresql_a_dead_daemon_is_told_by_its_heart(postgres_house: House, moment: Moment) -> None:
    """Once a heart was silent for long enough, which is not waited for here, its runs are taken over."""
    died = _killed(postgres_house, moment)
    postgres_house.execute(_OLDER)
    _recovered(postgres_house, died).stop()
    _assert_all_good(postgres_house, died)
    _assert_token_requests_have_rows(postgres_house)


@pytest.mark.slow
@pytest.mark.postgres
def test_on_postgresql_no_run_runs_beyond_one_lease(postgres_house: House) -> None:
    """Left alone, the next daemon takes over when the dead one's lease has ended."""
    died = _killed(postgres_house, MOMENTS[3])
    daemon = postgres_house.start()
    wait_for(lambda: daemon.told("run.rescued", run=died.id), "a rescue", _LEASE_S + _LATE_S)
    wait_for(lambda: died.id in [run.id for run in postgres_house.runs("devices", RunState.SUCCEEDED)], "its end")
    wait_for(lambda: postgres_house.cursor() == postgres_house.newest(), "a run whose window covers the changes")
    daemon.stop()
    _assert_all_good(postgres_house, died)
