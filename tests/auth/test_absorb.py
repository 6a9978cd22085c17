"""Tokens that answers bring: kept once, by one call at a time where they end the old one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from jobs.contract import Answer
from tests.auth.keeping import WHO, Desk, options
from worker.auth.account import Account
from worker.auth.keeper import Keeper, Token
from worker.calls.session import AccountApi, RunRef
from worker.model.errors import CallUnanswered, CallUnsent, StoreUnreachable
from worker.model.events import AccountWarned, TokenRefreshed
from worker.model.records import Health, Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.options import HandOff, SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import tables
from worker.vault.secret import Secret
from worker.wire.outgoing import About, Outgoing

PING = "/mobproc/v1/ping"
LIFE_S, NEAR_S, LATE_S = 50.0, 43.0, 48.5  # of the first token; then it is due, then everybody waits for another
HEADER = {"new_token": {"header": "X-New-Token"}}
HANDS_OVER: dict[str, object] = {"bearer": "refresh_token", **HEADER}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that replaces the refresh token of a first, short life; whoever races ends the other's new token."""
    with Sandbox(SandboxOptions(rows=1, handoff=HandOff(window_s=60, grace_s=0), token_lifetime_s=LIFE_S)) as running:
        yield running


def account(desk: Desk, **given: object) -> Account:
    """Returns the account `tangoe`, changed as given."""
    return desk.account(options(desk.url, **given))


class Caller:
    """Calls the sandbox's API with what a keeper gives, as worker.calls does."""

    def __init__(self, desk: Desk, **given: object) -> None:
        self.keeper = desk.keeper(account(desk, **given))
        self._url = desk.url + PING
        self._line = desk.line()

    def call(self, rejected: int | None = None) -> int:
        """Returns the status of one call."""
        return self.carried(self.keeper.token(rejected)).status

    def carried(self, token: Token) -> Answer:
        """Returns the answer to one call with a token; what it brings is absorbed."""
        bearer = Secret(f"Bearer {token.bearer.reveal()}")
        headers: dict[str, str | Secret] = {"Authorization": bearer, "X-TNGO-TENANT": WHO.tangoe_tenant}
        with self.keeper.carrying(token) as carriage:
            outgoing = Outgoing("GET", self._url, headers=headers | {"client_id": WHO.tangoe_client_id})
            answer = self._line.send(outgoing, About("tangoe", Purpose.READ)).answer
            carriage.arrived(answer)
        return answer


@pytest.fixture
def near(desk: Desk, sandbox: Sandbox) -> Callable[..., Caller]:
    """Makes a caller whose account has a token near its end; what follows lives for an hour."""

    def make(**given: object) -> Caller:
        caller = Caller(desk, **(HANDS_OVER | given))
        caller.keeper.token()
        sandbox.set_manners("tangoe", lifetime_s=3600.0)
        desk.clock.pass_by(NEAR_S)
        return caller

    return make


def asked(sandbox: Sandbox) -> list[str]:
    """Returns the grants of all token requests, refused ones marked."""
    return [f"{one.grant_type}{'' if one.status == 200 else ':refused'}" for one in sandbox.token_requests()]


def test_refresh_token_is_the_bearer(desk: Desk, sandbox: Sandbox) -> None:
    """In hand-off mode calls carry the refresh token, of a keeper that finds it stored too."""
    Caller(desk, **HANDS_OVER).keeper.token()
    sandbox.revoke_access_tokens("tangoe")
    sandbox.set_manners("tangoe", lifetime_s=3600.0)
    stored = Caller(desk, **HANDS_OVER).keeper.token()
    assert stored.bearer == Caller(desk, **HANDS_OVER).keeper.token().bearer
    assert stored.carrier is None
    assert asked(sandbox) == ["password"]


def test_calls_near_the_end_do_not_race(near: Callable[..., Caller], desk: Desk, sandbox: Sandbox) -> None:
    """Two processes of eight threads: one call brings the next token, no call fails, no token is asked for."""
    callers = near(), Caller(desk, **HANDS_OVER)
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda number: callers[number % 2].call(), range(64)))
    assert statuses == [200] * 64
    assert asked(sandbox) == ["password"]
    assert desk.row().generation == 2
    assert (desk.row().attempt_id, desk.row().lease_until) == (None, None)
    handed = [call for call in sandbox.calls(PING) if call.token_issued is not None]
    assert len(handed) == 1


