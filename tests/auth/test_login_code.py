"""The login with an authorization code: PKCE on loopback, who answered, what was stored, and every way to fail."""

import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.auth.keeping import Desk
from tests.auth.persons import SCOPE, WHO, Bench, later, login_options, wait_until
from worker.auth.invitation import Invitation
from worker.auth.login import log_in
from worker.model.errors import LoginFailed
from worker.model.events import TokenRefreshed
from worker.model.records import Health, Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox

TOKEN = "/idp/token"


@pytest.fixture
def bench(desk: Desk) -> Bench:
    """An account that logs in by authorization code."""
    return Bench(desk, login_options(desk.url, "authorization_code"))


def test_a_login_brings_a_token_that_the_keeper_gives_and_renews(bench: Bench, sandbox: Sandbox) -> None:
    """It is stored like any other, its calls stand in the trail, and its refresh token is used later."""
    keeper = bench.keeper()

    adopted = keeper.adopt(log_in(bench.login()))

    row = bench.desk.row()
    assert (row.generation, row.health, adopted.generation) == (1, Health.FRESH, 1)
    assert keeper.token().bearer == adopted.bearer
    assert [event.grant for event in bench.desk.told(TokenRefreshed)] == ["authorization_code"]
    exchange = bench.desk.trail()[-1]
    assert (exchange.purpose, exchange.generation_issued) == (Purpose.LOGIN, 1)
    assert keeper.token(rejected=1).generation == 2
    assert sandbox.token_requests(TOKEN)[-1].grant_type == "refresh_token"


def test_the_page_is_asked_for_with_pkce_on_loopback(bench: Bench) -> None:
    """S256, an address of this machine with a free port, state, scope; and the page that comes keeps nothing."""
    log_in(bench.login())

    (invitation,) = bench.person.invited
    asked = {name: values[0] for name, values in parse_qs(urlsplit(invitation.url).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert (asked["scope"], asked["client_id"]) == (SCOPE, WHO.idp_public_client_id)
    landed = bench.person.landed
    assert landed is not None
    assert landed.status_code == 200
    assert landed.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in landed.headers["Content-Security-Policy"]


def test_further_parameters_and_a_port_are_as_configured(desk: Desk) -> None:
    """A server that wants more, or one fixed address, is given it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    fixed = f"http://127.0.0.1:{port}/done"
    options = login_options(
        desk.url, "authorization_code", redirect_url=fixed, authorize_extra={"access_type": "offline"}
    )
    bench = Bench(desk, options)

    log_in(bench.login())

    asked = parse_qs(urlsplit(bench.person.invited[0].url).query)
    assert (asked["redirect_uri"], asked["access_type"]) == ([fixed], ["offline"])


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("deny", "access_denied"),
        ("wrong_state", r"no browser came back .* another state than was sent, or none .1 times"),
        ("no_state", r"no browser came back .* another state than was sent, or none .1 times"),
        ("wrong_iss", "another issuer"),
        ("no_iss", "does not name its issuer"),
    ],
)
def test_an_answer_that_is_not_ours_is_refused(bench: Bench, sandbox: Sandbox, kind: str, why: str) -> None:
    """Nothing is exchanged and nothing stored; the error says what was wrong and what to type."""
    sandbox.fault(Fault(kind))

    with pytest.raises(LoginFailed, match=why) as caught:
        log_in(bench.login(patience_s=1.0))

    assert "worker account login tangoe" in str(caught.value)
    assert not sandbox.token_requests(TOKEN)
    assert bench.desk.row().generation == 0


def test_a_lost_answer_is_told_and_not_asked_for_again(bench: Bench, sandbox: Sandbox) -> None:
    """The code is spent by then: a person makes the next one."""
    sandbox.fault(Fault("lost_answer", path=TOKEN))

    with pytest.raises(LoginFailed, match="begin again"):
        log_in(bench.login())

    assert len(sandbox.token_requests(TOKEN)) == 1


def test_a_busy_token_endpoint_is_asked_again_while_the_code_lives(bench: Bench, sandbox: Sandbox) -> None:
    """A 503 did not use the code up; Retry-After is heeded."""
    sandbox.fault(Fault("status", path=TOKEN, status=503, retry_after=4))

    assert log_in(bench.login()).how == "authorization_code"

    assert bench.waited == [4.0]


def test_nobody_comes(bench: Bench) -> None:
    """A login waits no longer than it says."""
    with pytest.raises(LoginFailed, match="no browser came back"):
        log_in(bench.login(invite=lambda _invitation: None, patience_s=0.05))


def test_a_port_that_is_taken_is_named(desk: Desk) -> None:
    """With what to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/cb"
        bench = Bench(desk, login_options(desk.url, "authorization_code", redirect_url=url))

        with pytest.raises(LoginFailed, match="redirect_url"):
            log_in(bench.login())


def test_the_loopback_answers_one_browser_at_one_path(bench: Bench) -> None:
    """Another path, another name for this machine, or a second answer get nothing."""
    seen: list[int] = []

    def poke(invitation: Invitation) -> None:
        redirect = parse_qs(urlsplit(invitation.url).query)["redirect_uri"][0]
        seen.append(bench.person.get(f"{redirect}/favicon.ico").status_code)
        seen.append(bench.person.get(redirect.replace("127.0.0.1", "localhost")).status_code)
        bench.person.follow(invitation)
        state = parse_qs(urlsplit(invitation.url).query)["state"][0]
        seen.append(bench.person.get(f"{redirect}?code=late&state={state}").status_code)

    handed = log_in(bench.login(invite=poke))

    assert seen == [404, 404, 410]
    assert handed.granted.refresh is not None


def test_a_login_waits_for_a_renewal_that_is_under_way(bench: Bench, sandbox: Sandbox) -> None:
    """Neither is lost: the login's token is the newer one, and every keeper comes to it."""
    running = bench.keeper()
    running.adopt(log_in(bench.login()))
    handed = log_in(bench.login())
    sandbox.fault(Fault("delay", path=TOKEN, grant_type="refresh_token", seconds=0.3))
    renewal = later(lambda: running.token(rejected=1))
    wait_until(lambda: bench.desk.row().lease_until is not None)

    adopted = bench.keeper().adopt(handed)
    renewal.join()

    assert (adopted.generation, bench.desk.row().generation) == (3, 3)
    assert running.token(rejected=2).bearer == adopted.bearer
