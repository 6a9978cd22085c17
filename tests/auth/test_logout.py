"""Logout: tokens end at their server first, then here; a server that cannot be told leaves all as it was."""

import base64

import pytest

from tests.auth.keeping import RING, WHO, Desk, client_credentials, options
from tests.auth.persons import Bench, login_options
from worker.auth.account import Account
from worker.auth.keeper import Keeper
from worker.auth.leases import Leases
from worker.auth.login import log_in
from worker.auth.logout import Logout
from worker.auth.pace import Pace
from worker.auth.revocation import Revoker
from worker.auth.sealing import Seals
from worker.auth.steward import Steward
from worker.model.errors import LoginFailed, NeedsLogin, TokenUndecryptable
from worker.model.records import Health, Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox
from worker.vault.cipher import Cipher
from worker.vault.keyring import KeyRing
from worker.vault.secret import Secret

REVOKE = "/idp/revoke"


def _logout(desk: Desk, keeper: Keeper, waited: list[float] | None = None, ring: KeyRing = RING) -> Logout:
    account: Account = keeper.account
    waits = [] if waited is None else waited
    revoker = Revoker(account, keeper.line, keeper.endpoints, desk.clock.now, waits.append)
    leases = Leases(account.name, desk.database, desk.writer, desk.clock.now, Pace())
    return Logout(leases, Seals(account, Cipher(ring, "test-installation")), revoker)


@pytest.fixture
def bench(desk: Desk) -> Bench:
    """An account that a person has logged in."""
    opened = Bench(desk, login_options(desk.url, "authorization_code"))
    opened.keeper().adopt(log_in(opened.login()))
    return opened


def test_both_tokens_end_and_nothing_stays_stored(bench: Bench, sandbox: Sandbox) -> None:
    """The refresh token first; then a person has to log in, and who asks is told so."""
    keeper = bench.keeper()
    token = keeper.token()

    told = _logout(bench.desk, keeper).run("ann@host")

    assert told == "the server ended the token"
    row = bench.desk.row()
    assert (row.sealed, row.generation, row.health) == (None, 1, Health.NEEDS_LOGIN)
    assert row.reason == "logged out by ann@host; log in: worker account login tangoe"
    assert keeper.validator.check(token).good is not True
    revoked = [call for call in bench.desk.trail() if call.purpose is Purpose.REVOKE]
    assert [call.generation_used for call in revoked] == [1, 1]


def test_a_running_keeper_lets_go_of_a_token_that_was_logged_out(bench: Bench) -> None:
    """A daemon sees it with its next look, and takes the next login up by itself."""
    running = bench.keeper()
    assert running.token().generation == 1
    steward = Steward(lambda: {"tangoe": running}, bench.desk.database, bench.desk.events)
    _logout(bench.desk, bench.keeper()).run("ann@host")

    steward.watch()

    with pytest.raises(NeedsLogin, match="logged out by ann@host"):
        running.token()
    bench.keeper().adopt(log_in(bench.login()))
    assert running.token().generation == 2


def test_an_account_that_logs_in_by_itself_does_so_at_its_next_use(desk: Desk) -> None:
    """Nobody is asked to."""
    own = desk.account(client_credentials(desk.url))
    desk.keeper(own).token()

    told = _logout(desk, desk.keeper(own)).run("ann@host")

    assert "no revoke_url is known" in told
    assert desk.row().health is Health.UNKNOWN
    assert desk.keeper(own).token().generation == 2


def test_a_busy_server_is_asked_again_after_the_time_it_names(bench: Bench, sandbox: Sandbox) -> None:
    """RFC 7009 section 2.2.1: a 503 means that the token still is."""
    sandbox.fault(Fault("status", path=REVOKE, status=503, retry_after=7))
    waited: list[float] = []

    _logout(bench.desk, bench.keeper(), waited).run("ann@host")

    assert waited == [7.0]
    assert bench.desk.row().sealed is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", path=REVOKE, status=503, retry_after=3600, times=None),
        Fault("status", path=REVOKE, status=503, times=None),
        Fault("status", path=REVOKE, status=400, body={"error": "invalid_client"}),
        Fault("lost_answer", path=REVOKE),
    ],
)
def test_a_server_that_cannot_be_told_changes_nothing_unless_forced(
    bench: Bench, sandbox: Sandbox, fault: Fault
) -> None:
    """The account goes on as before, and its lease is free."""
    sandbox.fault(fault)
    keeper = bench.keeper()

    with pytest.raises(LoginFailed, match="is kept"):
        _logout(bench.desk, keeper).run("ann@host")

    row = bench.desk.row()
    assert (row.health, row.lease_until, row.attempt_id) == (Health.FRESH, None, None)
    assert keeper.token().generation == 1
    assert "was not told" in _logout(bench.desk, keeper).run("ann@host", forced=True) or fault.times == 1
    assert bench.desk.row().sealed is None


def test_an_unsupported_kind_of_token_lapses_by_itself(bench: Bench, sandbox: Sandbox) -> None:
    """RFC 7009 section 2.2.1: that is no failure."""
    sandbox.fault(Fault("status", path=REVOKE, status=400, body={"error": "unsupported_token_type"}, after=1))

    told = _logout(bench.desk, bench.keeper()).run("ann@host")

    assert "until it lapses" in told
    assert bench.desk.row().sealed is None


def test_a_token_that_does_not_open_is_only_deleted_by_force(bench: Bench) -> None:
    """It cannot be ended at its server by us."""
    other = KeyRing({"k2": Secret(base64.b64encode(b"2" * 32).decode())})
    logout = _logout(bench.desk, bench.keeper(), ring=other)

    with pytest.raises(TokenUndecryptable):
        logout.run("ann@host")

    assert bench.desk.row().sealed is not None
    assert "was not told" in logout.run("ann@host", forced=True)
    assert bench.desk.row().sealed is None


def test_servicenow_ends_tokens_by_its_own_address(desk: Desk, sandbox: Sandbox) -> None:
    """As its profile says."""
    given = options(
        f"{desk.url}",
        token_url=f"{desk.url}/oauth_token.do",
        revoke_url="{base_url}/oauth_revoke_token.do",
        client_id=WHO.servicenow_client_id,
        username=WHO.servicenow_username,
        scope="",
    )
    account = desk.account(given, WHO.servicenow_password, WHO.servicenow_client_secret)
    keeper = desk.keeper(account)
    keeper.token()

    assert _logout(desk, keeper).run("ann@host") == "the server ended the token"

    assert [call.path for call in sandbox.calls("/oauth_revoke_token.do")] == ["/oauth_revoke_token.do"] * 2
    assert desk.row().health is Health.UNKNOWN
