"""What a refusal means for the account."""

from enum import StrEnum


class Verdict(StrEnum):
    """What becomes of an account after a token request that brought no token."""

    TRANSIENT = "transient"  # tried again by itself, with backoff
    CONFIGURATION = "configuration"  # blocked; tried again when secrets or options change, or after an hour
    REFUSED = "refused"  # blocked at once until the secret changes: another try may lock the user out
    DEAD = "dead"  # the refresh token is spent, revoked or expired: one new login
