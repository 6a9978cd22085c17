"""Many expiries under load, and a token endpoint that stays away: nobody notices but the endpoint."""

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.auth.keeping import WHO, Desk, options
from tests.contracts import swarm
from tests.contracts.hangar import fly
from worker.calls.session import AccountApi, RunRef
from worker.model.events import TokenRefreshFailed
from worker.model.records import Health
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store.database import Database
from worker.store.writer import Writer

EXPIRIES, PROCESSES, THREADS = 50, 4, 16
LIFE_S = 1.5
HEADERS = {"X-TNGO-TENANT": WHO.tangoe_tenant, "client_id": "{client_id}"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of short-lived tokens whose refresh tokens are single use and revoke their family."""
    manners = SandboxOptions(rows=1, token_lifetime_s=LIFE_S, retire_access=True, revoke_on_replay=True)
    with Sandbox(manners) as running:
        yield running


def _lengthened(sandbox: Sandbox, over: threading.Event) -> None:
    """Gives the last token a long life, so that no further one is due."""
    while not over.wait(0.02):
        if len(sandbox.token_requests()) >= EXPIRIES:
            sandbox.set_manners("tangoe", lifetime_s=3600.0)
            return


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(300)
def test_fifty_expiries_cost_fifty_refreshes(database: Database, sandbox: Sandbox) -> None:
    """Four processes of sixteen threads call through fifty expiries: one login, fifty refreshes, no failed call."""
    url = database.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    orders = {"database": url, "url": sandbox.url, "threads": THREADS, "last": EXPIRIES + 1}
    over = threading.Event()
    watcher = threading.Thread(target=_lengthened, args=(sandbox, over))
    watcher.start()
    try:
        told = [result for result, _ in fly(swarm.main, orders, PROCESSES)]
    finally:
        over.set()
        watcher.join()
    assert [error for _, errors in told for error in errors] == []
    asked = [(one.grant_type, one.status) for one in sandbox.token_requests()]
    assert asked == [("password", 200)] + [("refresh_token", 200)] * EXPIRIES
    assert all(good > EXPIRIES for good, _ in told)


@pytest.fixture
def desk(database: Database, writer: Writer, sandbox: Sandbox) -> Iterator[Desk]:
    """A desk whose first token lives for an hour."""
    sandbox.set_manners("tangoe", lifetime_s=3600.0)
    opened = Desk(database, writer, sandbox.url)
    yield opened
    opened.close()


def test_endpoint_away_for_ten_minutes(desk: Desk, sandbox: Sandbox) -> None:
    """While the token is good no job fails, and all processes together ask as often as one backoff allows."""
    account = desk.account(options(desk.url, headers=HEADERS))
    keepers = [desk.keeper(account, chance=lambda: 1.0) for _ in range(3)]  # each as another process has it
    apis = [AccountApi(account, desk.line(), keeper, desk.events) for keeper in keepers]
    for keeper in keepers:
        keeper.token()
    sandbox.forget_calls()
    sandbox.fault(Fault(kind="status", status=503, path="/as/", times=None))
    desk.clock.pass_by(3600 - 630)
    asked_at: list[float] = []
    for second in range(600):
        for keeper in keepers:
            assert keeper.token().generation == 1
        asked_at += [second] * (len(sandbox.token_requests()) - len(asked_at))
        if second % 60 == 0:
            for api in apis:
                bound = api.bind(RunRef("job", 1, 1, lambda: None, lambda: 60.0))
                assert bound.request("GET", "/mobproc/v1/ping").status == 200
        desk.clock.pass_by(1)
    waits = [event.retry_in_s or 0.0 for event in desk.told(TokenRefreshFailed)]
    assert waits == [5, 10, 20, 40, 80, 160, 300]
    gaps = [later - earlier for earlier, later in pairwise(asked_at)]
    assert len(asked_at) == len(waits)
    assert all(gap >= wait - 1 for gap, wait in zip(gaps, waits, strict=False))
    assert keepers[0].health() is Health.DEGRADED
    sandbox.clear_faults()
    desk.clock.pass_by(301)
    assert {keeper.token().generation for keeper in keepers} == {2}
