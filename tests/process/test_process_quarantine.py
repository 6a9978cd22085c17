"""A job that ends its process: the worker is started again and again, until that job is put aside and others go on."""

from pathlib import Path

import pytest

from tests.process.house import House, wait_for
from worker.model.records import Reason, RunState
from worker.store import jobs

pytestmark = pytest.mark.process

MODULE = """
import os

def ends_the_process(context):
    os._exit(9)

def fine(context):
    pass
"""

JOBS = """
[jobs.poison]
type = "python"
schedule = { every = "1s" }
call = "deadly:ends_the_process"

[jobs.fine]
type = "python"
schedule = { every = "1s" }
call = "deadly:fine"
"""


def _row(house: House) -> jobs.JobRow:
    with house.database.read() as connection:
        row = jobs.get(connection, "poison")
    assert row is not None
    return row


def test_a_job_that_kills_its_process_is_put_into_quarantine(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the third death the start that finds it counts it; from then on the daemon lives, and other jobs run."""
    (tmp_path / "deadly.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    house.configure(JOBS)

    for _ in range(3):
        assert house.launch("run").left() == 9
    daemon = house.start()
    last = house.runs("fine")[-1].id if house.runs("fine") else 0
    wait_for(lambda: any(run.id > last for run in house.runs("fine", RunState.SUCCEEDED)), "a run of another job")
    wait_for(lambda: house.runs("poison")[-1].reason is Reason.QUARANTINED, "a tick that was skipped for it")

    row = _row(house)
    assert (row.paused_by, row.quarantined_at is not None) == ("worker", True)
    assert "`worker resume poison`" in str(row.paused_why)
    assert daemon.told("job.quarantined", job="poison", level="error")
    assert [run.reason for run in house.runs("poison", RunState.FAILED)] == [Reason.NODE_DIED]
    daemon.stop()
