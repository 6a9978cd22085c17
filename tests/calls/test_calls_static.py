"""HTTP basic and API keys: sent as their standards say, tried once, blocked at a refusal until they change."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.auth.keeping import Desk
from tests.calls.statics import UNUSED, Door
from tests.wire.farend import FarEnd, answer
from worker.auth.account import Account
from worker.auth.static import static_secret
from worker.calls.session import BoundApi
from worker.model.account import AccountOptions
from worker.model.errors import AccountBlocked, CallError, CallFailed
from worker.model.events import AccountBlocked as BlockedEvent
from worker.model.events import AccountRecovered
from worker.model.records import Health
from worker.sandbox.faults import Fault
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import accounts
from worker.store.database import Database
from worker.store.writer import Writer
from worker.vault.secret import Secret


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with its doors."""
    with Sandbox(SandboxOptions(rows=5)) as running:
        yield running


@pytest.fixture
def desk(database: Database, writer: Writer, sandbox: Sandbox) -> Iterator[Desk]:
    """A desk at that sandbox."""
    opened = Desk(database, writer, sandbox.url)
    yield opened
    opened.close()


@pytest.fixture(params=["basic", "key"])
def door(request: pytest.FixtureRequest, desk: Desk) -> Door:
    """A door that a static secret opens."""
    return Door(desk, request.param)


def attempts(api: BoundApi, times: int) -> list[int | type[Exception]]:
    """Returns how so many calls at once ended: a status, or the error."""

    def call(_: int) -> int | type[Exception]:
        try:
            return api.request("GET", "items").status
        except (AccountBlocked, CallError) as error:
            return type(error)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call, range(times)))


def test_right_secret_opens(door: Door, sandbox: Sandbox) -> None:
    """Calls go through, no token endpoint is asked, the account is fresh and each row names the secret's version."""
    api = door.api()
    assert attempts(api, 6) == [200] * 6
    api.settle()
    assert len(sandbox.calls()) == 6
    assert not sandbox.token_requests()
    assert {row.generation_used for row in door.desk.trail()} == {1}
    assert door.desk.row().health is Health.FRESH


