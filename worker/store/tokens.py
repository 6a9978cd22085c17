"""Table `tokens`: sealed tokens, and the lease by which one process at a time renews one.

Every write names the attempt it belongs to, so that whoever lost the lease changes nothing.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.model.records import Health, TokenRow
from worker.store.dialect import insert_new
from worker.store.tables import accounts, tokens

_COLUMNS = (*tokens.columns, accounts.c.health, accounts.c.reason)
_FROM = tokens.outerjoin(accounts, accounts.c.name == tokens.c.account)


@dataclass(frozen=True)
class Claim:
    """Who wants to renew which generation, and until when; times by the lease clock."""

    account: str
    generation: int
    doubted: int | None  # attempt id found in the row: of one whose answer may be lost
    attempt_id: int
    owner: str
    now: datetime
    until: datetime


@dataclass(frozen=True)
class NewToken:
    """A token to store, sealed; `generation` is its own, `started_from` the one that it replaces."""

    account: str
    attempt_id: int
    started_from: int
    generation: int
    sealed: bytes
    key_id: str
    issued_at: datetime
    expires_at: datetime | None
    refresh_at: datetime | None
    secret_fingerprint: str
    refresh_expires_at: datetime | None = None


@dataclass(frozen=True)
class Failure:
    """How an attempt ended without a token; `in_doubt` keeps its id, since the server may have acted."""

    account: str
    attempt_id: int
    failures: int
    next_attempt_at: datetime | None
    last_error: str
    secret_fingerprint: str
    in_doubt: bool = False


def load(connection: sa.Connection, account: str) -> TokenRow:
    """Returns an account's row with its health; generation 0 when there is none."""
    row = connection.execute(_query(account)).mappings().first()
    return _token_row(row) if row else TokenRow(account)


def locked(connection: sa.Connection, account: str) -> TokenRow:
    """Returns the same, locked until the transaction ends."""
    row = connection.execute(_query(account).with_for_update(of=tokens)).mappings().first()
    return _token_row(row) if row else TokenRow(account)


def _query(account: str) -> sa.Select[Any]:
    return sa.select(*_COLUMNS).select_from(_FROM).where(tokens.c.account == account)


def listing(connection: sa.Connection) -> list[TokenRow]:
    """Returns every row with its account's health, by name."""
    query = sa.select(*_COLUMNS).select_from(_FROM).order_by(tokens.c.account)
    return [_token_row(row) for row in connection.execute(query).mappings()]


def _token_row(row: sa.RowMapping) -> TokenRow:
    return TokenRow(**{**row, "health": Health(row["health"] or Health.UNKNOWN.value)})


def take_lease(connection: sa.Connection, claim: Claim) -> bool:
    """Takes the lease and notes the attempt, if the row still is what the claimant read and no lease is running."""
    insert_new(connection, tokens, [{"account": claim.account}])
    free = sa.or_(tokens.c.lease_until.is_(None), tokens.c.lease_until < claim.now)
    same = sa.and_(tokens.c.generation == claim.generation, tokens.c.attempt_id.is_not_distinct_from(claim.doubted))
    take = sa.update(tokens).where(tokens.c.account == claim.account, same, free)
    values = {"lease_owner": claim.owner, "lease_until": claim.until, "attempt_id": claim.attempt_id}
    return connection.execute(take.values(values)).rowcount == 1


def seize_lease(connection: sa.Connection, claim: Claim) -> bool:
    """Takes the lease from whoever has it, if the row still is of the generation that the claimant read."""
    seize = sa.update(tokens).where(tokens.c.account == claim.account, tokens.c.generation == claim.generation)
    values = {"lease_owner": claim.owner, "lease_until": claim.until, "attempt_id": claim.attempt_id}
    return connection.execute(seize.values(values)).rowcount == 1


def give_back(connection: sa.Connection, account: str, attempt_id: int, *, in_doubt: bool) -> None:
    """Ends a lease that was not needed; `in_doubt` keeps its attempt noted. Nothing where it was lost meanwhile."""
    over = {"lease_owner": None, "lease_until": None} | ({} if in_doubt else {"attempt_id": None})
    connection.execute(_mine(account, attempt_id).values(over))


def renew_lease(
    connection: sa.Connection, held: int, claim: Claim, sealed: bytes | None, key_id: str | None = None
) -> bool:
    """Makes `claim`, of the same holder, follow the attempt `held`; `sealed` replaces what is stored when given."""
    values = {"lease_until": claim.until, "attempt_id": claim.attempt_id}
    token = {"sealed": sealed, "key_id": key_id} if sealed else {}
    renew = _mine(claim.account, held).where(tokens.c.generation == claim.generation)
    return connection.execute(renew.values(values | token)).rowcount == 1


