"""When a token is renewed and how long a failure keeps everybody waiting (pure).

Advisory is a fifth of the token's life, at most 10 minutes, spread by a tenth either way; mandatory a twentieth, at
most a minute. The lower bounds of the research (10 s and 2 s) are left out: they would bind only for lives under 50 s,
where they would make a token of 10 s refresh on every call.
"""

from datetime import datetime, timedelta

from worker.model.records import Health, TokenRow

ADVISORY_SHARE, ADVISORY_MOST_S = 0.20, 600.0
MANDATORY_SHARE, MANDATORY_MOST_S = 0.05, 60.0
SPREAD = 0.10  # of the advisory window, so that accounts that logged in together do not refresh together
FIRST_BACKOFF_S, MOST_BACKOFF_S = 5.0, 300.0
MOST_WAIT_S = 3600.0  # of a Retry-After; also how long a refused configuration rests


def advisory_s(life_s: float, chance: float) -> float:
    """Returns how many seconds before its end one caller renews a token; `chance` in [0, 1] places it in the spread."""
    factor = 1.0 + SPREAD * (2.0 * chance - 1.0)
    return min(ADVISORY_SHARE * max(life_s, 0.0), ADVISORY_MOST_S) * factor


def mandatory_s(life_s: float) -> float:
    """Returns how many seconds before its end a token is given to nobody while a newer one can be had."""
    return min(MANDATORY_SHARE * max(life_s, 0.0), MANDATORY_MOST_S)


def backoff_s(failures: int, chance: float, asked_s: float | None) -> float:
    """Returns how long to wait after so many failures in a row, with full jitter.

    `chance` in [0, 1] places it between nothing and the bound; a Retry-After of `asked_s` is waited for, an hour
    at most.
    """
    bound = min(MOST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(max(failures, 1) - 1, 16))
    return max(chance * bound, min(asked_s or 0.0, MOST_WAIT_S))


def waits_s(row: TokenRow, now: datetime) -> float:
    """Returns how long the row asks everybody to leave the token endpoint alone.

    More than an hour was never asked for: the wall clock was set back, and the wait is over.
    """
    left = (row.next_attempt_at - now).total_seconds() if row.next_attempt_at else 0.0
    return left if 0.0 < left <= MOST_WAIT_S else 0.0


def health_of(row: TokenRow, now: datetime) -> Health:
    """Returns the account's health as of `now`: what is stored, and stale once its refresh time has passed."""
    if row.health is Health.FRESH and row.refresh_at is not None and now >= row.refresh_at:
        return Health.STALE
    return row.health


def moment(base: datetime, after_s: float) -> datetime:
    """Returns the instant so many seconds later, at most ten years."""
    return base + timedelta(seconds=min(after_s, 315_360_000.0))