def test_wrong_secret_is_sent_once(door: Door, sandbox: Sandbox) -> None:
    """Two processes with eight threads each have it: one request, one event, everybody else is told."""
    apis = [door.api("wrong-" + door.right) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        ended = [end for ends in pool.map(lambda api: attempts(api, 8), apis) for end in ends]
    assert ended == [AccountBlocked] * 16
    assert len(sandbox.calls()) == 1
    assert len(door.desk.told(BlockedEvent)) == 1
    with door.desk.database.read() as connection:
        assert set(accounts.unusable(connection)) == {"tangoe"}  # whose jobs are skipped with the reason `account`


def test_refusal_outlives_the_process_but_not_the_secret(door: Door, sandbox: Sandbox) -> None:
    """After a restart the same secret is not sent; a changed one is, as the next generation, and is told of."""
    assert attempts(door.api("wrong-" + door.right), 1) == [AccountBlocked]
    keeper = door.keeper("wrong-" + door.right)
    keeper.start()
    assert attempts(door.api(keeper=keeper), 3) == [AccountBlocked] * 3
    assert len(sandbox.calls()) == 1
    assert attempts(door.api(), 3) == [200] * 3
    assert (door.desk.row().generation, door.desk.row().health) == (2, Health.FRESH)
    assert len(door.desk.told(AccountRecovered)) == 1


def test_secret_that_is_taken_back_blocks_at_once(door: Door, sandbox: Sandbox) -> None:
    """A secret that worked and then does not: the answers under way, then nothing any more."""
    api = door.api()
    assert attempts(api, 2) == [200] * 2
    sandbox.set_password(door.kind, "changed-at-the-far-end")
    assert attempts(api, 1) == [AccountBlocked]
    sandbox.forget_calls()
    assert attempts(api, 4) == [AccountBlocked] * 4
    assert not sandbox.calls()
    assert "worker account reset tangoe" in (door.desk.row().reason or "")


def test_operator_lets_it_be_tried_again(door: Door, sandbox: Sandbox) -> None:
    """Once the account's row is usable again, the running process sees it and tries."""
    keeper = door.keeper()
    api = door.api(keeper=keeper)
    sandbox.set_password(door.kind, "changed-at-the-far-end")
    assert attempts(api, 1) == [AccountBlocked]
    sandbox.set_password(door.kind, door.right)
    with door.desk.database.write() as connection:
        accounts.set_health(connection, "tangoe", Health.DEGRADED, "reset by ops", door.desk.clock.now())
    keeper.notice(door.desk.row())
    assert attempts(api, 2) == [200] * 2


def test_trial_without_an_answer_is_followed_by_another(door: Door, sandbox: Sandbox) -> None:
    """A lost answer proves nothing: the next call tries, and nobody waits for the first for ever."""
    sandbox.fault(Fault(kind="drop", path=f"/{door.kind}"))
    assert attempts(door.api(), 3) == [200] * 3
    assert door.desk.row().lease_until is None


def test_error_that_is_none_of_the_secret_blocks_nobody(door: Door, sandbox: Sandbox) -> None:
    """A path that is not there is told as that."""
    api = door.api()
    with pytest.raises(CallFailed, match="404"):
        api.request("GET", "nothing-here")
    assert attempts(api, 1) == [200]


@pytest.mark.parametrize(
    ("given", "header", "wanted"),
    [
        ({}, "x-api-key", "the-api-key"),
        ({"api_key_header": "Authorization", "api_key_prefix": "Token "}, "authorization", "Token the-api-key"),
    ],
)
def test_key_goes_into_the_header_of_the_options(
    desk: Desk, given: dict[str, object], header: str, wanted: str
) -> None:
    """Header and prefix are the API's choice; a job's own header cannot replace it."""
    with FarEnd(answer()) as far:
        desk.url = far.url
        Door(desk, "key", given).api("the-api-key").request("GET", "items", headers={header: "mine"})
    assert far.requests[0].headers[header] == wanted


def test_key_in_the_query_is_sent_once_and_shown_nowhere(desk: Desk) -> None:
    """A next link that repeats the key gets no second one; trail and answer show stars."""
    with FarEnd(answer()) as far:
        desk.url = far.url
        api = Door(desk, "key", {"api_key_param": "appid"}).api("the-api+key")
        got = api.request("GET", "items?a=1&appid=the-api%2Bkey", params={"b": "2"})
        api.settle()
    assert far.requests[0].target == "/key/items?a=1&b=2&appid=the-api%2Bkey"
    (row,) = desk.trail()
    assert row.url == got.url == f"{far.url}/key/items?a=1&b=2&appid=***"


def test_basic_is_utf_8() -> None:
    """The example of RFC 7617 section 2.1."""
    options = AccountOptions.model_validate(
        {"base_url": "https://a.test", "grant": "basic", "username": "test", "password": UNUSED}
    )
    assert static_secret(Account("a", options, None, Secret("123£"))).reveal() == "dGVzdDoxMjPCow=="


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"grant": "basic", "username": "a:b", "password": UNUSED}, "holds a colon"),
        ({"grant": "basic", "username": "a"}, "password is missing, which the grant basic needs"),
        ({"grant": "api_key"}, "api_key is missing, which the grant api_key needs"),
        ({"grant": "api_key", "api_key": UNUSED, "api_key_param": "k", "api_key_prefix": "T "}, "api_key_prefix out"),
        ({"grant": "api_key", "api_key": UNUSED, "api_key_header": "Cookie"}, "means something else"),
        ({"grant": "api_key", "api_key": UNUSED, "headers": {"a": "{client_id}"}}, "client_id is missing"),
        ({"grant": "api_key", "api_key": UNUSED, "client_cert": "/a.pem"}, "client_key is missing"),
        ({"grant": "api_key", "api_key": UNUSED, "client_key": UNUSED}, "client_cert is missing"),
    ],
)
def test_options_that_do_not_go_together_are_told(given: dict[str, object], fault: str) -> None:
    """One clear sentence each; neither token_url nor client_id is asked for."""
    with pytest.raises(ValueError, match=fault) as caught:
        AccountOptions.model_validate({"base_url": "https://a.test"} | given)
    assert "token_url" not in str(caught.value)
