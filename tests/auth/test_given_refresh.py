"""The grant refresh_token: given once, from then on the stored one counts."""

from collections.abc import Callable

import pytest
import requests

from tests.auth.keeping import TOKEN_PATH, WHO, Desk, options
from worker.auth.account import Account
from worker.auth.keeper import Keeper
from worker.model.errors import NeedsLogin, TokenUnavailable
from worker.model.records import Health
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox
from worker.vault.secret import Secret

Give = Callable[[str], Keeper]


@pytest.fixture
def elsewhere(sandbox: Sandbox) -> Callable[[], str]:
    """Logs in elsewhere and returns the refresh token; no call of that is left in the sandbox's log."""

    def login() -> str:
        who = {"username": WHO.tangoe_username, "password": WHO.tangoe_password}
        client = {"client_id": WHO.tangoe_client_id, "client_secret": WHO.tangoe_client_secret}
        got = requests.post(sandbox.url + TOKEN_PATH, data={"grant_type": "password", **who, **client}, timeout=5)
        sandbox.forget_calls()
        return str(got.json()["refresh_token"])

    return login


@pytest.fixture
def give(desk: Desk) -> Give:
    """Makes a keeper of an account to which this refresh token was given."""
    given = options(desk.url, grant="refresh_token", username="", password=None, refresh_token={"env": "UNUSED"})

    def keeper(token: str) -> Keeper:
        client_secret = Secret(WHO.tangoe_client_secret)
        return desk.keeper(Account("tangoe", given, client_secret, None, refresh_token=Secret(token)))

    return keeper


def asked(sandbox: Sandbox) -> list[int]:
    """Returns the statuses of all token requests, which are refreshes."""
    assert {one.grant_type for one in sandbox.token_requests()} <= {"refresh_token"}
    return [one.status or 0 for one in sandbox.token_requests()]


def test_given_once_then_the_rotated_one_wins(give: Give, elsewhere: Callable[[], str], sandbox: Sandbox) -> None:
    """The first token costs one refresh of what was given; later ones, of other processes too, of what is stored."""
    given = elsewhere()
    keeper = give(given)
    assert keeper.token().generation == 1
    assert keeper.token(rejected=1).generation == 2
    assert give(given).token(rejected=2).generation == 3
    assert asked(sandbox) == [200, 200, 200]


def test_server_that_does_not_rotate(give: Give, elsewhere: Callable[[], str], sandbox: Sandbox) -> None:
    """An answer without a refresh token leaves the given one in use."""
    given = elsewhere()
    sandbox.set_manners(rotate=False)
    sandbox.fault(Fault(kind="no_refresh_token", times=None))
    keeper = give(given)
    assert keeper.token().generation == 1
    assert keeper.token(rejected=1).generation == 2
    assert asked(sandbox) == [200, 200]


def test_dead_one_needs_a_login_and_is_not_sent_again(
    give: Give, elsewhere: Callable[[], str], sandbox: Sandbox
) -> None:
    """One that the server has ended is sent once, however many calls and starts."""
    given = elsewhere()
    sandbox.revoke_family("tangoe")
    for keeper in (give(given), give(given)):
        for _ in range(2):
            with pytest.raises(NeedsLogin, match="refresh_token"):
                keeper.token()
    assert asked(sandbox) == [400]
    assert keeper.health() is Health.NEEDS_LOGIN


def test_stored_one_that_dies_is_not_followed_by_its_ancestor(
    give: Give, elsewhere: Callable[[], str], sandbox: Sandbox
) -> None:
    """When the stored token dies, the given one, long since used up, is not replayed."""
    given = elsewhere()
    keeper = give(given)
    keeper.token()
    sandbox.revoke_family("tangoe")
    with pytest.raises(NeedsLogin):
        keeper.token(rejected=1)
    assert asked(sandbox) == [200, 400]


def test_a_changed_one_is_taken_up(give: Give, elsewhere: Callable[[], str], sandbox: Sandbox, desk: Desk) -> None:
    """After needs_login another given token is taken up by the next start, without a person typing a login."""
    keeper = give(elsewhere())
    keeper.token()
    sandbox.revoke_family("tangoe")
    with pytest.raises(NeedsLogin):
        keeper.token(rejected=1)
    again = give(elsewhere())
    again.start()
    assert again.health() is Health.DEGRADED
    assert again.token(rejected=1).generation == 2
    assert desk.row().health is Health.FRESH
    assert asked(sandbox) == [200]


def test_stored_one_wins_over_a_changed_one_that_then_helps(
    give: Give, elsewhere: Callable[[], str], sandbox: Sandbox
) -> None:
    """While the stored token is good another given one rests; when it dies, that one helps without a person."""
    give(elsewhere()).token()
    keeper = give(elsewhere())
    assert keeper.token(rejected=1).generation == 2
    sandbox.revoke_family("tangoe")
    fresh = elsewhere()
    assert give(fresh).token(rejected=2).generation == 3
    assert asked(sandbox) == [400, 200]


def test_lost_answer_is_named_as_doubt(give: Give, elsewhere: Callable[[], str], sandbox: Sandbox) -> None:
    """The server rotates what was given and its answer is lost: only a person can help, and the reason says so."""
    given = elsewhere()
    sandbox.fault(Fault(kind="lost_answer"))
    with pytest.raises(NeedsLogin, match="rotation_in_doubt"):
        give(given).token()
    assert len(asked(sandbox)) == 2


def test_endpoint_down_is_waited_for(give: Give, elsewhere: Callable[[], str], sandbox: Sandbox, desk: Desk) -> None:
    """A passing failure does not use up what was given."""
    given = elsewhere()
    sandbox.fault(Fault(kind="status", status=503))
    keeper = give(given)
    with pytest.raises(TokenUnavailable):
        keeper.token()
    desk.clock.pass_by(10)
    assert keeper.token().generation == 1
    assert asked(sandbox) == [503, 200]
