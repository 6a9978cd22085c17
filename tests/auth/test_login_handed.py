"""Logins without a token endpoint: the implicit page, and a token from standard input."""

from datetime import timedelta

import orjson
import pytest

from tests.auth.keeping import Desk, options
from tests.auth.persons import Bench, login_options
from worker.auth.handing import from_text
from worker.auth.login import log_in
from worker.model.account import AccountOptions
from worker.model.errors import LoginFailed, NeedsLogin
from worker.model.records import Health
from worker.sandbox.faults import Fault
from worker.sandbox.options import HandOff, SandboxOptions
from worker.sandbox.server import Sandbox
from worker.store import accounts


@pytest.fixture
def implicit(desk: Desk) -> Bench:
    """An account that logs in by the implicit grant."""
    return Bench(desk, login_options(desk.url, "implicit"))


@pytest.fixture
def pasted(desk: Desk) -> Bench:
    """An account whose token a person brings."""
    return Bench(desk, login_options(desk.url, "token", issuer="", client_id=""))


def test_an_implicit_login_keeps_the_access_token_and_nothing_else(implicit: Bench, sandbox: Sandbox) -> None:
    """The page that reads the fragment may run one script, ours, and talk to where it came from."""
    keeper = implicit.keeper()

    keeper.adopt(log_in(implicit.login(invite=implicit.person.hand_over)))

    row = implicit.desk.row()
    assert (row.generation, row.health, row.refresh_expires_at) == (1, Health.FRESH, None)
    assert not sandbox.token_requests("/idp/token")
    page = implicit.person.landed
    assert page is not None
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'sha256-" in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert implicit.person.posted.status_code == 200
    assert not [call for call in implicit.desk.trail() if "access_token" in call.url]


def test_before_an_implicit_token_lapses_the_account_needs_a_login(implicit: Bench) -> None:
    """It is used until shortly before its end; then its jobs are skipped, and the reason is what to type."""
    keeper = implicit.keeper()
    keeper.adopt(log_in(implicit.login(invite=implicit.person.hand_over)))
    implicit.desk.clock.pass_by(3600.0 - 70.0)
    assert keeper.token().generation == 1
    assert keeper.health() is Health.FRESH

    implicit.desk.clock.pass_by(15.0)

    assert keeper.token().generation == 1  # who runs may go on to its very end
    row = implicit.desk.row()
    assert row.health is Health.NEEDS_LOGIN
    assert "worker account login tangoe" in str(row.reason)
    with implicit.desk.database.read() as connection:
        assert set(accounts.unusable(connection)) == {"tangoe"}
    implicit.desk.clock.pass_by(60.0)
    with pytest.raises(NeedsLogin):
        keeper.token()


def test_after_the_next_login_the_same_keeper_goes_on(implicit: Bench) -> None:
    """A login is made by another process; the daemon's keeper takes it over without a restart."""
    running = implicit.keeper()
    implicit.keeper().adopt(log_in(implicit.login(invite=implicit.person.hand_over)))
    assert running.token().generation == 1
    implicit.desk.clock.pass_by(3601.0)
    with pytest.raises(NeedsLogin):
        running.token()

    implicit.keeper().adopt(log_in(implicit.login(invite=implicit.person.hand_over)))

    assert running.token().generation == 2
    assert implicit.desk.row().health is Health.FRESH


@pytest.mark.parametrize(
    ("kind", "why"), [("deny", "access_denied"), ("wrong_state", "state"), ("wrong_iss", "issuer")]
)
def test_an_implicit_answer_that_is_not_ours_is_refused(implicit: Bench, sandbox: Sandbox, kind: str, why: str) -> None:
    """Nothing is stored."""
    sandbox.fault(Fault(kind))

    with pytest.raises(LoginFailed, match=why):
        log_in(implicit.login(invite=implicit.person.hand_over, patience_s=1.0))

    assert implicit.desk.row().generation == 0


@pytest.mark.parametrize(("bearer", "kept"), [("access_token", False), ("refresh_token", True)])
def test_a_refresh_token_of_an_implicit_login_is_kept_only_to_be_handed_over(
    desk: Desk, bearer: str, kept: bool
) -> None:
    """RFC 6749 allows none there; an API that wants it with each call issues one all the same."""
    with Sandbox(SandboxOptions(rows=1, handoff=HandOff(implicit_refresh=True))) as sandbox:
        changed = {"grant": "implicit", "authorize_url": "{base_url}/as/authorization.oauth2", "bearer": bearer}
        given = options(sandbox.url, **changed, accept_password_grant=False, username="", password=None)
        bench = Bench(Desk(desk.database, desk.writer, sandbox.url), given)

        handed = log_in(bench.login(invite=bench.person.hand_over))
        bench.desk.close()

    assert (handed.granted.refresh is not None) is kept


def test_a_token_from_standard_input_is_used_until_it_is_rejected(pasted: Bench) -> None:
    """Nobody knows how long it lives; once the API rejects it, a person is asked for the next one."""
    keeper = pasted.keeper()

    keeper.adopt(from_text(pasted.login(), "  a-token-that-somebody-made\n"))

    pasted.desk.clock.pass_by(30 * 86_400.0)
    token = keeper.token()
    assert (token.bearer.reveal(), token.expires_at) == ("a-token-that-somebody-made", None)
    with pytest.raises(NeedsLogin, match="--token-stdin"):
        keeper.token(rejected=1)


def test_json_from_standard_input_may_say_how_long_it_lives(desk: Desk) -> None:
    """As a token endpoint would, with a refresh token that is kept and known to lapse."""
    pasted = Bench(desk, login_options(desk.url, "token"))
    body = {"access_token": "pasted-access", "refresh_token": "pasted-refresh", "expires_in": 600}
    document = orjson.dumps(body | {"refresh_token_expires_in": 7200}).decode()

    pasted.keeper().adopt(from_text(pasted.login(), document))

    row = pasted.desk.row()
    assert row.expires_at is not None
    assert row.issued_at is not None
    assert row.expires_at - row.issued_at == timedelta(seconds=600)
    assert row.refresh_expires_at == row.issued_at + timedelta(seconds=7200)


def test_a_refresh_token_without_a_token_endpoint_is_refused_at_once(pasted: Bench) -> None:
    """Rather than when it is needed, an hour later."""
    with pytest.raises(LoginFailed, match="token_url"):
        from_text(pasted.login(), '{"access_token": "pasted-access", "refresh_token": "pasted-refresh"}')


@pytest.mark.parametrize("text", ["", "two words", '{"access_token": ', '{"token": "x"}', "[]\n[]"])
def test_what_is_no_token_is_refused_without_being_repeated(pasted: Bench, text: str) -> None:
    """The error never shows what was read."""
    with pytest.raises(LoginFailed, match="standard input") as caught:
        from_text(pasted.login(), text)

    assert not text.strip() or text.strip() not in str(caught.value)


def test_an_account_that_logs_in_by_itself_has_no_page(desk: Desk) -> None:
    """It is told so, rather than sent to a browser."""
    given: AccountOptions = options(desk.url)

    with pytest.raises(LoginFailed, match="by itself"):
        log_in(Bench(desk, given).login())
