"""Token requests under a lease, one after another, until there is a token or a reason why not."""

from dataclasses import dataclass, replace
from datetime import datetime

from worker.auth.account import Account
from worker.auth.answer import Granted, Refusal
from worker.auth.clocks import Clocks
from worker.auth.endpoint import TokenEndpoint
from worker.auth.failing import Failing
from worker.auth.grants import Grant, RefreshGrant, Verdict, login_grant
from worker.auth.leases import Lease, Leases
from worker.auth.sealing import Pair, Seals, key_of
from worker.auth.snapshot import Snapshot, Times, Token
from worker.auth.windows import advisory_s, mandatory_s, moment
from worker.model.events import AccountRecovered, AccountWarned, TokenRefreshed
from worker.model.listening import Events
from worker.model.records import Health
from worker.store.tokens import NewToken

FOREVER_S = float("inf")
_WORTH_S = 60.0  # of life that a second look must add
MOST_SKEW_S = 30.0  # between our clock and the server's, before somebody should look


@dataclass(frozen=True)
class Handed:
    """A token that came: by which grant, and the instant before it was asked for, from which its life is counted."""

    granted: Granted
    how: str
    at: datetime
    at_s: float  # elapsed clock
    call_id: int | None = None


@dataclass(frozen=True)
class _Won:
    """A token to keep, and what it follows; `life_s` is None where nobody knows."""

    lease: Lease
    handed: Handed
    pair: Pair
    generation: int
    life_s: float | None
    refresh_expires_at: datetime | None


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
        self._failing = Failing(account, leases, seals, events, clocks)

    def run(self, lease: Lease, pair: Pair | None, newer_than: int) -> Snapshot | None:
        """Returns the new token, its generation above `newer_than`, or None where the lease was lost meanwhile.

        The refresh token goes first. One that proves dead costs one login; an answer that was lost, one repetition,
        which tells whether the server had acted. Raises TokenUnavailable, AccountBlocked or NeedsLogin.
        """
        held: Lease | None = lease
        grant = self._first_grant(pair)
        repeated, why = False, self._why_no_grant(pair)
        while grant is not None and held is not None:
            at, at_s = self._clocks.now(), self._clocks.elapsed_s()
            outcome = self._endpoint.ask(grant, held.row.generation)
            result = outcome.result
            if isinstance(result, Granted):
                handed = Handed(result, grant.name, at, at_s, outcome.call_id)
                won = self._won(held, handed, self._renewed(grant, pair), newer_than + 1)
                return self._kept(won, outcome.skew_s)
            if result.verdict is Verdict.DEAD:
                pair, grant, why = pair and pair.spent(), self._login(pair, tried=grant), result.message
            elif outcome.unanswered and not repeated:
                held, repeated = replace(held, doubted=True), True
            else:
                raise self._failing.refused(held, result)
            held = self._leases.renew(held, self._seals.seal(pair, held.row.generation) if pair else None)
        return None if held is None else self._second_look(held, pair, newer_than, why)

    def _why_no_grant(self, pair: Pair | None) -> str:
        if not self._account.options.needs_person:
            return "nothing is stored to renew, and the secret to log in with is missing"
        return "nothing renews its token" if pair else "nobody has logged in yet"

    def _second_look(self, lease: Lease, pair: Pair | None, newer_than: int, why: str) -> Snapshot | None:
        """Asks the server whether a token that nothing renews is good after all, before a person is called.

        One that lives longer than was known is kept on. Raises TokenUnavailable, NeedsLogin.
        """
        row, at = lease.row, self._clocks.now()
        validator = self._endpoint.validator
        if pair is not None and validator.configured:
            opinion = validator.check(Token(row.generation, pair.access, row.expires_at))
            if opinion.gains_s(row.expires_at) > _WORTH_S:
                granted = Granted(pair.access, None, opinion.left_s(at))
                handed = Handed(granted, "validated", at, self._clocks.elapsed_s(), opinion.call_id)
                return self._kept(self._won(lease, handed, pair, newer_than + 1))
            if opinion.good and (row.refresh_at is None or at < row.refresh_at):
                raise self._failing.refused(lease, Refusal(Verdict.TRANSIENT, f"{why}, yet {opinion.why}"))
        raise self._failing.needs_login(lease, f"rotation_in_doubt: {why}" if lease.doubted else why)

    def adopt(self, lease: Lease, handed: Handed, newer_than: int, old: Pair | None = None) -> Snapshot | None:
        """Returns a token that a person's login or an API's answer brought, once it is kept like any other.

        What it lacks is taken from the `old` one. None where the lease was lost meanwhile.
        """
        return self._kept(self._won(lease, handed, old, newer_than + 1))

    def _won(self, lease: Lease, handed: Handed, old: Pair | None, generation: int) -> _Won:
        pair = _joined(handed.granted, old)
        end = refresh_end(handed, old, lease.row.refresh_expires_at, self._account.options.refresh_lifetime)
        return _Won(lease, handed, pair, generation, self._life_s(handed.granted), end if pair.refresh else None)

    def _life_s(self, granted: Granted) -> float | None:
        """Returns a token's life; one that a person pasted may live for a year, so there no default is assumed."""
        options = self._account.options
        if granted.expires_in_s is not None:
            return granted.expires_in_s
        assumed = options.grant != "token" or "token_lifetime" in options.model_fields_set
        return options.token_lifetime if assumed else None

    def _first_grant(self, pair: Pair | None) -> Grant | None:
        if pair and pair.refresh:
            return RefreshGrant(pair.refresh, self._scope_of(pair))
        return self._login(pair)

    def _scope_of(self, pair: Pair) -> str:
        """Returns the scope to renew with: none, which asks for the same, where less was granted than configured.

        RFC 6749 section 6: a scope that was never granted must not be asked for.
        """
        wanted = self._account.options.scope
        return "" if pair.scope and set(wanted.split()) - set(pair.scope.split()) else wanted

    def _login(self, pair: Pair | None, tried: Grant | None = None) -> Grant | None:
        """Returns how the account logs in by itself; a refresh token that a person gave is good for one time."""
        grant = login_grant(self._account, self._endpoint.url)
        if isinstance(grant, RefreshGrant) and (grant == tried or (pair and pair.given == self._seals.given)):
            return None
        return grant

    def _renewed(self, grant: Grant, pair: Pair | None) -> Pair | None:
        """Returns the tokens that a grant renews: the stored ones, or those of which a person gave the half."""
        if isinstance(grant, RefreshGrant) and grant.configured:
            return Pair(grant.refresh_token, grant.refresh_token, given=self._seals.given)
        return pair

    def _kept(self, won: _Won, skew_s: float = 0.0) -> Snapshot | None:
        """Stores the token and returns it, also when the database is away; None where the lease was lost."""
        life_s = FOREVER_S if won.life_s is None else won.life_s
        refresh_in_s = life_s - self._window_s(life_s, won.pair)
        handed, known = won.handed, won.life_s is not None
        sealed = self._seals.seal(won.pair, won.generation)
        new = NewToken(
            account=self._account.name,
            attempt_id=won.lease.attempt_id,
            started_from=won.lease.row.generation,
            generation=won.generation,
            sealed=sealed,
            key_id=key_of(sealed),
            issued_at=handed.at,
            expires_at=moment(handed.at, life_s) if known else None,
            refresh_at=moment(handed.at, refresh_in_s) if known else None,
            secret_fingerprint=self._seals.fingerprint,
            refresh_expires_at=won.refresh_expires_at,
        )
        stored = self._leases.save(new, handed.call_id)
        if stored is False:
            return None
        if stored is None:
            self._warn(f"a new token could not be stored yet; it is {self._leases.rescue(new)}")
        self._tell(won, skew_s)
        end_s = handed.at_s + life_s
        times = Times(handed.at_s + refresh_in_s, end_s - mandatory_s(life_s), end_s)
        token = Token(won.generation, won.pair.bearer(self._account.options.bearer), new.expires_at)
        return Snapshot(token, times, came_s=self._clocks.elapsed_s())

    def _window_s(self, life_s: float, pair: Pair) -> float:
        """Returns how long before its end a token is renewed; late where only a person could do it."""
        renewable = pair.refresh is not None or login_grant(self._account, self._endpoint.url) is not None
        return advisory_s(life_s, self._clocks.chance()) if renewable else mandatory_s(life_s)

    def _tell(self, won: _Won, skew_s: float) -> None:
        name, handed = self._account.name, won.handed
        self._events.emit(
            TokenRefreshed(name, won.generation, handed.how, expires_in_s=won.life_s, call=handed.call_id)
        )
        if won.lease.row.health not in (Health.UNKNOWN, Health.FRESH, Health.STALE):
            self._events.emit(AccountRecovered(name))
        wanted, given = set(self._account.options.scope.split()), set(won.pair.scope.split())
        if given and wanted - given:
            self._warn(f"the server granted less than was asked for; missing: {' '.join(sorted(wanted - given))}")
        if abs(skew_s) > MOST_SKEW_S and not self._warned_of_skew:
            self._warned_of_skew = True
            self._warn(f"the token server's clock is {skew_s:+.0f} s from ours; set this machine's clock")

    def _warn(self, warning: str) -> None:
        self._events.emit(AccountWarned(self._account.name, warning))


def _joined(granted: Granted, pair: Pair | None) -> Pair:
    """Returns what to keep: an answer without refresh token or scope leaves the old one (RFC 6749 section 6)."""
    new = Pair(granted.access, granted.refresh, granted.scope or "")
    if pair is None:
        return new
    return replace(new, refresh=new.refresh or pair.refresh, scope=new.scope or pair.scope, given=pair.given)


def refresh_end(handed: Handed, old: Pair | None, known: datetime | None, assumed_s: float | None) -> datetime | None:
    """Returns when the refresh token lapses, as far as somebody says so.

    `known` is the end of the `old` one, which an answer without a new refresh token does not move; `assumed_s` is the
    life of a new one where the answer does not tell. An answer's 0 means that it does not lapse.
    """
    granted = handed.granted
    if granted.refresh_expires_in_s is not None:
        return moment(handed.at, granted.refresh_expires_in_s) if granted.refresh_expires_in_s else None
    if granted.refresh is None or (old is not None and granted.refresh == old.refresh):
        return known
    return moment(handed.at, assumed_s) if assumed_s else None