def test_absorbed_token_is_linked_to_its_call(near: Callable[..., Caller], desk: Desk) -> None:
    """The event and the call's row tell which call brought the new generation."""
    caller = near()
    answer = caller.carried(caller.keeper.token())
    told = desk.told(TokenRefreshed)[-1]
    assert (told.grant, told.generation, told.call) == ("answer", 2, answer.call_id)
    desk.writer.call(lambda _connection: None)
    assert [call.id for call in desk.trail() if call.generation_issued == 2] == [answer.call_id]


def test_call_that_brings_nothing_gives_the_lease_back(near: Callable[..., Caller], desk: Desk) -> None:
    """A call near the end whose answer brings no token leaves no trace, and the next one may bring it."""
    caller = near(new_token={"header": "X-Other"})
    assert caller.call() == 200
    assert (desk.row().generation, desk.row().attempt_id, desk.row().lease_until) == (1, None, None)


def test_late_call_asks_the_token_endpoint(near: Callable[..., Caller], desk: Desk, sandbox: Sandbox) -> None:
    """When no call has brought a new token in time, it is asked for."""
    caller = near()
    desk.clock.pass_by(LATE_S - NEAR_S)
    assert caller.call() == 200
    assert asked(sandbox) == ["password", "refresh_token"]


def test_rejected_token_asks_the_token_endpoint(near: Callable[..., Caller], sandbox: Sandbox) -> None:
    """A rejected token is not carried by another call; it is renewed."""
    caller = near()
    assert caller.keeper.token(rejected=1).generation == 2
    assert asked(sandbox) == ["password", "refresh_token"]


def test_lost_answer_is_in_doubt_and_recovered(near: Callable[..., Caller], desk: Desk, sandbox: Sandbox) -> None:
    """The answer that brought the new token is lost: the stored one is tried once, then the account logs in."""
    caller = near()
    sandbox.fault(Fault(kind="lost_answer", path=PING))
    with pytest.raises(CallUnanswered):
        caller.call()
    assert desk.row().attempt_id is not None
    assert desk.row().lease_until is None
    assert caller.call() == 200
    assert asked(sandbox) == ["password", "refresh_token:refused", "password"]


def test_death_of_a_carrier_is_recovered(near: Callable[..., Caller], desk: Desk, sandbox: Sandbox) -> None:
    """A process dies before it sends its call: once its lease has ended, the stored token is renewed by another."""
    assert near().keeper.token().carrier is not None
    with desk.database.write() as connection:
        connection.execute(sa.update(tables.tokens).values(lease_until=desk.database.lease_now(connection)))
    assert Caller(desk, **HANDS_OVER).call() == 200
    assert asked(sandbox) == ["password", "refresh_token"]
    assert (desk.row().generation, desk.row().attempt_id) == (2, None)


def test_call_that_never_left_leaves_no_doubt(near: Callable[..., Caller], desk: Desk) -> None:
    """A call that surely never left ends its lease without a doubt."""
    caller = near()
    token = caller.keeper.token()
    with pytest.raises(CallUnsent), caller.keeper.carrying(token):
        raise CallUnsent("refused")
    assert (desk.row().attempt_id, desk.row().lease_until) == (None, None)
    assert caller.call() == 200


def test_early_new_token_is_kept_too(desk: Desk, sandbox: Sandbox) -> None:
    """A server that replaces the token earlier than expected is followed, even past a refresh that is under way."""
    caller = Caller(desk, **HANDS_OVER)
    token = caller.keeper.token()
    sandbox.set_manners("tangoe", lifetime_s=3600.0)
    assert token.carrier is None
    lease = caller.keeper._leases.take(desk.row(), lambda _row: None)
    assert lease is not None
    assert caller.carried(token).status == 200
    assert desk.row().generation == 2
    assert caller.call() == 200
    assert caller.keeper._leases.renew(lease, None) is None  # who was refreshing has lost


def handed_back(desk: Desk, sandbox: Sandbox, **given: object) -> Caller:
    """Returns a caller of the ordinary mode, to whose next call the answer brings an access token."""
    caller = Caller(desk, **(HEADER | given))
    caller.keeper.token()
    sandbox.fault(
        Fault(kind="status", status=200, path=PING, headers={"X-New-Token": "Tok-2"}, body={"a": {"b": "T-3"}})
    )
    return caller


