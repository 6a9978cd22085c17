"""Where an account's tokens came from and what became of them, out of the trail of calls."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.model.records import Purpose
from worker.store.tables import calls

_OF_JOBS = (Purpose.READ.value, Purpose.WRITE.value)


@dataclass(frozen=True)
class Origin:
    """The call whose answer brought a token."""

    call: int
    at: datetime
    purpose: Purpose
    method: str
    url: str
    status: int | None
    generation_used: int | None  # of the token that it renewed


@dataclass(frozen=True)
class Usage:
    """The calls of jobs that carried a token; `rejected_call` is the first that was turned away."""

    calls: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    rejected: int = 0
    rejected_call: int | None = None


@dataclass(frozen=True)
class Descent:
    """One generation of an account's token.

    `origin` is None where no call brought it: a person handed it over, it is a secret of the configuration, or the
    retention has pruned the call.
    """

    generation: int
    origin: Origin | None
    usage: Usage


def of_account(
    connection: sa.Connection, account: str, reject_statuses: Collection[int], limit: int = 50
) -> list[Descent]:
    """Returns the newest generations of an account, newest first."""
    origins = _origins(connection, account, limit)
    usages = _usages(connection, account, reject_statuses, limit)
    newest = sorted(origins.keys() | usages.keys(), reverse=True)[:limit]
    return [Descent(one, origins.get(one), usages.get(one, Usage())) for one in newest]


def _origins(connection: sa.Connection, account: str, limit: int) -> dict[int, Origin]:
    c = calls.c
    columns = c.generation_issued, c.id, c.at, c.purpose, c.method, c.url, c.status, c.generation_used
    query = sa.select(*columns).where(c.account == account, c.generation_issued.is_not(None))
    rows = connection.execute(query.order_by(c.generation_issued.desc()).limit(limit))
    return {issued: Origin(call, at, Purpose(why), *rest) for issued, call, at, why, *rest in rows}


def _usages(connection: sa.Connection, account: str, statuses: Collection[int], limit: int) -> dict[int, Usage]:
    c = calls.c
    turned_away = c.status.in_(sorted(statuses))
    figures = (
        sa.func.count(),
        sa.func.min(c.at),
        sa.func.max(c.at),
        sa.func.count(sa.case((turned_away, c.id))),
        sa.func.min(sa.case((turned_away, c.id))),
    )
    carried = sa.and_(c.account == account, c.generation_used.is_not(None), c.purpose.in_(_OF_JOBS))
    query = sa.select(c.generation_used, *figures).where(carried).group_by(c.generation_used)
    rows = connection.execute(query.order_by(c.generation_used.desc()).limit(limit))
    return {generation: Usage(*found) for generation, *found in rows}
