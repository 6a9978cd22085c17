"""An account's credential as its callers see it, whether it is renewed or stays as it was given."""

from contextlib import AbstractContextManager
from typing import Protocol

from worker.auth.absorb import Arrival
from worker.auth.snapshot import Token
from worker.model.records import Health, TokenRow
from worker.wire.outgoing import About


class Credential(Protocol):
    """Safe for any number of threads; `Keeper` and `StaticKeeper` are the two there are."""

    def start(self) -> None:
        """Takes up what an earlier process left; raises StoreUnreachable."""

    def token(self, rejected: int | None = None, deadline_s: float = 60.0) -> Token:
        """Returns what to send, newer than the generation that the API rejected where one is given."""

    def carrying(self, token: Token) -> AbstractContextManager[Arrival]:
        """Returns the context of one call with `token`, which is told of the answer."""

    def vouches(self, token: Token, about: About) -> bool:
        """Tells whether a token that the API turned away is good all the same, as far as somebody can be asked."""

    def notice(self, row: TokenRow) -> None:
        """Sees what other processes did."""

    def attend(self, row: TokenRow) -> None:
        """Looks after what nobody asks for just now."""

    def health(self) -> Health:
        """Returns the account's health as stored; no network."""
