"""Table `accounts`: whether each account's credentials can be used, and why not."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from worker.model.moments import utc_now
from worker.model.records import Health
from worker.store.columns import Moment
from worker.store.dialect import insert_new, spelled
from worker.store.tables import accounts, tokens
from worker.store.tokens import locked, unblock


@dataclass(frozen=True)
class AccountState:
    """One row of `accounts`; `reason` says why the health is what it is, and what to do."""

    name: str
    health: Health
    reason: str | None
    changed_at: datetime
    paused_by: str | None = None
    paused_at: datetime | None = None
    paused_why: str | None = None


class Barred(NamedTuple):
    """The accounts under which no run is to begin."""

    unusable: frozenset[str]  # see `unusable`
    paused: frozenset[str]


_IS_PAUSED = accounts.c.paused_at.is_not(None)
_RESTED = sa.and_(
    accounts.c.health == Health.BLOCKED.value, tokens.c.next_attempt_at <= sa.bindparam("now", type_=Moment())
)
_IS_UNUSABLE = sa.and_(
    accounts.c.health.in_(spelled(health) for health in Health if not health.usable), _RESTED.is_not(sa.true())
)
_WITH_TOKENS = accounts.outerjoin(tokens, tokens.c.account == accounts.c.name)
_UNUSABLE = sa.select(accounts).select_from(_WITH_TOKENS).where(_IS_UNUSABLE).order_by(accounts.c.name)
_PAUSED = sa.select(accounts.c.name).where(_IS_PAUSED)
_BARRED = (
    sa.select(accounts.c.name, _IS_PAUSED.label("is_paused"), _IS_UNUSABLE.label("is_unusable"))
    .select_from(_WITH_TOKENS)
    .where(sa.or_(_IS_PAUSED, _IS_UNUSABLE))
)


def get(connection: sa.Connection, name: str) -> AccountState | None:
    """Returns an account's state, None when it never asked for a token."""
    row = connection.execute(sa.select(accounts).where(accounts.c.name == name)).mappings().first()
    return _state(row) if row else None


def set_health(connection: sa.Connection, name: str, health: Health, reason: str | None, now: datetime) -> None:
    """Records an account's health; `changed_at` moves only when health or reason does."""
    insert_new(connection, accounts, [{"name": name, "health": Health.UNKNOWN.value, "changed_at": now}])
    differs = sa.or_(accounts.c.health != health.value, accounts.c.reason.is_distinct_from(reason))
    change = sa.update(accounts).where(accounts.c.name == name, differs)
    connection.execute(change.values(health=health.value, reason=reason, changed_at=now))


def reset(connection: sa.Connection, name: str, now: datetime) -> Health:
    """Clears an account's block and backoff, so that its next use tries it again; returns the health there was.

    One whose token does not open stays as it is: no try would help.
    """
    row = locked(connection, name)
    if row.health is not Health.UNDECRYPTABLE and unblock(connection, name):
        set_health(connection, name, Health.FRESH if row.sealed else Health.UNKNOWN, None, now)
    return row.health


def pause(connection: sa.Connection, name: str, by: str, why: str | None, now: datetime) -> bool:
    """Pauses an account; False where it was paused: who did that and why stands."""
    insert_new(connection, accounts, [{"name": name, "health": Health.UNKNOWN.value, "changed_at": now}])
    change = sa.update(accounts).where(accounts.c.name == name, accounts.c.paused_at.is_(None))
    return connection.execute(change.values(paused_by=by, paused_at=now, paused_why=why)).rowcount == 1


def resume(connection: sa.Connection, name: str) -> bool:
    """Lets an account go on; False where it was not paused."""
    change = sa.update(accounts).where(accounts.c.name == name, accounts.c.paused_at.is_not(None))
    return connection.execute(change.values(paused_by=None, paused_at=None, paused_why=None)).rowcount == 1


def listing(connection: sa.Connection) -> list[AccountState]:
    """Returns every account that ever asked for a token, by name."""
    return [_state(row) for row in connection.execute(sa.select(accounts).order_by(accounts.c.name)).mappings()]


def unusable(connection: sa.Connection, now: datetime | None = None) -> dict[str, AccountState]:
    """Returns the accounts under which a job could only fail, by name.

    One that is blocked until an instant that has passed by `now` (default: the wall clock) is left out: its next job
    tries it again.
    """
    rows = connection.execute(_UNUSABLE, {"now": now or utc_now()}).mappings()
    return {row["name"]: _state(row) for row in rows}


def paused(connection: sa.Connection) -> frozenset[str]:
    """Returns the names of the accounts that somebody paused."""
    return frozenset(connection.scalars(_PAUSED))


def barred(connection: sa.Connection, now: datetime) -> Barred:
    """Returns the accounts that are unusable and those that are paused, asked for at once."""
    rows = connection.execute(_BARRED, {"now": now}).all()
    unusable = frozenset(row.name for row in rows if row.is_unusable)
    return Barred(unusable, frozenset(row.name for row in rows if row.is_paused))


def _state(row: sa.RowMapping) -> AccountState:
    return AccountState(**{**row, "health": Health(row["health"])})
