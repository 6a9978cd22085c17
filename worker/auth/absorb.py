"""Tokens that an API hands back in its answers, kept as the next generation of the account's token.

Where an API takes the refresh token with each call and replaces it near its end, two calls must not race: the keeper
then hands the token out together with the lease, one call at a time, and the lease ends with that call.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from jobs.contract import Answer, BadAnswer, Json
from worker.auth.account import Account
from worker.auth.answer import Granted, usable_token
from worker.auth.clocks import Clocks
from worker.auth.gate import Gate
from worker.auth.leases import Lease, Leases
from worker.auth.refresh import Handed, Refresh
from worker.auth.snapshot import Snapshot, Token
from worker.model.errors import CallRefused, CallUnsent, CredentialError, StoreError
from worker.model.events import AccountWarned
from worker.model.listening import Events
from worker.vault.secret import Secret

_NEVER_LEFT = (CallUnsent, CallRefused, StoreError)


class Absorbing:
    """Keeps what one account's answers bring."""

    def __init__(
        self, account: Account, leases: Leases, gate: Gate, refresh: Refresh, events: Events, clocks: Clocks
    ) -> None:
        self._account = account
        self._leases = leases
        self._gate = gate
        self._refresh = refresh
        self._events = events
        self.clocks = clocks
        self._of_refresh = account.options.bearer == "refresh_token"

    def absorb(self, token: Token, handed: Handed) -> Snapshot | None:
        """Returns the token that came in the answer to a call with `token`, once it is kept.

        None where a newer generation is stored already, or where somebody else is renewing an access token. A refresh
        token that was handed over has ended the old one: it is kept even then.
        """
        try:
            lease = token.carrier or self._lease(token)
            if lease is None:
                return None
            return self._refresh.adopt(lease, handed, token.generation, self._gate.opened(lease.row))
        except (CredentialError, StoreError) as error:
            self._events.emit(AccountWarned(self._account.name, f"a token that an answer brought is lost: {error}"))
            return None

    def _lease(self, token: Token) -> Lease | None:
        row = self._leases.row()
        if row.generation != token.generation:
            return None
        return self._leases.seize(row) if self._of_refresh else self._leases.take(row, lambda _row: None)

    def granted(self, answer: Answer, token: Token) -> Granted | None:
        """Returns the new token in an answer, None where there is none."""
        new = self._found(answer)
        if new is None or new == token.bearer:
            return None
        return Granted(new, new) if self._of_refresh else Granted(new)

    def _found(self, answer: Answer) -> Secret | None:
        options = self._account.options.new_token
        text: Json = answer.headers.get(options.header.lower()) if options.header else None
        if not text and options.field:
            text = _inside(answer, options.field)
        return usable_token(text) if isinstance(text, str) else None

    def give_back(self, lease: Lease, error: BaseException | None) -> None:
        """Ends the lease of a call that brought no token; one that may have been acted upon stays in doubt."""
        doubt = error is not None and not isinstance(error, _NEVER_LEFT)
        self._leases.give_back(lease, in_doubt=doubt)


class Arrival(Protocol):
    """Is told of the answer to one call."""

    def arrived(self, answer: Answer) -> None:
        """Absorbs the new token that the answer brings, if it does."""


class Carriage:
    """One call's way with a token: watches for the answer, and ends the lease that the token came with."""

    def __init__(self, absorbing: Absorbing, token: Token, keep: Callable[[Snapshot], None]) -> None:
        self._absorbing = absorbing
        self._token = token
        self._keep = keep
        self._at, self._at_s = absorbing.clocks.now(), absorbing.clocks.elapsed_s()
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token.carrier is not None and not self._over:
            self._absorbing.give_back(self._token.carrier, error)

    def arrived(self, answer: Answer) -> None:
        """Absorbs the new token that the answer brings, if it does."""
        granted = self._absorbing.granted(answer, self._token)
        if granted is None:
            return
        self._over = True
        handed = Handed(granted, "answer", self._at, self._at_s, answer.call_id)
        kept = self._absorbing.absorb(self._token, handed)
        if kept is not None:
            self._keep(kept)


class _Plain:
    """The way of a call whose answers bring no token."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def arrived(self, _answer: Answer) -> None:
        """Does nothing."""


PLAIN = _Plain()


def _inside(answer: Answer, way: tuple[str, ...]) -> Json:
    """Returns what a JSON body holds at the end of a way of keys, None where it does not lead so far."""
    try:
        found = answer.json()
    except BadAnswer:
        return None
    for key in way:
        found = found.get(key) if isinstance(found, dict) else None
    return found
