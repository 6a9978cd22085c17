"""What the keeper holds in memory: one generation of a token, never changed, and what a caller asks of it."""

from dataclasses import dataclass
from datetime import datetime

from worker.auth.leases import Lease
from worker.auth.windows import mandatory_s
from worker.model.records import TokenRow
from worker.vault.secret import Secret


@dataclass(frozen=True)
class Token:
    """What to send as bearer; `expires_at` is None where the server did not say.

    `carrier` is the lease under which the one call is made whose answer may replace the token.
    """

    generation: int
    bearer: Secret
    expires_at: datetime | None
    carrier: Lease | None = None


@dataclass(frozen=True)
class Times:
    """The ends of a token's phases, in seconds of the elapsed clock, which no change of the wall clock moves."""

    refresh_s: float  # before: fresh; from here on one caller renews it
    mandatory_s: float  # from here on everybody waits for a newer one
    end_s: float


@dataclass
class Ask:
    """One caller's wish: a token, newer than the rejected generation if there is one, until an instant."""

    rejected: int | None
    asked_s: float  # elapsed clock
    until_s: float
    seen: int | None = None  # generation found in the store at the first look

    def bears(self, generation: int) -> bool:
        """Tells whether this generation was not rejected."""
        return self.rejected is None or generation > self.rejected


@dataclass(frozen=True)
class Snapshot:
    """One generation with its times; `came_s` tells when it came while somebody waited for it."""

    token: Token
    times: Times
    came_s: float = float("-inf")

    def satisfies(self, ask: Ask, now_s: float) -> bool:
        """Tells whether the caller needs no newer one: it is fresh, or it came after the caller had asked.

        The latter gives a token of no lifetime to all who waited for it, once, and never makes them loop.
        """
        newly = self.came_s >= ask.asked_s
        return ask.bears(self.token.generation) and (newly or now_s < self.times.refresh_s)

    def tides_over(self, ask: Ask, now_s: float) -> bool:
        """Tells whether the caller may go on with it while another one renews it."""
        return ask.bears(self.token.generation) and now_s < self.times.mandatory_s

    def outlasts(self, ask: Ask, now_s: float) -> bool:
        """Tells whether it is still good where no newer one can be had."""
        return ask.bears(self.token.generation) and now_s < self.times.end_s


def times_of(row: TokenRow, now: datetime, now_s: float) -> Times:
    """Returns a stored token's times by the elapsed clock, whose `now_s` is the wall clock's `now`."""
    if row.expires_at is None or row.issued_at is None:
        forever = float("inf")  # nobody knows; a rejection will tell
        return Times(forever, forever, forever)
    end_s = now_s + (row.expires_at - now).total_seconds()
    life_s = (row.expires_at - row.issued_at).total_seconds()
    refresh_s = now_s + ((row.refresh_at or row.expires_at) - now).total_seconds()
    return Times(refresh_s, end_s - mandatory_s(life_s), end_s)
