"""Calls with the real keeper against the sandbox: both sides' logs agree."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.auth.keeping import WHO, Desk, options
from worker.calls.session import AccountApi, BoundApi, RunRef
from worker.model.errors import AuthRejected, BodyTooLarge, CallUnanswered
from worker.model.records import Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store.database import Database
from worker.store.writer import Writer


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Tangoe-style API with a few rows."""
    with Sandbox(SandboxOptions(rows=30)) as running:
        yield running


@pytest.fixture
def desk(database: Database, writer: Writer, sandbox: Sandbox) -> Iterator[Desk]:
    """A desk for keepers and lines."""
    opened = Desk(database, writer, sandbox.url)
    yield opened
    opened.close()


@pytest.fixture
def api(desk: Desk, sandbox: Sandbox) -> BoundApi:
    """A run's access to the API under the account `tangoe`."""
    given = options(
        sandbox.url,
        base_url=sandbox.tangoe_url,
        tenant=WHO.tangoe_tenant,
        headers={"X-TNGO-TENANT": "{tenant}", "client_id": "{client_id}"},
        reject_statuses=(401, 403),
        correlation={"run": "X-TNGO-CONTEXT-ACTIVITYID", "call": "X-TNGO-CONTEXT-CORRELATIONID"},
    )
    account = desk.account(given)
    shared = AccountApi(account, desk.line(), desk.keeper(account), desk.events, wait=lambda _: None)
    return shared.bind(RunRef("devices", 8, 1, lambda: None, lambda: 600.0))


def test_first_call_logs_in_and_reads(api: BoundApi, desk: Desk, sandbox: Sandbox) -> None:
    """One token request and one read, on both sides, in this order."""
    page = api.request("GET", "assets/devices", params={"limit": "10"}).json()
    api.settle()
    assert page["_meta"]["totalCount"] == 30
    assert [record.path for record in sandbox.calls()] == ["/as/token.oauth2", "/mobproc/v1/assets/devices"]
    assert [(row.purpose, row.status) for row in desk.trail()] == [(Purpose.TOKEN, 200), (Purpose.READ, 200)]


def test_revoked_token_is_renewed_once_for_many_threads(api: BoundApi, desk: Desk, sandbox: Sandbox) -> None:
    """Twelve threads meet a revoked token: one refresh, and no call fails."""
    api.request("GET", "ping")
    sandbox.forget_calls()
    sandbox.revoke_access_tokens()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: api.request("GET", "assets/devices").status, range(24)))
    assert set(answers) == {200}
    assert len(sandbox.token_requests()) == 1
    desk.writer.call(lambda _: None)
    rejected = [row for row in desk.trail() if row.status == 403]
    assert {row.generation_used for row in rejected} == {1}


def test_account_without_rights_ends_as_rejected(api: BoundApi, sandbox: Sandbox) -> None:
    """An account that the API turns away for good is told so after one fresh token, not in a loop."""
    sandbox.fault(Fault(kind="status", path="/mobproc", status=403, times=None))
    with pytest.raises(AuthRejected):
        api.request("GET", "assets/devices")
    assert len(sandbox.token_requests()) == 2


@pytest.mark.parametrize("kind", ["truncate", "truncate_gzip", "lost_answer", "drop"])
def test_spoiled_answers_are_asked_again(api: BoundApi, sandbox: Sandbox, kind: str) -> None:
    """A page that came in pieces or not at all is read again and is whole."""
    sandbox.fault(Fault(kind=kind, path="/mobproc"))
    page = api.request("GET", "assets/devices", params={"limit": "30"}).json()
    assert len({row["id"] for row in page["devices"]}) == 30


def test_spoiled_write_is_told(api: BoundApi, sandbox: Sandbox, desk: Desk) -> None:
    """An order whose answer was lost is not sent again: it may stand."""
    sandbox.fault(Fault(kind="lost_answer", path="/mobproc", method="POST"))
    with pytest.raises(CallUnanswered):
        api.request("POST", "orders", json={"externalOrderNumber": "1"})
    assert len([one for one in sandbox.calls("/mobproc") if one.method == "POST"]) == 1
    desk.writer.call(lambda _: None)  # everything handed in before it is stored now
    assert desk.trail()[-1].error is not None


def test_huge_answer_is_refused(api: BoundApi, sandbox: Sandbox) -> None:
    """300 MB are not read."""
    sandbox.fault(Fault(kind="gzip_bomb", path="/mobproc"))
    with pytest.raises(BodyTooLarge):
        api.request("GET", "assets/devices")
