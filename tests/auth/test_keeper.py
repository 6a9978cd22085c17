"""The keeper: windows, single flight, rejection, lost answers and every way a token can be missing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.auth.keeping import RING, WHO, Desk, client_credentials, options
from worker.auth.endpoint import TokenReply
from worker.auth.grants import Grant
from worker.auth.keeper import Keeper, Token
from worker.model.errors import (
    AccountBlocked,
    NeedsLogin,
    StoreUnreachable,
    TokenUnavailable,
    TokenUndecryptable,
)
from worker.model.events import AccountBlocked as BlockedEvent
from worker.model.events import AccountNeedsLogin, AccountRecovered, AccountWarned, TokenRefreshed, TokenRefreshFailed
from worker.model.records import Health, Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox
from worker.store import tables
from worker.store.writer import Writer
from worker.vault.keyring import KeyRing
from worker.vault.secret import Secret


def asked(sandbox: Sandbox) -> list[str]:
    """Returns the grants of all token requests, refused ones marked."""
    return [f"{one.grant_type}{'' if one.status == 200 else f':{one.status}'}" for one in sandbox.token_requests()]


def together(keeper: Keeper, callers: int, rejected: int | None = None) -> list[Token]:
    """Asks from so many threads at the same instant."""
    barrier = threading.Barrier(callers)

    def ask(_: int) -> Token:
        barrier.wait()
        return keeper.token(rejected)

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(ask, range(callers)))


def test_first_token_is_a_login_and_is_stored(desk: Desk, sandbox: Sandbox) -> None:
    """The first call logs in; its token is stored sealed, told, and linked to the call that brought it."""
    token = desk.keeper().token()
    row, trail = desk.row(), desk.trail()
    assert token.generation == row.generation == 1
    assert (row.attempt_id, row.lease_owner, row.lease_until) == (None, None, None)
    assert token.bearer.reveal().encode() not in (row.sealed or b"")
    assert asked(sandbox) == ["password"]
    assert [(call.purpose, call.generation_issued) for call in trail] == [(Purpose.TOKEN, 1)]
    told = desk.told(TokenRefreshed)
    assert [(event.generation, event.grant, event.call) for event in told] == [(1, "password", trail[0].id)]
    assert desk.told(AccountRecovered) == []


def test_password_grant_warns_once_a_start(desk: Desk) -> None:
    """The password grant is told of once per start, naming the RFC."""
    keeper = desk.keeper()
    keeper.start()
    keeper.token()
    keeper.token(rejected=1)
    assert ["RFC 9700" in event.warning for event in desk.told(AccountWarned)] == [True]


def test_clocks_apart_are_warned_of_once(desk: Desk) -> None:
    """A server whose clock is over 30 s from ours is told of, once a start."""
    desk.clock.pass_by(100)
    keeper = desk.keeper(desk.account(client_credentials(desk.url)))
    keeper.token()
    keeper.token(rejected=1)
    assert ["clock" in event.warning for event in desk.told(AccountWarned)] == [True]


def test_fresh_token_asks_neither_server_nor_database(desk: Desk, sandbox: Sandbox) -> None:
    """A fresh token is given from memory."""
    keeper = desk.keeper()
    first = keeper.token()
    statements: list[object] = []
    sa.event.listen(desk.database.engine, "before_cursor_execute", lambda *args: statements.append(args))
    assert all(keeper.token() is first for _ in range(100))
    assert statements == []
    assert len(asked(sandbox)) == 1


def test_another_process_takes_the_stored_token(desk: Desk, sandbox: Sandbox) -> None:
    """A second keeper finds the first one's token."""
    assert desk.keeper().token().bearer == desk.keeper().token().bearer
    assert asked(sandbox) == ["password"]


