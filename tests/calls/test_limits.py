"""Turns: never more than the limit, in order, and none during a pause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.calls.limits import Limiter, TooLong
from worker.model.values import RateLimit


class Clock:
    """Moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Returns the time."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds


@given(
    st.integers(1, 200),
    st.sampled_from([1.0, 60.0, 3600.0]),
    st.lists(st.floats(0.0, 100.0), min_size=1, max_size=300),
)
def test_no_span_holds_more_calls_than_the_limit(calls: int, per_s: float, quiet: list[float]) -> None:
    """Whatever the quiet times between, any span of the limit's length holds at most so many calls."""
    clock = Clock()
    limiter = Limiter(RateLimit(calls=calls, per_s=per_s), clock)
    left = []
    for pause in quiet:
        clock.wait(pause)
        limiter.take(clock.wait, float("inf"))
        left.append(clock.now)
    for first, then in zip(left, left[calls:], strict=False):
        assert then - first >= per_s * (1 - 1e-9)


def test_full_use_comes_close_to_the_limit() -> None:
    """Who calls without end gets the limit, not much less."""
    clock = Clock()
    limiter = Limiter(RateLimit(calls=100, per_s=60.0), clock)
    for _ in range(1000):
        limiter.take(clock.wait, float("inf"))
    assert 600.0 * 0.95 <= clock.now - 1000.0 <= 600.0 * 1.05


def test_burst_leaves_at_once_after_a_quiet_while() -> None:
    """A few calls need not wait for each other."""
    clock = Clock()
    limiter = Limiter(RateLimit(calls=100, per_s=60.0), clock)
    for _ in range(5):
        limiter.take(clock.wait, float("inf"))
    assert clock.now == 1000.0
    limiter.take(clock.wait, float("inf"))
    assert clock.now > 1000.0


def test_without_a_limit_nobody_waits() -> None:
    """An account without a rate is only ever paused."""
    clock = Clock()
    limiter = Limiter(None, clock)
    for _ in range(1000):
        limiter.take(clock.wait, 0.0)
    assert clock.now == 1000.0


def test_wait_over_the_limit_reserves_nothing() -> None:
    """Who cannot wait that long is told how long it would be, and holds up nobody."""
    clock = Clock()
    limiter = Limiter(RateLimit(calls=1, per_s=60.0), clock)
    limiter.take(clock.wait, 0.0)
    for _ in range(3):
        with pytest.raises(TooLong) as caught:
            limiter.take(clock.wait, 10.0)
        assert caught.value.wait_s == 60.0
    limiter.take(clock.wait, 60.0)
    assert clock.now == 1060.0


@pytest.mark.parametrize("rate", [None, RateLimit(calls=600, per_s=60.0)])
def test_pause_holds_everybody(rate: RateLimit | None) -> None:
    """One caller's 429 holds the others back; the longest pause counts."""
    clock = Clock()
    limiter = Limiter(rate, clock)
    limiter.pause(30.0)
    limiter.pause(5.0)
    with pytest.raises(TooLong):
        limiter.take(clock.wait, 29.0)
    limiter.take(clock.wait, 31.0)
    assert clock.now == 1030.0


def test_pause_that_begins_while_one_waits_holds_it_too() -> None:
    """A turn that lies in a pause is given up for a later one."""
    clock = Clock()
    limiter = Limiter(RateLimit(calls=1, per_s=10.0), clock)
    limiter.take(clock.wait, 0.0)

    def wait(seconds: float) -> None:
        if clock.now == 1000.0:
            limiter.pause(50.0)
        clock.wait(seconds)

    limiter.take(wait, float("inf"))
    assert clock.now >= 1050.0
