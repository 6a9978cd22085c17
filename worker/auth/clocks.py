"""What the keeper measures and draws with, so that tests can give their own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Clocks:
    """The wall clock, the elapsed clock in seconds, and chance in [0, 1]."""

    now: Callable[[], datetime]
    elapsed_s: Callable[[], float]
    chance: Callable[[], float]
