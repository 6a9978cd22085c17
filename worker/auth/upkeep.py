"""When a token that nobody asks for wants looking after (pure)."""

import hashlib
from datetime import datetime, timedelta

from worker.model.records import TokenRow

_SHARE = 0.2  # of a refresh token's life
_MOST = timedelta(days=7)


def sweep_due(row: TokenRow, now: datetime, life_s: float | None) -> bool:
    """Tells whether the refresh token should be used now, for it would lapse.

    That is a fifth of its life before its end, a week at most, at a point in there that differs from account to
    account and is the same in all processes. `life_s` is the life of every refresh token where that is known; one that
    was used since that point and did not move its end is left alone: using it more often would not help.
    """
    end, used = row.refresh_expires_at, row.refreshed_at
    if end is None or used is None or row.sealed is None:
        return False
    life = timedelta(seconds=life_s) if life_s else end - used
    due = end - min(life * _SHARE, _MOST) * (1.0 - 0.5 * _place(row.account, end))
    return used < due <= now < end


def _place(account: str, end: datetime) -> float:
    """Returns a number in [0, 1) that every process finds."""
    digest = hashlib.sha256(f"{account} {end.timestamp():.0f}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32