def save(connection: sa.Connection, new: NewToken) -> bool:
    """Stores a token and ends the lease; False, and nothing changed, where the lease was lost meanwhile.

    True also where this very token is stored already: a commit whose outcome was unknown.
    """
    values = asdict(new)
    del values["account"], values["attempt_id"], values["started_from"]
    over = {"lease_owner": None, "lease_until": None, "attempt_id": None}
    well = {"failures": 0, "next_attempt_at": None, "last_error": None, "refreshed_at": new.issued_at}
    store = _mine(new.account, new.attempt_id).where(tokens.c.generation == new.started_from)
    if connection.execute(store.values(values | over | well)).rowcount == 1:
        return True
    there = sa.select(tokens.c.generation, tokens.c.sealed).where(tokens.c.account == new.account)
    row = connection.execute(there).one_or_none()
    return row is not None and (row.generation, row.sealed) == (new.generation, new.sealed)


def release(connection: sa.Connection, failure: Failure) -> bool:
    """Ends the lease and records the failure for all processes; False where the lease was lost meanwhile."""
    values = asdict(failure)
    del values["account"], values["attempt_id"], values["in_doubt"]
    over = {"lease_owner": None, "lease_until": None} | ({} if failure.in_doubt else {"attempt_id": None})
    return connection.execute(_mine(failure.account, failure.attempt_id).values(values | over)).rowcount == 1


def reseal(connection: sa.Connection, row: TokenRow, sealed: bytes, key_id: str) -> bool:
    """Replaces what seals a row's token; False, and nothing changed, where the row has another token by now.

    The bytes themselves are compared too: within one generation a refresh token that proved dead is taken out.
    """
    same = sa.and_(tokens.c.generation == row.generation, tokens.c.key_id.is_not_distinct_from(row.key_id))
    change = sa.update(tokens).where(tokens.c.account == row.account, same, tokens.c.sealed == row.sealed)
    return connection.execute(change.values(sealed=sealed, key_id=key_id)).rowcount == 1


def under_way(connection: sa.Connection, now: datetime) -> dict[str, int | None]:
    """Returns account and attempt of every lease that runs at `now`, by the lease clock."""
    query = sa.select(tokens.c.account, tokens.c.attempt_id).where(tokens.c.lease_until >= now)
    return {row.account: row.attempt_id for row in connection.execute(query)}


def forget(connection: sa.Connection, account: str, attempt_id: int) -> bool:
    """Deletes the stored token and ends the lease; False where the lease was lost meanwhile.

    The generation stays, so that the next token follows it.
    """
    kept = {"account", "generation", "failures", "secret_fingerprint", "refreshed_at"}
    values = {column.name: None for column in tokens.columns if column.name not in kept}
    return connection.execute(_mine(account, attempt_id).values(values | {"failures": 0})).rowcount == 1


def adopt_secret(connection: sa.Connection, account: str, fingerprint: str) -> bool:
    """Begins a generation where the secret that goes along with each call is not the one known; tells whether it did.

    What else was stored of the account goes: a token of another grant, a wait, an attempt.
    """
    insert_new(connection, tokens, [{"account": account}])
    kept = {"account", "generation", "failures", "secret_fingerprint", "refreshed_at"}
    values = {column.name: None for column in tokens.columns if column.name not in kept}
    begun = {"generation": tokens.c.generation + 1, "failures": 0, "secret_fingerprint": fingerprint}
    other = tokens.c.secret_fingerprint.is_distinct_from(fingerprint)
    begin = sa.update(tokens).where(tokens.c.account == account, other)
    return connection.execute(begin.values(values | begun)).rowcount == 1


def unblock(connection: sa.Connection, account: str) -> bool:
    """Clears failures and the wait before the next try; False where no token was ever asked for."""
    clear = sa.update(tokens).where(tokens.c.account == account)
    return connection.execute(clear.values(failures=0, next_attempt_at=None, last_error=None)).rowcount == 1


def end_leases(connection: sa.Connection) -> None:
    """Ends every lease, for who knows that no holder is alive; the attempts stay noted, since they are in doubt."""
    held = sa.update(tokens).where(tokens.c.lease_until.is_not(None))
    connection.execute(held.values(lease_owner=None, lease_until=None))


def _mine(account: str, attempt_id: int) -> sa.Update:
    return sa.update(tokens).where(tokens.c.account == account, tokens.c.attempt_id == attempt_id)
