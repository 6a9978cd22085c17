"""Asking the authorization server what a token is worth: three ways, odd answers, and the second look."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.auth.keeping import Desk, options
from tests.auth.persons import WHO, Bench, login_options
from worker.auth.handing import from_text
from worker.auth.keeper import Keeper, Token
from worker.auth.login import log_in
from worker.auth.validation import Opinion
from worker.model.account import AccountOptions
from worker.model.errors import NeedsLogin, TokenUnavailable
from worker.model.records import Health, Purpose
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox
from worker.vault.secret import Secret

INTROSPECT = "/idp/introspect"
STYLES = {
    "introspect": {},
    "ping": {"validate": {"kind": "ping"}},
    "get": {"validate": {"kind": "get", "url": "{base_url}/orders"}},
}


def _idp(url: str, **given: object) -> AccountOptions:
    own = {"client_id": WHO.idp_client_id, "client_auth": "basic"}
    return login_options(url, "authorization_code", **(own | given))


def _bench(desk: Desk, **given: object) -> Bench:
    return Bench(desk, _idp(desk.url, **given), WHO.idp_client_secret)


def _tangoe(desk: Desk, **given: object) -> Keeper:
    headers = {"X-TNGO-TENANT": "{tenant}", "client_id": "{client_id}"}
    base = {"base_url": f"{desk.url}/mobproc/v1", "tenant": WHO.tangoe_tenant, "headers": headers}
    return desk.keeper(desk.account(options(desk.url, **(base | {"reject_statuses": [401, 403]} | given))))


def _bad(token: Token) -> Token:
    return Token(token.generation, Secret("no-such-token-anywhere"), token.expires_at)


def test_introspection_tells_good_from_bad(desk: Desk) -> None:
    """RFC 7662, found by the issuer's metadata; the question stands in the trail with the generation it is about."""
    bench = _bench(desk)
    keeper = bench.keeper()
    token = keeper.adopt(log_in(bench.login()))

    good, bad = keeper.validator.check(token), keeper.validator.check(_bad(token))

    assert (good.good, bad.good) == (True, False)
    assert good.expires_at is not None
    assert abs(good.expires_at - desk.clock.now() - timedelta(hours=1)) < timedelta(seconds=10)
    last = desk.trail()[-1]
    assert (last.purpose, last.generation_used, last.id) == (Purpose.VALIDATE, 1, bad.call_id)
    assert "token" not in last.url


@pytest.mark.parametrize("style", ["ping", "get"])
def test_tangoe_tells_good_from_bad(desk: Desk, style: str) -> None:
    """By Ping's grant, whose answer has no `active`, and by a call of the API itself."""
    keeper = _tangoe(desk, **STYLES[style])
    token = keeper.token()

    assert keeper.validator.check(token).good is True
    assert keeper.validator.check(_bad(token)).good is False


def test_an_error_without_a_word_is_none(desk: Desk, sandbox: Sandbox) -> None:
    """Servers that write out every field say null beside the rest."""
    bench = _bench(desk)
    keeper = bench.keeper()
    token = keeper.adopt(log_in(bench.login()))
    sandbox.fault(Fault("fields", path=INTROSPECT, value={"active": True, "error": ""}))

    assert keeper.validator.check(token).good is True


def test_a_fraction_in_exp_is_read(desk: Desk, sandbox: Sandbox) -> None:
    """Some servers write floats."""
    bench = _bench(desk)
    keeper = bench.keeper()
    token = keeper.adopt(log_in(bench.login()))
    sandbox.fault(Fault("float_exp", path=INTROSPECT))

    opinion = keeper.validator.check(token)

    assert opinion.good
    assert opinion.expires_at is not None
    assert opinion.expires_at.microsecond == 500_000


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", path=INTROSPECT, status=503),
        Fault("status", path=INTROSPECT, status=401, body={"error": "invalid_client"}),
        Fault("html", path=INTROSPECT),
        Fault("lost_answer", path=INTROSPECT),
        Fault("fields", path=INTROSPECT, value={"active": None}),
    ],
)
def test_what_is_no_answer_is_no_opinion(desk: Desk, sandbox: Sandbox, fault: Fault) -> None:
    """A validator in trouble condemns no token."""
    bench = _bench(desk)
    keeper = bench.keeper()
    token = keeper.adopt(log_in(bench.login()))
    sandbox.fault(fault)

    assert keeper.validator.check(token).good is None


def test_nobody_to_ask_is_no_opinion(desk: Desk) -> None:
    """Without a setting for it."""
    keeper = desk.keeper()

    assert not keeper.validator.configured
    assert keeper.validator.check(keeper.token()).good is None


def test_a_query_parameter_carries_the_token_where_it_must(desk: Desk, sandbox: Sandbox) -> None:
    """Tangoe's old validator wants it there; then no row shows it."""
    validate = {"kind": "get", "url": "{base_url}/orders", "param": "access_token"}
    keeper = _tangoe(desk, validate=validate)
    token = keeper.token()

    keeper.validator.check(token)

    desk.writer.call(lambda _connection: None)  # its row is written by then
    assert token.bearer.reveal() not in desk.trail()[-1].url
    assert "access_token=" in desk.trail()[-1].url


def test_a_token_that_lives_longer_than_known_is_kept_on(desk: Desk, sandbox: Sandbox) -> None:
    """Before a person is called, the server is asked: it may have said too little when it issued the token."""
    bench = _bench(desk)
    keeper = bench.keeper()
    sandbox.fault(Fault("fields", path="/idp/token", value={"expires_in": 100, "refresh_token": None}))
    first = keeper.adopt(log_in(bench.login()))
    desk.clock.pass_by(98.0)

    token = keeper.token()

    assert (token.generation, token.bearer) == (2, first.bearer)
    assert token.expires_at is not None
    assert token.expires_at - datetime.now(UTC) > timedelta(minutes=50)
    assert desk.row().health is Health.FRESH


def test_a_rejected_token_that_its_server_calls_good_needs_no_login(desk: Desk) -> None:
    """The API is at fault: it is tried again later, and says so."""
    bench = _bench(desk)
    keeper = bench.keeper()
    handed = log_in(bench.login())
    only_access = handed.granted.access.reveal()
    keeper.adopt(from_text(bench.login(), only_access))

    with pytest.raises(TokenUnavailable, match="calls the token good"):
        keeper.token(rejected=1)

    assert desk.row().health is Health.DEGRADED


def test_a_rejected_token_that_its_server_calls_bad_needs_a_login(desk: Desk, sandbox: Sandbox) -> None:
    """Both agree."""
    bench = _bench(desk)
    keeper = bench.keeper()
    keeper.adopt(from_text(bench.login(), log_in(bench.login()).granted.access.reveal()))
    sandbox.revoke_access_tokens("idp")

    with pytest.raises(NeedsLogin):
        keeper.token(rejected=1)

    assert desk.row().health is Health.NEEDS_LOGIN


def test_an_opinion_says_what_it_adds() -> None:
    """Only a good token with a later end adds life."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    later = now + timedelta(seconds=90)

    assert Opinion(True, "", later).gains_s(now) == 90.0
    assert Opinion(False, "", later).gains_s(now) == 0.0
    assert Opinion(True, "").gains_s(now) == 0.0
    assert Opinion(True, "", later).gains_s(None) == 0.0
