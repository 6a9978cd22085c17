"""kill -9 at the N-th step of a run, for many N: each write, sync, send and receive is one; then a new start.

After each restart: every tick has its row, no row is doubled or missing at either destination, cursors stand where the
rows do, the token is good and was asked for no more often than it had to be, nothing is left running.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.process.feeds import FEED, Served
from tests.process.house import DEVICES, House
from tests.process.ledger import assert_every_second_once
from tests.process.shims import shim
from worker.model.records import AttemptState, Health, Purpose, RunState
from worker.store.database import open_database

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]  # a machine may be busy

_JOBS = ("devices", "feed")
_SPREAD = 29  # steps between two points; prime, so that the points of all parts differ in what they meet
_MOST_REQUESTS = 3  # of tokens, for one life that dies and one that follows it
_MEND = {  # what is not waited for here: the lease of a dead node, and of its token request
    "postgresql": (
        "UPDATE nodes SET heartbeat_at = heartbeat_at - interval '1 hour'",
        "UPDATE tokens SET lease_until = lease_until - interval '1 hour'",
    )
}


@dataclass
class Lives:
    """A house whose daemons are forked, one after the other."""

    house: House
    served: Served
    process: "subprocess.Popen[bytes]"
    number: int = 0
    seen: list[str] = field(default_factory=list)

    def live(self, at: int = 0, jobs: Sequence[str] = (), **cursors: str) -> int:
        """Lets a daemon live until its N-th step, or until these jobs are done; returns its exit code."""
        self.number += 1
        output = self.house.folder / f"life-{self.number}"
        order = {"config": str(self.house.config), "at": at, "jobs": jobs, "cursors": cursors, "output": str(output)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        assert code in (0, -signal.SIGKILL), output.read_text()
        return code

    def die(self, at: int) -> None:
        """Lets a daemon die at its N-th step, while the far end moves on; it has a tick each second until then."""
        house = self.house
        house.execute("UPDATE tokens SET refresh_at = issued_at")  # so that token requests die too
        house.sandbox.churn(4, "devices")
        for key in house.sandbox.ids("items")[at % 7 :: 11]:
            house.sandbox.update("items", key)
        assert self.live(at) == -signal.SIGKILL

    def recover(self) -> None:
        """Starts anew, and waits until all is there."""
        for statement in _MEND.get(self.house.database.dialect, ()):
            self.house.execute(statement)
        assert self.live(jobs=_JOBS, devices=self.house.newest()) == 0


@pytest.fixture
def lives(either_house: House, served: Served) -> Iterator[Lives]:
    """A house with a job whose rows stand beside the ledger, and one whose rows stand elsewhere."""
    house = either_house
    who = house.sandbox.options.credentials
    house.secret("items", who.basic_password)
    other = f"sqlite:///{house.folder}/other.db"
    house.configure(DEVICES, FEED.format(sandbox=house.sandbox, who=who, other=other, mode='mode = "append"'))
    command = [sys.executable, "-m", "tests.process.mortal"]
    environment = os.environ | {"LD_PRELOAD": str(shim("steps"))}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=Path.cwd()
    ) as process:
        yield Lives(house, served, process)
        assert process.stdin is not None
        process.stdin.close()


def _elsewhere(house: House, text: str) -> list[tuple[Any, ...]]:
    database = open_database(f"sqlite:///{house.folder}/other.db")
    try:
        with database.read() as connection:
            return [tuple(row) for row in connection.execute(sa.text(text))]
    finally:
        database.close()


def _assert_all_good(lives: Lives, requests_before: int) -> None:
    house = lives.house
    for job in _JOBS:
        found = house.runs(job)
        assert_every_second_once(found)
        assert not [run for run in found if run.state in (RunState.RUNNING, RunState.FAILED)]
        tried = [one.state for run in found[-20:] for one in house.attempts(run)]
        assert set(tried) <= {AttemptState.SUCCEEDED, AttemptState.LOST, AttemptState.SKIPPED}
    assert house.rows() == house.rows_there()
    assert house.cursor() == house.newest()
    [(token,)] = _elsewhere(house, "SELECT value FROM _sync_cursors WHERE job = 'feed' AND name = ''")
    assert json.loads(token) == house.cursor("feed")
    assert Counter(_elsewhere(house, "SELECT id, revision FROM feed")) == lives.served.stored(json.loads(token))
    _assert_tokens(house, requests_before)


def _assert_tokens(house: House, requests_before: int) -> None:
    """A request without a row there is never, no more requests than needed, and the token is good at the end."""
    rows = [one for one in house.calls() if one.purpose in (Purpose.TOKEN, Purpose.REFRESH)]
    asked = len(house.sandbox.token_requests())
    assert len([one for one in rows if one.status is not None]) <= asked <= len(rows)
    assert asked - requests_before <= _MOST_REQUESTS
    assert all(one.ms is not None or one.error for one in rows), "a call without an end"
    token = house.token()
    assert (token.health, token.lease_until) == (Health.FRESH, None)


def _die_at(lives: Lives, points: range) -> None:
    """Kills a daemon at each of these steps, mends, and looks."""
    lives.recover()
    for at in points:
        before = len(lives.house.sandbox.token_requests())
        lives.die(at)
        lives.recover()
        _assert_all_good(lives, before)


def test_a_run_that_dies_at_any_step_is_made_good(lives: Lives) -> None:
    """A few points, from the first step to beyond the last row."""
    _die_at(lives, range(5, 5 + 5 * _SPREAD, _SPREAD))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_a_run_that_dies_at_200_points_is_made_good(lives: Lives, part: int) -> None:
    """Two hundred points on each database, side by side where there are processors."""
    _die_at(lives, range(1 + part, 201, 8))
