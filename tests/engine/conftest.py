"""A clock that is stepped by hand, and somebody who listens to it."""

from collections.abc import Iterator

import pytest

from tests.engine.listening import Hands, Listener
from worker.engine.clock import Clock


@pytest.fixture
def listener() -> Listener:
    """Somebody who listens."""
    return Listener()


@pytest.fixture
def hands() -> Hands:
    """A wall clock that a test turns."""
    return Hands()


@pytest.fixture
def clock(listener: Listener, hands: Hands) -> Iterator[Clock]:
    """A clock on the injected wall clock; stopped at the end whether it was started or not."""
    made = Clock(listener.on_due, listener.on_gap, listener.on_error, now=hands)
    yield made
    made.stop()