def test_expired_token_is_refreshed_once_for_all(desk: Desk, sandbox: Sandbox) -> None:
    """Sixteen threads on an expired token cause one refresh and share its token."""
    keeper = desk.keeper()
    keeper.token()
    desk.clock.pass_by(4000)
    assert {token.generation for token in together(keeper, 16)} == {2}
    assert asked(sandbox) == ["password", "refresh_token"]


def test_advisory_window_lets_others_go_on(desk: Desk, sandbox: Sandbox) -> None:
    """While one caller renews in the advisory window, another gets the old token at once."""
    keeper = desk.keeper()
    keeper.token()
    desk.clock.pass_by(3600 - 300)
    sandbox.fault(Fault(kind="delay", grant_type="refresh_token", seconds=0.5))
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(keeper.token)
        while not keeper._lock.locked():
            assert not renewing.done()
        assert keeper.token().generation == 1
        assert renewing.result().generation == 2
    assert keeper.token().generation == 2


def test_ten_rejections_cost_one_refresh(desk: Desk, sandbox: Sandbox) -> None:
    """Ten threads whose token was rejected share one newer one."""
    keeper = desk.keeper()
    old = keeper.token()
    sandbox.revoke_access_tokens("tangoe")
    assert {token.generation for token in together(keeper, 10, rejected=old.generation)} == {2}
    assert asked(sandbox) == ["password", "refresh_token"]


def test_rejection_of_an_older_generation_costs_nothing(desk: Desk, sandbox: Sandbox) -> None:
    """Where a newer generation is stored already, by another process too, it is given without a refresh."""
    late, quick = desk.keeper(), desk.keeper()
    late.token()
    quick.token(rejected=1)
    assert late.token(rejected=1).generation == 2
    assert asked(sandbox) == ["password", "refresh_token"]


def test_generations_grow_even_when_the_row_is_gone(desk: Desk) -> None:
    """A rejection after the row was removed brings a generation above the rejected one, not a loop."""
    keeper = desk.keeper()
    keeper.token()
    keeper.token(rejected=1)
    with desk.database.write() as connection:
        connection.execute(sa.delete(tables.tokens))
    assert keeper.token(rejected=2).generation == 3


@pytest.mark.parametrize("value", [0, -5, "0"])
def test_no_lifetime_is_usable_once_and_never_loops(desk: Desk, sandbox: Sandbox, value: object) -> None:
    """A token without lifetime is given to all who waited for it, and each later call asks exactly once."""
    sandbox.fault(Fault(kind="expires_in", value=value, times=None))
    keeper = desk.keeper()
    assert {token.generation for token in together(keeper, 8)} == {1}
    assert keeper.token().generation == 2
    assert asked(sandbox) == ["password", "refresh_token"]


@pytest.mark.parametrize(("value", "life_s"), [("3600.0", 3600), (120.5, 120.5), ("", 3600), (None, 3600)])
def test_lifetime_is_taken_as_it_comes(desk: Desk, sandbox: Sandbox, value: object, life_s: float) -> None:
    """Text, float and missing lifetimes are understood; missing means token_lifetime."""
    sandbox.fault(Fault(kind="expires_in", value=value))
    desk.keeper().token()
    row = desk.row()
    assert row.expires_at is not None
    assert row.issued_at is not None
    assert (row.expires_at - row.issued_at).total_seconds() == life_s


def test_short_lives_do_not_refresh_on_every_call(desk: Desk, sandbox: Sandbox) -> None:
    """A token of ten seconds serves many calls."""
    sandbox.fault(Fault(kind="expires_in", value=10, times=None))
    keeper = desk.keeper()
    assert {keeper.token().generation for _ in range(50)} == {1}
    desk.clock.pass_by(7)
    assert keeper.token().generation == 1
    desk.clock.pass_by(2.95)
    assert keeper.token().generation == 2


