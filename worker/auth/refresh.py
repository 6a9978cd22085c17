"""Token requests under a lease, one after another, until there is a token or a reason why not."""

from dataclasses import dataclass, replace
from datetime import datetime

from worker.auth.account import Account
from worker.auth.answer import Granted
from worker.auth.clocks import Clocks
from worker.auth.endpoint import Outcome, TokenEndpoint
from worker.auth.failing import Failing
from worker.auth.grants import Grant, RefreshGrant, Verdict, login_grant
from worker.auth.leases import Lease, Leases
from worker.auth.sealing import Pair, Seals, key_of
from worker.auth.snapshot import Snapshot, Times, Token
from worker.auth.windows import advisory_s, mandatory_s, moment
from worker.model.events import AccountRecovered, AccountWarned, Events, TokenRefreshed
from worker.model.records import Health
from worker.store.tokens import NewToken

MOST_SKEW_S = 30.0  # between our clock and the server's, before somebody should look


@dataclass(frozen=True)
class _Won:
    """A token that came: who asked how, and the instant before the request was sent, from which its life is counted."""

    lease: Lease
    grant: Grant
    pair: Pair
    generation: int
    at: datetime
    at_s: float  # elapsed clock
    life_s: float


class Refresh:
    """Renews one account's token; whoever calls it holds the lease."""

    def __init__(
        self,
        account: Account,
        endpoint: TokenEndpoint,
        leases: Leases,
        seals: Seals,
        events: Events,
        clocks: Clocks,
    ) -> None:
        self._account = account
        self._endpoint = endpoint
        self._leases = leases
        self._seals = seals
        self._events = events
        self._clocks = clocks
        self._warned_of_skew = False
        self._failing = Failing(account.name, leases, seals, events, clocks)

    def run(self, lease: Lease, pair: Pair | None, newer_than: int) -> Snapshot | None:
        """Returns the new token, its generation above `newer_than`, or None where the lease was lost meanwhile.

        The refresh token goes first. One that proves dead costs one login; an answer that was lost, one repetition,
        which tells whether the server had acted. Raises TokenUnavailable, AccountBlocked or NeedsLogin.
        """
        held: Lease | None = lease
        grant = self._first_grant(pair)
        repeated, why = False, "nothing is stored to renew, and the secret to log in with is missing"
        while grant is not None and held is not None:
            at, at_s = self._clocks.now(), self._clocks.elapsed_s()
            outcome = self._endpoint.ask(grant, held.row.generation)
            result = outcome.result
            if isinstance(result, Granted):
                life_s = self._account.options.token_lifetime if result.expires_in_s is None else result.expires_in_s
                won = _Won(held, grant, _joined(result, pair), newer_than + 1, at, at_s, life_s)
                return self._kept(won, outcome)
            if result.verdict is Verdict.DEAD:
                pair, grant, why = pair and pair.spent(), login_grant(self._account), result.message
            elif outcome.unanswered and not repeated:
                held, repeated = replace(held, doubted=True), True
            else:
                raise self._failing.refused(held, result)
            held = self._leases.renew(held, self._seals.seal(pair, held.row.generation) if pair else None)
        if held is not None:
            raise self._failing.needs_login(held, f"rotation_in_doubt: {why}" if held.doubted else why)
        return None

    def _first_grant(self, pair: Pair | None) -> Grant | None:
        if pair and pair.refresh:
            return RefreshGrant(pair.refresh, self._account.options.scope)
        return login_grant(self._account)

    def _kept(self, won: _Won, outcome: Outcome) -> Snapshot | None:
        """Stores the token and returns it, also when the database is away; None where the lease was lost."""
        refresh_in_s = won.life_s - advisory_s(won.life_s, self._clocks.chance())
        sealed = self._seals.seal(won.pair, won.generation)
        new = NewToken(
            account=self._account.name,
            attempt_id=won.lease.attempt_id,
            started_from=won.lease.row.generation,
            generation=won.generation,
            sealed=sealed,
            key_id=key_of(sealed),
            issued_at=won.at,
            expires_at=moment(won.at, won.life_s),
            refresh_at=moment(won.at, refresh_in_s),
            secret_fingerprint=self._seals.fingerprint,
        )
        stored = self._leases.save(new, outcome.call_id)
        if stored is False:
            return None
        if stored is None:
            self._warn(f"a new token could not be stored yet; it is {self._leases.rescue(new)}")
        self._tell(won, outcome)
        end_s = won.at_s + won.life_s
        times = Times(won.at_s + refresh_in_s, end_s - mandatory_s(won.life_s), end_s)
        token = Token(won.generation, won.pair.access, new.expires_at)
        return Snapshot(token, times, came_s=self._clocks.elapsed_s())

    def _tell(self, won: _Won, outcome: Outcome) -> None:
        name = self._account.name
        self._events.emit(
            TokenRefreshed(name, won.generation, won.grant.name, expires_in_s=won.life_s, call=outcome.call_id)
        )
        if won.lease.row.health not in (Health.UNKNOWN, Health.FRESH, Health.STALE):
            self._events.emit(AccountRecovered(name))
        wanted, given = set(self._account.options.scope.split()), set(won.pair.scope.split())
        if given and wanted - given:
            self._warn(f"the server granted less than was asked for; missing: {' '.join(sorted(wanted - given))}")
        if abs(outcome.skew_s) > MOST_SKEW_S and not self._warned_of_skew:
            self._warned_of_skew = True
            self._warn(f"the token server's clock is {outcome.skew_s:+.0f} s from ours; set this machine's clock")

    def _warn(self, warning: str) -> None:
        self._events.emit(AccountWarned(self._account.name, warning))


def _joined(granted: Granted, pair: Pair | None) -> Pair:
    """Returns what to keep: an answer without refresh token or scope leaves the old one (RFC 6749 section 6)."""
    new = Pair(granted.access, granted.refresh, granted.scope or "")
    if pair is None:
        return new
    return replace(new, refresh=new.refresh or pair.refresh, scope=new.scope or pair.scope)
