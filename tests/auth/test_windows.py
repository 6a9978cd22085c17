"""Windows and backoff hold their bounds for all lives, failures and chances."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worker.auth.windows import advisory_s, backoff_s, health_of, mandatory_s, moment, waits_s
from worker.model.records import Health, TokenRow

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
lives = st.floats(min_value=0.001, max_value=1e9)
chances = st.floats(min_value=0.0, max_value=1.0)


@given(lives, chances)
def test_windows_are_ordered(life_s: float, chance: float) -> None:
    """Whatever its life, a token is fresh first, then advisory, then mandatory."""
    assert 0.0 < mandatory_s(life_s) < advisory_s(life_s, chance) <= life_s * 0.2200001


@given(lives, chances)
def test_windows_are_bounded(life_s: float, chance: float) -> None:
    """Advisory is ten minutes at most, a tenth more with its spread; mandatory one minute."""
    middle = min(0.2 * life_s, 600.0)
    assert 0.9 * middle <= advisory_s(life_s, chance) * 1.000001
    assert advisory_s(life_s, chance) <= 1.1 * middle * 1.000001
    assert mandatory_s(life_s) <= 60.0


def test_windows_of_an_hour_and_of_ten_seconds() -> None:
    """The usual hour and the demo's ten seconds, in numbers."""
    assert (advisory_s(3600, 0.5), mandatory_s(3600)) == (600.0, 60.0)
    assert (advisory_s(10, 0.5), mandatory_s(10)) == (2.0, 0.5)
    assert (advisory_s(0, 0.5), mandatory_s(-3)) == (0.0, 0.0)


@given(st.integers(min_value=0, max_value=10_000), chances, st.none() | st.floats(min_value=0, max_value=1e7))
def test_backoff_is_bounded(failures: int, chance: float, asked_s: float | None) -> None:
    """Never longer than five minutes of its own or an hour if asked, never shorter than asked."""
    wait_s = backoff_s(failures, chance, asked_s)
    assert 0.0 <= wait_s <= max(300.0, min(asked_s or 0.0, 3600.0))
    assert wait_s >= min(asked_s or 0.0, 3600.0)


@given(st.integers(min_value=1, max_value=60))
def test_backoff_doubles_from_five_seconds(failures: int) -> None:
    """The bound of the jitter is 5 s, then twice as much each time, then 5 minutes."""
    assert backoff_s(failures, 1.0, None) == min(300.0, 5.0 * 2.0 ** (failures - 1))
    assert backoff_s(failures, 0.0, None) == 0.0


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_waiting_ends(left_s: float) -> None:
    """A stored instant is waited for if it lies in the next hour; a clock set back does not hold anybody longer."""
    row = TokenRow("a", next_attempt_at=NOW + timedelta(seconds=left_s))
    wait_s = waits_s(row, NOW)
    assert 0.0 <= wait_s <= 3600.0
    assert (wait_s > 0.0) == (0.0 < (row.next_attempt_at or NOW).timestamp() - NOW.timestamp() <= 3600.0)
    assert waits_s(TokenRow("a"), NOW) == 0.0


def test_health_grows_stale() -> None:
    """A fresh token past its refresh time is stale; other healths stay."""
    past = NOW - timedelta(seconds=1)
    assert health_of(TokenRow("a", health=Health.FRESH, refresh_at=NOW), NOW) is Health.STALE
    assert health_of(TokenRow("a", health=Health.FRESH, refresh_at=NOW), past) is Health.FRESH
    assert health_of(TokenRow("a", health=Health.BLOCKED, refresh_at=past), NOW) is Health.BLOCKED
    assert health_of(TokenRow("a"), NOW) is Health.UNKNOWN


def test_ten_years_are_enough() -> None:
    """A lifetime that no calendar holds is cut."""
    assert moment(NOW, 1e300) == NOW + timedelta(seconds=315_360_000)