def test_answer_without_refresh_token_keeps_the_old_one(desk: Desk, sandbox: Sandbox) -> None:
    """A refresh that brings no refresh token leaves the stored one in use."""
    keeper = desk.keeper()
    keeper.token()
    sandbox.fault(Fault(kind="no_refresh_token", grant_type="refresh_token"))
    keeper.token(rejected=1)
    sandbox.fault(Fault(kind="status", status=503, path="/as/"))
    with pytest.raises(TokenUnavailable):
        keeper.token(rejected=2)
    assert asked(sandbox) == ["password", "refresh_token", "refresh_token:503"]


def test_lost_answer_of_a_refresh_is_recovered(desk: Desk, sandbox: Sandbox) -> None:
    """The answer of a rotating refresh is lost: the stored token is tried once, then there is a login; nobody fails."""
    keeper = desk.keeper()
    keeper.token()
    desk.clock.pass_by(4000)
    sandbox.fault(Fault(kind="lost_answer", grant_type="refresh_token"))
    assert {token.generation for token in together(keeper, 8)} == {2}
    assert [grant.split(":")[0] for grant in asked(sandbox)] == [
        "password",
        "refresh_token",
        "refresh_token",
        "password",
    ]
    assert desk.row().attempt_id is None


def test_lost_answer_of_a_login_is_repeated_once(desk: Desk, sandbox: Sandbox) -> None:
    """A login whose answer is lost is sent once more, and no third time."""
    sandbox.fault(Fault(kind="lost_answer", times=2))
    keeper = desk.keeper()
    with pytest.raises(TokenUnavailable):
        keeper.token()
    assert len(sandbox.token_requests()) == 2
    assert desk.row().attempt_id is not None
    desk.clock.pass_by(6)
    assert keeper.token().generation == 1
    assert desk.row().attempt_id is None


def test_doubt_outlives_a_repetition_that_never_left(desk: Desk, sandbox: Sandbox) -> None:
    """The answer is lost and the server is gone when asked again: the row stays in doubt."""
    keeper = desk.keeper()
    keeper.token()
    sandbox.fault(Fault(kind="lost_answer", grant_type="refresh_token"))
    _at_answer(keeper, sandbox.stop)
    with pytest.raises(TokenUnavailable):
        keeper.token(rejected=1)
    assert desk.row().attempt_id is not None
    assert desk.row().lease_until is None


def test_dead_refresh_token_costs_one_login(desk: Desk, sandbox: Sandbox) -> None:
    """A refresh token that the server has ended is followed by one login."""
    keeper = desk.keeper()
    keeper.token()
    sandbox.revoke_family("tangoe")
    assert keeper.token(rejected=1).generation == 2
    assert asked(sandbox) == ["password", "refresh_token:400", "password"]


def test_dead_refresh_token_is_not_tried_again(desk: Desk, sandbox: Sandbox) -> None:
    """When the login after it fails for a while, the dead token is not sent a second time."""
    keeper = desk.keeper()
    keeper.token()
    sandbox.revoke_family("tangoe")
    sandbox.fault(Fault(kind="status", status=503, grant_type="password"))
    with pytest.raises(TokenUnavailable):
        keeper.token(rejected=1)
    desk.clock.pass_by(10)
    assert keeper.token(rejected=1).generation == 2
    assert asked(sandbox) == ["password", "refresh_token:400", "password:503", "password"]


def test_needs_login_where_nothing_else_is_left(desk: Desk, sandbox: Sandbox) -> None:
    """A dead refresh token without a password at hand needs a person; nobody asks the server again."""
    desk.keeper().token()
    sandbox.revoke_family("tangoe")
    keeper = desk.keeper(desk.account(password=None))
    for _ in range(3):
        with pytest.raises(NeedsLogin, match="worker account login tangoe"):
            keeper.token(rejected=1)
    assert keeper.health() is Health.NEEDS_LOGIN
    assert len(desk.told(AccountNeedsLogin)) == 1
    assert asked(sandbox) == ["password", "refresh_token:400"]


