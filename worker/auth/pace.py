"""How long a token request may take, and everything that follows from it; seconds."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from worker.model.account import AccountOptions
from worker.wire.outgoing import Limits

DEADLINE_S = 30.0  # of a token request
# Whoever waits for a dead holder's lease must live to see its end: Keeper.token waits 60 s.
SPARE_S = 10.0  # a request is cut off well before its lease ends
LEASE_S = DEADLINE_S + SPARE_S


def token_limits(options: AccountOptions) -> Limits:
    """Returns the limits of the line that carries an account's token requests; a token's body is small."""
    return Limits(
        connect_s=min(options.connect_timeout, DEADLINE_S),
        read_s=min(options.read_timeout, DEADLINE_S),
        deadline_s=min(options.deadline, DEADLINE_S),
        max_body=1024**2,
    )


@dataclass(frozen=True)
class Pace:
    """The keeper's times, waiting and chance, so that tests can give their own.

    `lease_s` must be longer than the deadline of the keeper's line. `rescue_dir` is, by default, where the SQLite
    file is.
    """

    lease_s: float = LEASE_S
    patience_s: float = 5.0  # for the database after a good answer; then the rescue record is written
    rescue_dir: Path | None = None
    wait: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