def test_access_token_handed_back_keeps_the_refresh_token(desk: Desk, sandbox: Sandbox) -> None:
    """In the ordinary mode a new access token is taken up, and the stored refresh token still renews it."""
    caller = handed_back(desk, sandbox)
    caller.call()
    token = caller.keeper.token()
    assert (token.generation, token.bearer.reveal()) == (2, "Tok-2")
    assert caller.keeper.token(rejected=2).generation == 3
    assert asked(sandbox) == ["password", "refresh_token"]


def test_new_token_in_the_body(desk: Desk, sandbox: Sandbox) -> None:
    """A way of keys leads to it."""
    caller = handed_back(desk, sandbox, new_token={"field": ["a", "b"]})
    caller.call()
    assert caller.keeper.token().bearer.reveal() == "T-3"


@pytest.mark.parametrize("way", [["a"], ["a", "c"], ["a", "b", "c"], ["x", "y"]])
def test_way_that_leads_nowhere(desk: Desk, sandbox: Sandbox, way: list[str]) -> None:
    """Where there is no text at the end of the way, there is no new token."""
    caller = handed_back(desk, sandbox, new_token={"field": way})
    caller.call()
    assert caller.keeper.token().generation == 1


def test_token_of_an_older_call_is_not_absorbed(desk: Desk, sandbox: Sandbox) -> None:
    """An answer to a call with an older generation changes nothing."""
    caller = handed_back(desk, sandbox)
    old = caller.keeper.token()
    newer = caller.keeper.token(rejected=1)
    before = desk.row()
    caller.carried(old)
    assert desk.row() == before
    assert caller.keeper.token() is newer


def test_refresh_under_way_is_not_disturbed(desk: Desk, sandbox: Sandbox) -> None:
    """In the ordinary mode an access token that comes while somebody refreshes is left: its successor is on the way."""
    caller = handed_back(desk, sandbox)
    lease = caller.keeper._leases.take(desk.row(), lambda _row: None)
    assert lease is not None
    caller.call()
    assert desk.row().generation == 1
    assert desk.row().attempt_id == lease.attempt_id


def test_same_token_again_is_no_new_one(desk: Desk, sandbox: Sandbox) -> None:
    """A server that repeats the token in each answer causes no write."""
    caller = Caller(desk, **HEADER)
    bearer = caller.keeper.token().bearer.reveal()
    sandbox.fault(Fault(kind="status", status=200, path=PING, headers={"X-New-Token": bearer}, body={}))
    caller.call()
    assert desk.row().generation == 1


def test_database_away_costs_no_answer(desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A good answer is good, also where what it brought cannot be kept; somebody is told."""
    caller = handed_back(desk, sandbox)
    token = caller.keeper.token()

    def away() -> None:
        raise StoreUnreachable("gone for the test")

    with monkeypatch.context() as patch:
        patch.setattr(desk.database, "read", away)
        assert caller.carried(token).status == 200
    assert ["lost" in event.warning for event in desk.told(AccountWarned)][-1]
    assert caller.keeper.health() is Health.FRESH


def test_jobs_calls_hand_over(near: Callable[..., Caller], desk: Desk, sandbox: Sandbox) -> None:
    """A run's calls near the end, made at once, all succeed and bring one new token between them."""
    keeper = near().keeper
    identity = {"X-TNGO-TENANT": WHO.tangoe_tenant, "client_id": "{client_id}"}
    api = AccountApi(account(desk, **HANDS_OVER, headers=identity), desk.line(), keeper, desk.events)
    bound = api.bind(RunRef("job", 1, 1, lambda: None, lambda: 60.0))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: bound.request("GET", PING).status, range(16)))
    bound.settle()
    assert answers == [200] * 16
    assert desk.row().generation == 2
    assert asked(sandbox) == ["password"]
    assert [call.status for call in desk.trail() if call.purpose is Purpose.READ] == [200] * 16


def test_plain_accounts_watch_nothing(desk: Desk) -> None:
    """An account whose answers bring no token has a context that costs nothing and does nothing."""
    keeper: Keeper = desk.keeper()
    token = keeper.token()
    assert keeper.carrying(token) is keeper.carrying(token)