def test_doubtful_rotation_is_named(desk: Desk, sandbox: Sandbox) -> None:
    """Where the refresh token died because an answer was lost, the reason says so."""
    desk.keeper().token()
    sandbox.fault(Fault(kind="lost_answer", grant_type="refresh_token"))
    with pytest.raises(NeedsLogin, match="rotation_in_doubt"):
        desk.keeper(desk.account(password=None)).token(rejected=1)
    assert (desk.row().reason or "").startswith("rotation_in_doubt")


def test_password_at_hand_again_ends_needs_login(desk: Desk, sandbox: Sandbox) -> None:
    """Once the password is there, a start opens the account and the next call logs in."""
    desk.keeper().token()
    sandbox.revoke_family("tangoe")
    with pytest.raises(NeedsLogin):
        desk.keeper(desk.account(password=None)).token(rejected=1)
    keeper = desk.keeper()
    keeper.start()
    assert keeper.health() is Health.DEGRADED
    assert keeper.token(rejected=1).generation == 2


@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_grant"},
        {"error": "invalid_request"},  # Canaille
        {"status": 400, "errorCode": "X", "message": "no"},
    ],
)
def test_refused_password_is_tried_once(desk: Desk, sandbox: Sandbox, body: object) -> None:
    """However a server words it, a refused password is sent once, by no process again, until it changes."""
    sandbox.fault(Fault(kind="status", status=400, body=body))
    keeper = desk.keeper()
    for one in (keeper, keeper, desk.keeper()):
        with pytest.raises(AccountBlocked):
            one.token()
    desk.clock.pass_by(100_000)
    with pytest.raises(AccountBlocked):
        keeper.token()
    assert len(sandbox.token_requests()) == 1
    assert keeper.health() is Health.BLOCKED
    assert len(desk.told(BlockedEvent)) == 1


def test_refusal_between_look_and_lease_is_seen(desk: Desk, sandbox: Sandbox) -> None:
    """A keeper that read the row before another was refused finds out before it sends, and leaves no lease."""
    wrong = desk.account(password="wrong-password-1")
    late, before = desk.keeper(wrong), desk.row()
    with pytest.raises(AccountBlocked):
        desk.keeper(wrong).token()
    with pytest.raises(AccountBlocked):
        late._leases.take(before, late._gate.check)
    assert (desk.row().lease_until, desk.row().attempt_id) == (None, None)


def test_fixed_password_recovers(desk: Desk, sandbox: Sandbox) -> None:
    """A wrong password blocks; the right one, at the next start, is tried and recovers the account."""
    wrong = desk.account(password="wrong-password-1")
    with pytest.raises(AccountBlocked, match="tried once"):
        desk.keeper(wrong).token()
    fixed = desk.keeper()
    fixed.start()
    assert fixed.health().usable
    assert fixed.token().generation == 1
    assert fixed.health() is Health.FRESH
    assert asked(sandbox) == ["password:400", "password"]


def test_service_now_wording_of_a_wrong_password(desk: Desk, sandbox: Sandbox) -> None:
    """401 server_error to a password is a refusal, not a passing trouble."""
    body = {"error": "server_error", "error_description": "access_denied"}
    sandbox.fault(Fault(kind="status", status=401, body=body))
    with pytest.raises(AccountBlocked):
        desk.keeper().token()


def test_configuration_error_rests_for_an_hour(desk: Desk, sandbox: Sandbox) -> None:
    """A refused client is blocked, tried again after an hour or when it changes."""
    account = desk.account(client_credentials(desk.url), secret="not-the-secret")
    keeper = desk.keeper(account)
    for _ in range(2):
        with pytest.raises(AccountBlocked):
            keeper.token()
    desk.clock.pass_by(3599)
    with pytest.raises(AccountBlocked):
        keeper.token()
    assert len(sandbox.token_requests()) == 1
    desk.clock.pass_by(2)
    with pytest.raises(AccountBlocked):
        keeper.token()
    assert len(sandbox.token_requests()) == 2
    assert desk.keeper(desk.account(client_credentials(desk.url))).token().generation == 1
    assert len(desk.told(AccountRecovered)) == 1


