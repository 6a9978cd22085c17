"""Answers no API should give: the run fails with a clear error, memory stays bounded, and all else goes on."""

import psutil
import pytest

from tests.process.house import DEVICES, INCIDENTS, Daemon, House, wait_for
from worker.model.records import Run, RunState
from worker.sandbox.faults import Fault

pytestmark = pytest.mark.process

_PAGES = "/mobproc"
_STUBBORN = DEVICES.replace("size = 10", "size = 10, min_size = 10")  # never asks for less where an answer is bad
_MB = 1024**2
_BOUND = 4 * _MB + 64 * _MB  # max_body of the house's account, and what a process may grow otherwise
_SIZE = 300_000_000

BAD = {
    "html": ("bad_answer", "an HTML page"),
    "malformed_json": ("bad_answer", "JSON that is cut off"),
    "truncate": ("unanswered", "ended after"),
    "truncate_gzip": ("unanswered", "ends before its end"),
    "huge": ("body_too_large", "max_body"),
    "gzip_bomb": ("body_too_large", "max_body"),
}


class Scale:
    """Weighs a daemon again and again."""

    def __init__(self, daemon: Daemon) -> None:
        self._process = psutil.Process(daemon.process.pid)
        self.before = self.most = self._weight()

    def _weight(self) -> int:
        weight: int = self._process.memory_info().rss
        return weight

    def look(self) -> None:
        """Weighs it now."""
        self.most = max(self.most, self._weight())


def _failed(house: House, kind: str, scale: Scale) -> Run:
    """Spoils one answer and returns the run that failed of it."""
    known = len(house.runs("devices", RunState.FAILED))
    house.sandbox.fault(Fault(kind, path=_PAGES, size=_SIZE))

    def failed() -> list[Run]:
        scale.look()
        return house.runs("devices", RunState.FAILED)[known:]

    return wait_for(failed, f"a run that failed of {kind}")[0]


def _succeeded_since(house: House, run: Run, job: str) -> bool:
    return any(one.id > run.id for one in house.runs(job, RunState.SUCCEEDED))


def test_bad_answers_cost_a_run_and_nothing_else(house: House) -> None:
    """Kind and message say what came from where; the cursor stays, the other job goes on, the next answer is taken."""
    house.configure(_STUBBORN, INCIDENTS, attempts=1, tries=1)
    daemon = house.start()
    wait_for(lambda: house.cursor() == house.newest(), "a first sync")
    scale = Scale(daemon)
    for fault, (kind, words) in BAD.items():
        cursor, rows = house.cursor(), house.rows()
        run = _failed(house, fault, scale)
        assert (run.error_kind, house.cursor(), house.rows()) == (kind, cursor, rows), fault
        wanted = (words, f"{house.sandbox.tangoe_url}/assets/devices", "GET", "account tangoe")
        assert [word for word in wanted if word not in str(run.error)] == [], f"{fault}: {run.error}"
    house.sandbox.churn(5, "devices")
    wait_for(lambda: _succeeded_since(house, run, "devices"), "a run after the last bad answer")
    wait_for(lambda: _succeeded_since(house, run, "incidents"), "a run of the other job")
    wait_for(lambda: house.cursor() == house.newest(), "the cursor at the newest row")
    daemon.stop()
    assert scale.most - scale.before < _BOUND
    assert not house.runs("incidents", RunState.FAILED)
    assert house.rows() == house.rows_there()
