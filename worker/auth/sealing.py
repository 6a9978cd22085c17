"""Tokens to sealed bytes and back: access and refresh token of an account in one JSON."""

from dataclasses import dataclass, replace

import orjson

from worker.auth.account import Account
from worker.model.errors import SealBroken, TokenUndecryptable
from worker.model.records import TokenRow
from worker.vault.cipher import Cipher, kid_of
from worker.vault.secret import Secret

_TABLE = "tokens"


@dataclass(frozen=True)
class Pair:
    """An access token, the refresh token that renews it, and the scope the server gave."""

    access: Secret
    refresh: Secret | None
    scope: str = ""
    given: str = ""  # fingerprint of the configured refresh token that it descends from

    def bearer(self, kind: str) -> Secret:
        """Returns what is sent with each call: the access token, or where the API wants that, the refresh token."""
        return self.refresh if kind == "refresh_token" and self.refresh else self.access

    def spent(self) -> "Pair":
        """Returns the pair without its refresh token, once that is known to be dead."""
        return replace(self, refresh=None)


class Seals:
    """Seals one account's tokens, bound to its name, the generation and the identity they were given to."""

    def __init__(self, account: Account, cipher: Cipher) -> None:
        self._account = account.name
        self._cipher = cipher
        self._identity = cipher.fingerprint(*account.identity())
        self.given = cipher.fingerprint(account.refresh_token) if account.refresh_token else ""
        self.fingerprint = cipher.fingerprint(*account.identity(), *account.proof())

    def seal(self, pair: Pair, generation: int) -> bytes:
        """Returns the sealed pair."""
        plain = orjson.dumps(
            {
                "access": pair.access.reveal(),
                "refresh": pair.refresh.reveal() if pair.refresh else None,
                "scope": pair.scope,
                "given": pair.given,
                "identity": self._identity,
            }
        )
        return self._cipher.seal(plain, table=_TABLE, record=self._account, generation=generation)

    def open(self, row: TokenRow) -> Pair | None:
        """Returns a row's tokens, None where it has none or another identity's; raises TokenUndecryptable."""
        if row.sealed is None:
            return None
        try:
            plain = self._cipher.open(row.sealed, table=_TABLE, record=row.account, generation=row.generation)
        except SealBroken as error:
            raise TokenUndecryptable(f"account {row.account}: {error}", row.account) from None
        stored = orjson.loads(plain)
        if stored["identity"] != self._identity:
            return None
        refresh = stored["refresh"]
        return Pair(Secret(stored["access"]), Secret(refresh) if refresh else None, stored["scope"], stored["given"])


def key_of(sealed: bytes) -> str:
    """Returns the id of the key that sealed bytes need."""
    return kid_of(sealed)