def test_endpoint_down_leaves_a_good_token_in_use(desk: Desk, sandbox: Sandbox) -> None:
    """While the token is good nobody fails and the endpoint is left alone as the backoff says, by all processes."""
    keeper = desk.keeper(chance=lambda: 1.0)
    keeper.token()
    sandbox.fault(Fault(kind="status", status=503, path="/as/", times=None))
    desk.clock.pass_by(3600 - 300)
    other = desk.keeper(chance=lambda: 1.0)
    assert {one.token().generation for one in (keeper, other) * 20} == {1}
    assert len(sandbox.token_requests()) == 2
    assert keeper.health() is Health.DEGRADED
    desk.clock.pass_by(298)  # mandatory: still good
    assert keeper.token().generation == other.token().generation == 1
    assert desk.row().failures == len(desk.told(TokenRefreshFailed)) == len(sandbox.token_requests()) - 1
    desk.clock.pass_by(10)
    with pytest.raises(TokenUnavailable) as caught:
        other.token()
    assert caught.value.retry_after_s is not None
    sandbox.clear_faults()
    desk.clock.pass_by(300)
    assert keeper.token().generation == 2
    assert len(desk.told(AccountRecovered)) == 1


def test_retry_after_is_obeyed_up_to_an_hour(desk: Desk, sandbox: Sandbox) -> None:
    """A server that asks for a day is asked again after an hour, not before."""
    sandbox.fault(Fault(kind="status", status=429, retry_after=86_400))
    keeper = desk.keeper()
    with pytest.raises(TokenUnavailable) as caught:
        keeper.token()
    assert caught.value.retry_after_s == 3600
    desk.clock.pass_by(3590)
    with pytest.raises(TokenUnavailable):
        desk.keeper().token()
    desk.clock.pass_by(11)
    assert keeper.token().generation == 1
    assert len(sandbox.token_requests()) == 2


@pytest.mark.parametrize("kind", ["html", "empty", "malformed_json", "truncate", "redirect", "huge", "drop"])
def test_strange_answers_never_become_a_token(desk: Desk, sandbox: Sandbox, kind: str) -> None:
    """What is no token is not stored, and costs no more than two requests."""
    sandbox.fault(Fault(kind=kind, location="http://127.0.0.1:9/", times=None, size=1_000_000))
    with pytest.raises((TokenUnavailable, AccountBlocked)):
        desk.keeper().token()
    assert desk.row().generation == 0
    assert desk.row().sealed is None
    assert len(sandbox.token_requests()) <= 2


def test_refused_connection_leaves_no_doubt(desk: Desk) -> None:
    """What surely never left leaves no attempt behind."""
    desk.url = "http://127.0.0.1:9"
    with pytest.raises(TokenUnavailable):
        desk.keeper().token()
    assert desk.row().attempt_id is None
    assert desk.row().failures == 1


def test_secret_in_an_error_answer_is_masked(desk: Desk, sandbox: Sandbox) -> None:
    """A server that repeats what it was sent puts no secret into error, row or event."""
    body = {"error": "invalid_grant", "error_description": f"bad: {WHO.tangoe_password} " + "x" * 500}
    sandbox.fault(Fault(kind="status", status=400, body=body))
    with pytest.raises(AccountBlocked) as caught:
        desk.keeper().token()
    told = f"{caught.value} {desk.row()} {desk.heard}"
    assert "invalid_grant" in told
    assert WHO.tangoe_password not in told
    assert "x" * 250 not in told


