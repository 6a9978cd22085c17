"""What nobody asks for: refresh tokens that would lapse unused, and logins that are over."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.auth.keeping import Desk, options
from tests.auth.persons import Bench, login_options
from worker.auth.credential import Credential
from worker.auth.keeper import Keeper
from worker.auth.login import log_in
from worker.auth.steward import Steward
from worker.auth.upkeep import sweep_due
from worker.model.events import AccountNeedsLogin, AccountRecovered, AccountWarned
from worker.model.listening import Event, Events
from worker.model.records import Health, TokenRow
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox
from worker.store import accounts

DAY_S = 86_400.0
START = datetime(2026, 1, 1, tzinfo=UTC)


def _steward(desk: Desk, *keepers: Keeper) -> list[Steward]:
    return [Steward(partial(_named, keeper), desk.database, desk.events) for keeper in keepers]


def _named(keeper: Keeper) -> dict[str, Credential]:
    return {"tangoe": keeper}


def _lasting(desk: Desk, days: int = 10) -> Keeper:
    return desk.keeper(desk.account(options(desk.url, refresh_lifetime=f"{days}d")))


def test_an_idle_refresh_token_is_used_once_before_it_lapses(desk: Desk, sandbox: Sandbox) -> None:
    """By whichever process comes first; the others see it done. Its successor's end is known."""
    first, second = _lasting(desk), _lasting(desk)
    first.token()
    before = desk.row().refresh_expires_at
    stewards = _steward(desk, first, second)
    for _day in range(10):
        for steward in stewards:
            steward.sweep()
        desk.clock.pass_by(DAY_S)

    assert [call.grant_type for call in sandbox.token_requests()] == ["password", "refresh_token"]
    row = desk.row()
    assert before is not None
    assert row.refresh_expires_at is not None
    assert row.refresh_expires_at > before + timedelta(days=7)


def test_a_refresh_token_that_does_not_roll_is_used_once_and_its_end_is_told(desk: Desk, sandbox: Sandbox) -> None:
    """Where only a person can bring the next one; using it more often would not help."""
    bench = Bench(desk, login_options(desk.url, "authorization_code", refresh_lifetime="10d"))
    keeper = bench.keeper()
    keeper.adopt(log_in(bench.login()))
    sandbox.set_manners("idp", rotate=False)
    (steward,) = _steward(desk, keeper)
    desk.clock.pass_by(9.5 * DAY_S)

    steward.sweep()
    steward.sweep()

    assert [call.grant_type for call in sandbox.token_requests("/idp")].count("refresh_token") == 1
    (warned,) = [told for told in desk.told(AccountWarned) if "lapses" in told.warning]
    assert "worker account login tangoe" in warned.warning
    assert desk.row().health is Health.FRESH


def test_a_sweep_that_fails_waits_like_any_refresh(desk: Desk, sandbox: Sandbox) -> None:
    """The backoff is shared, and the token at hand stays."""
    keeper = _lasting(desk)
    keeper.token()
    (steward,) = _steward(desk, keeper)
    sandbox.fault(Fault("status", path="/as/token.oauth2", status=503, retry_after=120, times=None))
    desk.clock.pass_by(9.5 * DAY_S)

    steward.sweep()
    steward.sweep()

    assert len(sandbox.token_requests()) == 2
    assert desk.row().health is Health.DEGRADED


def test_an_account_that_nobody_logged_in_says_so_at_once(desk: Desk) -> None:
    """Its jobs are skipped with that reason, rather than failed one by one."""
    bench = Bench(desk, login_options(desk.url, "device_code"))
    (steward,) = _steward(desk, bench.keeper())

    steward.sweep()
    steward.sweep()

    (told,) = desk.told(AccountNeedsLogin)
    assert told.reason == "nobody has logged in yet; log in: worker account login tangoe"
    with desk.database.read() as connection:
        assert set(accounts.unusable(connection)) == {"tangoe"}


def test_an_idle_login_that_is_over_needs_the_next_one(desk: Desk) -> None:
    """Although no job asked, and before its very end."""
    bench = Bench(desk, login_options(desk.url, "implicit"))
    bench.keeper().adopt(log_in(bench.login(invite=bench.person.hand_over)))
    (steward,) = _steward(desk, bench.keeper())
    steward.sweep()
    assert desk.row().health is Health.FRESH
    desk.clock.pass_by(3600.0 - 30.0)

    steward.sweep()

    assert desk.row().health is Health.NEEDS_LOGIN


def test_a_recovery_by_another_process_is_told_once(desk: Desk) -> None:
    """So that whoever was alerted hears of it from the daemon."""
    bench = Bench(desk, login_options(desk.url, "implicit"))
    running = bench.keeper()
    daemon, heard = Events(), list[Event]()
    daemon.listen(heard.append)
    steward = Steward(lambda: {"tangoe": running}, desk.database, daemon)
    steward.sweep()
    steward.watch()
    bench.keeper().adopt(log_in(bench.login(invite=bench.person.hand_over)))
    running.token()  # a job may be faster than the next look

    steward.watch()
    steward.watch()

    assert heard == [AccountRecovered("tangoe")]


@given(
    life_d=st.floats(0.01, 400.0),
    known=st.booleans(),
    name=st.text("abc", min_size=1, max_size=8),
)
def test_a_refresh_token_is_used_in_its_last_fifth(life_d: float, known: bool, name: str) -> None:
    """Never before, always in time, and never twice where the life is known and the end stays."""
    end = START + timedelta(days=life_d)
    life_s = life_d * DAY_S if known else None
    row = TokenRow(name, 1, b"sealed", refresh_expires_at=end, refreshed_at=START)
    width = min(timedelta(days=life_d) * 0.2, timedelta(days=7))

    assert not sweep_due(row, end - width - timedelta(seconds=1), life_s)
    assert sweep_due(row, end - width * 0.4, life_s)
    assert not sweep_due(row, end, life_s)
    used = TokenRow(name, 2, b"sealed", refresh_expires_at=end, refreshed_at=end - width * 0.4)
    assert not known or not sweep_due(used, end - width * 0.1, life_s)


@pytest.mark.parametrize("row", [TokenRow("a"), TokenRow("a", 1, b"sealed", refreshed_at=START)])
def test_what_has_no_end_is_left_alone(row: TokenRow) -> None:
    """No refresh token, or nobody knows."""
    assert not sweep_due(row, START + timedelta(days=999), 1.0)
