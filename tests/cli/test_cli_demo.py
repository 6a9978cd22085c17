"""What the demo's verdict looks at: it must not pass where something is wrong."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.seeding import TICK
from worker.cli.demoback import SPOILED, Back
from worker.cli.demoview import Progress
from worker.model.records import Run, RunState, Trigger
from worker.store import runs
from worker.store.database import Database

OLD, NEW = TICK, TICK + timedelta(seconds=1)
REASONS = {f"D{number}": "refused" for number in range(SPOILED)}
GOOD = Back(
    Counter([("A", NEW), ("B", OLD), *((key, OLD) for key in REASONS)]), Counter([("A", NEW), ("B", OLD)]), REASONS, 0
)


@pytest.mark.parametrize(
    ("wrong", "astray"),
    [
        ({"arrived": Counter([("A", NEW)])}, ["B"]),
        ({"arrived": Counter([("A", NEW), ("B", OLD), ("B", OLD)])}, ["B"]),
        ({"arrived": Counter([("A", OLD), ("B", OLD)])}, ["A"]),
        ({"arrived": Counter([("A", NEW), ("B", OLD), ("C", OLD)])}, ["C"]),
        ({"reasons": REASONS | {"B": "refused"}}, ["B"]),
        ({"reasons": dict.fromkeys(list(REASONS)[1:], "refused")}, ["D0"]),
        ({"again": 1}, []),
    ],
)
def test_a_device_must_be_there_once_or_be_a_reject(wrong: dict[str, Any], astray: list[str]) -> None:
    """Missing, doubled, of an older state, invented, refused without need or in silence, sent without need."""
    assert all(passed for passed, _ in GOOD.verdicts())
    bad = replace(GOOD, **wrong)
    assert bad.astray == astray
    assert not all(passed for passed, _ in bad.verdicts())


def ran(database: Database, job: str, begin: float, end: float, state: RunState = RunState.SUCCEEDED) -> None:
    """Adds a run that began and ended so many seconds after the tick."""
    began, ended = (TICK + timedelta(seconds=after) for after in (begin, end))
    run = Run(int(begin * 10) + 1, job, f"manual:{begin}", Trigger.MANUAL, RunState.QUEUED, began, "hash")
    with database.write() as connection:
        runs.claim(connection, [run])
        runs.begin(connection, run.id, 1, began, "hash")
        runs.finish(connection, run.id, state, ended)


def test_the_last_link_must_run_after_the_one_before(database: Database) -> None:
    """A run behind a parent's that began before the far end rested has not seen all."""
    progress = Progress(database, {"parent": (), "child": ("parent",)})
    rests: datetime = TICK + timedelta(seconds=2)

    def settled() -> bool:
        progress.show_news()
        return progress.all_succeeded_since(rests)

    ran(database, "parent", 1, 3)
    ran(database, "child", 3.1, 4)
    assert not settled()
    ran(database, "parent", 5, 6)
    assert not settled()
    ran(database, "child", 5.5, 7)
    assert not settled()
    ran(database, "child", 7.5, 8, RunState.FAILED)
    assert not settled()
    ran(database, "child", 9, 10)
    assert settled()


@pytest.mark.slow
@pytest.mark.process
def test_the_demo_passes(tmp_path: Path) -> None:
    """There and back: every line of its verdict says yes, and rejects are no failure."""
    command = [sys.executable, "-P", "-m", "worker", "demo", "--seconds", "20", "--folder", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nyes ") == 6
    assert done.stdout.count("the API refused it: Unable to resolve a reference value") == SPOILED
    assert "the demo passed" in done.stdout