def test_undecryptable_row_stops_its_account_until_the_key_is_back(desk: Desk, sandbox: Sandbox) -> None:
    """Without the key the account says so and nothing is sent; with it all is well again."""
    desk.keeper().token()
    other_ring = KeyRing({"k2": Secret("Mg==" * 11)})
    keeper = desk.keeper(ring=other_ring)
    for _ in range(2):
        with pytest.raises(TokenUndecryptable):
            keeper.token()
    assert keeper.health() is Health.UNDECRYPTABLE
    assert len(desk.told(BlockedEvent)) == 1
    again = desk.keeper(ring=RING)
    assert again.token().generation == 1
    assert again.health() is Health.FRESH
    assert asked(sandbox) == ["password"]


def test_another_identity_does_not_use_the_stored_token(desk: Desk, sandbox: Sandbox) -> None:
    """An account whose configured user changed logs in anew."""
    desk.keeper().token()
    other = desk.keeper(desk.account(options(desk.url, username="somebody-else")))
    with pytest.raises(AccountBlocked):
        other.token()
    assert asked(sandbox) == ["password", "password:400"]


@pytest.mark.parametrize("style", [{"token_params": "query"}, {"client_auth": "basic"}])
def test_token_styles(desk: Desk, sandbox: Sandbox, style: dict[str, str]) -> None:
    """Parameters in the query and client authentication by basic are accepted by the server."""
    keeper = desk.keeper(desk.account(options(desk.url, **style)))
    keeper.token()
    assert keeper.token(rejected=1).generation == 2
    assert asked(sandbox) == ["password", "refresh_token"]
    first = sandbox.token_requests()[0]
    assert first.account == WHO.tangoe_username
    assert ("username" in first.query) == ("token_params" in style)
    assert all("?" not in call.url for call in desk.trail())


def test_narrower_scope_is_stored_and_warned_of(desk: Desk, sandbox: Sandbox) -> None:
    """A server that grants less than asked for is told of; the token serves."""
    body = {"access_token": "narrow", "token_type": "bearer", "expires_in": 60, "scope": "READ"}
    sandbox.fault(Fault(kind="status", status=200, body=body))
    keeper = desk.keeper(desk.account(client_credentials(desk.url, scope="READ WRITE")))
    assert keeper.token().bearer.reveal() == "narrow"
    assert ["missing: WRITE" in event.warning for event in desk.told(AccountWarned)] == [True]


def test_narrower_scope_is_not_widened_by_a_refresh(desk: Desk, sandbox: Sandbox) -> None:
    """Where less was granted than asked for, the refresh asks for the same and is not refused (RFC 6749 section 6)."""
    sandbox.fault(Fault(kind="fields", path="/as/", value={"scope": "LESS"}))
    keeper = desk.keeper(desk.account(options(desk.url, scope="MOBPROC")))
    keeper.token()
    assert keeper.token(rejected=1).generation == 2
    assert [one.form.get("scope") for one in sandbox.token_requests()] == ["MOBPROC", None]


def test_client_credentials(desk: Desk, sandbox: Sandbox) -> None:
    """The client logs in for itself."""
    assert desk.keeper(desk.account(client_credentials(desk.url))).token().generation == 1
    assert asked(sandbox) == ["client_credentials"]


def test_lease_of_another_process_is_waited_for(desk: Desk) -> None:
    """A caller that finds the lease taken polls until its deadline, and says when to come back."""
    holder = desk.keeper()
    lease = holder._leases.take(desk.row(), lambda row: None)
    assert lease is not None
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        desk.clock.pass_by(seconds)

    with pytest.raises(TokenUnavailable, match="another process") as caught:
        desk.keeper(wait=wait).token(deadline_s=5.0)
    assert caught.value.retry_after_s is not None
    assert 50 <= len(waits) <= 260
    assert all(0.0 < seconds <= 0.1 for seconds in waits)


def test_lost_lease_never_overwrites(desk: Desk, sandbox: Sandbox) -> None:
    """Whoever lost the lease while asking takes the winner's token and leaves the row alone."""
    slow, quick = desk.keeper(lease_s=0.0), desk.keeper()
    _at_answer(slow, quick.token)
    assert slow.token().bearer == quick.token().bearer
    assert desk.row().generation == 1
    assert asked(sandbox) == ["password", "password"]


