"""A daemon that is killed again and again, wherever it happens to be."""

import random

import pytest

from tests.process.house import DEVICES, INCIDENTS, House, wait_for
from tests.process.ledger import assert_every_second_once
from worker.model.records import Purpose, RunState
from worker.sandbox.faults import Fault

pytestmark = [pytest.mark.process, pytest.mark.slow]

_ROUNDS = 8

FOLLOWER = """
[jobs.orders]
type = "sync"
schedule = { after = ["devices"] }
source = { account = "tangoe", resource = "orders", paging = { size = 10 } }
destination = { table = "orders" }
"""


def _live_and_die(house: House, chance: random.Random) -> None:
    """Starts a daemon and kills it after so many more requests, some milliseconds into the next."""
    seen = len(house.sandbox.calls())
    more = chance.randint(1, 25)
    daemon = house.start()
    wait_for(lambda: len(house.sandbox.calls()) >= seen + more, f"{more} more requests")
    daemon.kill()


@pytest.mark.parametrize("seed", [1])
def test_whatever_happens_the_end_is_right(house: House, seed: int) -> None:
    """After many deaths every tick has a row, every row its place, every success its follower, and nothing runs."""
    chance = random.Random(seed)
    house.configure(DEVICES, INCIDENTS, FOLLOWER)
    house.sandbox.fault(Fault("delay", seconds=0.02, times=None))
    for _ in range(_ROUNDS):
        _live_and_die(house, chance)
        house.sandbox.churn(12)
        house.execute("UPDATE tokens SET refresh_at = issued_at")  # so that token requests die too
    house.sandbox.clear_faults()
    daemon = house.start()
    for job, resource in (("devices", "devices"), ("orders", "orders")):
        wait_for(lambda job=job, resource=resource: house.cursor(job) == house.newest(resource), f"all {resource}")  # type: ignore[misc]
    daemon.stop()

    assert house.rows("devices") == house.rows_there("devices")
    assert house.rows("orders") == house.rows_there("orders")
    for job in ("devices", "incidents"):
        assert_every_second_once(house.runs(job))
        assert not house.runs(job, RunState.RUNNING)
    parents = {f"after:{run.id}" for run in house.runs("devices") if run.state.ended and run.attempt}
    assert {run.cause for run in house.runs("orders")} == parents
    requests = [one for one in house.calls() if one.purpose in (Purpose.TOKEN, Purpose.REFRESH)]
    assert len([one for one in requests if one.status]) <= len(house.sandbox.token_requests()) <= len(requests)
