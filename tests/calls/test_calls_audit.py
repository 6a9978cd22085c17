"""The audit trail: what a far end saw of an account is what its trail holds, request by request, with its purpose."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from tests.auth.keeping import RING, WHO, Desk, client_credentials, idp_options, options
from tests.auth.persons import Bench, login_options
from worker.auth.account import Account
from worker.auth.keeper import Keeper
from worker.auth.leases import Leases
from worker.auth.login import log_in
from worker.auth.logout import Logout
from worker.auth.pace import Pace
from worker.auth.revocation import Revoker
from worker.auth.sealing import Seals
from worker.calls.session import AccountApi, BoundApi, RunRef
from worker.model.account import AccountOptions
from worker.model.errors import CallUnanswered
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import lineage
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.cipher import Cipher
from worker.vault.secret import Secret

Story = Callable[[Desk, Sandbox], None]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A far end that logs what it sees."""
    with Sandbox(SandboxOptions(rows=5)) as running:
        yield running


@pytest.fixture
def desk(database: Database, writer: Writer, sandbox: Sandbox) -> Iterator[Desk]:
    """A desk at that sandbox."""
    opened = Desk(database, writer, sandbox.url)
    yield opened
    opened.close()


def bound(desk: Desk, given: AccountOptions, secret: str) -> BoundApi:
    """Returns a run's access under an account."""
    account = Account("tangoe", given, Secret(secret), Secret(WHO.tangoe_password))
    shared = AccountApi(account, desk.line(), desk.keeper(account), desk.events, wait=lambda _: None)
    return shared.bind(RunRef("devices", 8, 1, lambda: None, lambda: 600.0))


def at_tangoe(desk: Desk, sandbox: Sandbox, make: Callable[..., AccountOptions] = options) -> BoundApi:
    """Returns the access to the Tangoe-style API."""
    headers = {"X-TNGO-TENANT": "{tenant}", "client_id": "{client_id}"}
    given = make(sandbox.url, tenant=WHO.tangoe_tenant, headers=headers, reject_statuses=(401, 403))
    return bound(desk, given.model_copy(update={"base_url": sandbox.tangoe_url}), WHO.tangoe_client_secret)


def password_and_refresh(desk: Desk, sandbox: Sandbox) -> None:
    """A login, a read, a token that the API turns away, the refresh, the read again."""
    api = at_tangoe(desk, sandbox)
    api.request("GET", "assets/devices")
    sandbox.revoke_access_tokens()
    api.request("GET", "assets/devices")


def trouble(desk: Desk, sandbox: Sandbox) -> None:
    """Answers that are lost or late, at the API and at the token endpoint."""
    sandbox.fault(Fault("drop", path="/as/token"))
    api = at_tangoe(desk, sandbox)
    sandbox.fault(Fault("status", path="/mobproc", status=503, times=2))
    api.request("GET", "assets/devices")
    sandbox.fault(Fault("drop", path="/mobproc", method="POST"))
    with pytest.raises(CallUnanswered):
        api.request("POST", "orders", json={"externalOrderNumber": "1"})


def discovered(desk: Desk, sandbox: Sandbox) -> None:
    """An issuer's metadata, a login, a 403 that is asked about."""
    given = idp_options(sandbox.url, base_url=f"{sandbox.url}/idp/api", reject_statuses=(401, 403), scope="read")
    api = bound(desk, given, WHO.idp_client_secret)
    api.request("GET", "items")
    sandbox.revoke_access_tokens()
    sandbox.fault(Fault("status", path="/idp/api", status=403))
    api.request("GET", "items")


def code_and_logout(desk: Desk, _sandbox: Sandbox) -> None:
    """A person's login in a browser, and the logout."""
    bench = Bench(desk, login_options(desk.url, "authorization_code"))
    bench.keeper().adopt(log_in(bench.login()))
    log_out(desk, bench.keeper())


def device(desk: Desk, sandbox: Sandbox) -> None:
    """A person's login by a device's code, agreed to after the first look."""
    bench = Bench(desk, login_options(desk.url, "device_code"))
    sandbox.fault(Fault("authorization_pending"))
    bench.keeper().adopt(log_in(bench.login(invite=lambda invitation: sandbox.decide_device(invitation.code))))


def log_out(desk: Desk, keeper: Keeper) -> None:
    """Ends the tokens at the server and here."""
    keeper.token()
    account = keeper.account
    leases = Leases(account.name, desk.database, desk.writer, desk.clock.now, Pace())
    seals = Seals(account, Cipher(RING, "test-installation"))
    Logout(leases, seals, Revoker(account, keeper.line, keeper.endpoints)).run("ann@host")


STORIES: list[tuple[Story, list[str]]] = [
    (password_and_refresh, ["token", "read", "read", "refresh", "read"]),
    (trouble, ["token", "token", "read", "read", "read", "write"]),
    (discovered, ["discovery", "token", "read", "read", "validate", "token", "read"]),
    (code_and_logout, ["discovery", "login", "discovery", "revoke", "revoke"]),
    (device, ["discovery", "login", "login", "login"]),
]


@pytest.mark.parametrize(("story", "purposes"), STORIES, ids=[story.__name__ for story, _ in STORIES])
def test_every_request_is_a_row_and_every_row_a_request(
    desk: Desk, sandbox: Sandbox, story: Story, purposes: list[str]
) -> None:
    """In order, with method, path and status, from whichever room it was sent; a person's browser is none of them."""
    story(desk, sandbox)
    desk.writer.call(lambda _: None)  # everything handed in before it is stored now
    rows = desk.trail()
    seen = [one for one in sandbox.calls() if one.headers.get("User-Agent", "").startswith("integration-worker/")]
    assert [(row.method, urlsplit(row.url).path, row.status) for row in rows] == [
        (one.method, one.path, one.status) for one in seen
    ]
    assert [row.purpose.value for row in rows] == purposes


def test_lineage_of_a_rejection_is_whole(desk: Desk, sandbox: Sandbox) -> None:
    """From the last read to its token, to the refresh that brought it, to the token that was turned away."""
    password_and_refresh(desk, sandbox)
    desk.writer.call(lambda _: None)
    first, read, rejected, refresh, again = desk.trail()
    with desk.database.read() as connection:
        newer, older = lineage.of_account(connection, "tangoe", {401, 403})
    assert again.generation_used == newer.generation == 2
    assert newer.origin is not None
    assert (newer.origin.call, newer.origin.generation_used) == (refresh.id, 1)
    assert older.origin is not None
    assert (older.origin.call, older.usage.calls, older.usage.rejected_call) == (first.id, 2, rejected.id)
    assert read.at == older.usage.first_at


def test_client_credentials_are_obtained_anew(desk: Desk, sandbox: Sandbox) -> None:
    """A grant without a refresh token: each generation is a login of its own."""
    api = at_tangoe(desk, sandbox, client_credentials)
    api.request("GET", "ping")
    sandbox.revoke_family()
    api.request("GET", "ping")
    desk.writer.call(lambda _: None)
    with desk.database.read() as connection:
        found = lineage.of_account(connection, "tangoe", {401, 403})
    assert [one.generation for one in found] == [2, 1]