class Outage:
    """Makes a database unreachable for as long as it is wanted."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self._read, self._write = desk.database.read, desk.database.write
        self._desk, self._patch = desk, monkeypatch

    def begin(self) -> None:
        """Takes the database away."""

        def away(**_how: object) -> None:
            raise StoreUnreachable("gone for the test")

        self._patch.setattr(self._desk.database, "write", away)
        self._patch.setattr(self._desk.database, "read", away)

    def end(self) -> None:
        """Brings it back."""
        self._patch.setattr(self._desk.database, "write", self._write)
        self._patch.setattr(self._desk.database, "read", self._read)


def test_database_away_leaves_a_good_token_in_use(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller with a good token does not notice; one without is told."""
    keeper, outage = desk.keeper(), Outage(desk, monkeypatch)
    keeper.token()
    outage.begin()
    desk.clock.pass_by(3600 - 100)
    assert keeper.token().generation == 1
    desk.clock.pass_by(200)
    with pytest.raises(TokenUnavailable):
        keeper.token()
    outage.end()
    assert keeper.token().generation == 2


def test_token_that_cannot_be_stored_is_rescued(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The database goes away after a good answer: the token serves, a sealed record keeps it, the row follows."""
    keeper, outage = desk.keeper(rescue_dir=tmp_path, patience_s=0.05), Outage(desk, monkeypatch)
    keeper.token()
    record = tmp_path / "tangoe.token-rescue"
    _at_answer(keeper, outage.begin)
    monkeypatch.setattr(desk.writer, "_on_error", lambda _: None)
    token = keeper.token(rejected=1)
    assert keeper.token() is token
    assert record.stat().st_mode & 0o777 == 0o600
    assert token.bearer.reveal().encode() not in record.read_bytes()
    assert any(str(record) in event.warning for event in desk.told(AccountWarned))
    outage.end()
    keeper._leases._patience_s = 30.0  # the machine may be busy
    desk.clock.pass_by(4000)
    assert keeper.token().generation == 3
    assert not record.exists()
    assert asked(sandbox) == ["password", "refresh_token", "refresh_token"]


def test_rescue_record_is_read_back_on_start(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that died with its token only in the record: the next start stores it, and no login is needed."""
    keeper = desk.keeper(rescue_dir=tmp_path, patience_s=0.05)
    keeper.token()
    monkeypatch.setattr(keeper._leases, "_writer", Writer(desk.database, lambda _: None))  # never started
    token = keeper.token(rejected=1)
    assert desk.row().generation == 1
    after = desk.keeper(rescue_dir=tmp_path)
    after.start()
    assert desk.row().generation == 2
    assert desk.row().attempt_id is None
    assert after.token().bearer == token.bearer
    assert list(tmp_path.glob("*rescue*")) == []
    assert asked(sandbox) == ["password", "refresh_token"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"account": "tangoe", "sealed": 1}'])
def test_broken_rescue_record_does_no_harm(desk: Desk, tmp_path: Path, content: bytes) -> None:
    """A record that cannot be read is removed and nothing else happens."""
    record = tmp_path / "tangoe.token-rescue"
    record.write_bytes(content)
    assert desk.keeper(rescue_dir=tmp_path).token().generation == 1
    assert not record.exists()


def _at_answer(keeper: Keeper, act: Callable[[], object]) -> None:
    """Acts when the next answer has come, before it is stored."""
    endpoint = keeper._refresh._endpoint
    ask = endpoint.ask

    def acting(grant: Grant, generation: int) -> TokenReply:
        endpoint.ask = ask  # type: ignore[method-assign]
        outcome = ask(grant, generation)
        act()
        return outcome

    endpoint.ask = acting  # type: ignore[method-assign]
