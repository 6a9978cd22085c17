"""The trail: one row for each HTTP request, opened before it is sent and closed when its outcome is known."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from worker.model.records import Call, Purpose
from worker.store.dialect import Insert, insert_into
from worker.store.tables import calls

_OUTCOME = ("status", "ms", "bytes_in", "bytes_out", "error")
_SET_ISSUED = (
    sa.update(calls).where(calls.c.id == sa.bindparam("call_id")).values(generation_issued=sa.bindparam("generation"))
)


@dataclass(frozen=True)
class CallStats:
    """How many calls of one account, purpose and status there are; `status` is None where no answer came."""

    account: str
    purpose: Purpose
    status: int | None
    calls: int
    mean_ms: float | None
    bytes_in: int


def record(connection: sa.Connection, rows: Sequence[Call]) -> None:
    """Stores calls as they stand, by id; one without an outcome never replaces one that has it."""
    connection.execute(_upsert(connection.dialect.name), [_row(call) for call in rows])


@cache
def _upsert(dialect: str) -> Insert:
    """Returns the statement, kept: to build it anew costs ten times what it costs to run it."""
    insert = insert_into(calls, dialect)
    fresh = {name: insert.excluded[name] for name in _OUTCOME}  # all else stands since the opening, and in indexes
    return insert.on_conflict_do_update(index_elements=["id"], set_=fresh, where=insert.excluded.ms.is_not(None))


def set_issued(connection: sa.Connection, call_id: int, generation: int) -> None:
    """Notes which generation of a token the call brought."""
    connection.execute(_SET_ISSUED, {"call_id": call_id, "generation": generation})


def abandon(connection: sa.Connection, living: Collection[int]) -> None:
    """Closes the calls of processes that died before the outcome was known: their answer never came."""
    error = "no answer was recorded: the process that sent it died"
    lost = sa.and_(calls.c.ms.is_(None), calls.c.error.is_(None), calls.c.node_id.not_in(living))
    connection.execute(sa.update(calls).where(lost).values(error=error))


def listing(
    connection: sa.Connection,
    run_id: int | None = None,
    account: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[Call]:
    """Returns calls, newest first, of a run, an account or all; `before` is the id where the last page ended."""
    statement = sa.select(calls).order_by(calls.c.id.desc()).limit(limit)
    if run_id is not None:
        statement = statement.where(calls.c.run_id == run_id)
    if account is not None:
        statement = statement.where(calls.c.account == account)
    if before is not None:
        statement = statement.where(calls.c.id < before)
    return [_call(row) for row in connection.execute(statement).mappings()]


def stats(connection: sa.Connection) -> list[CallStats]:
    """Returns the calls by account, purpose and status; reads the whole trail."""
    keys = (calls.c.account, calls.c.purpose, calls.c.status)
    figures = (sa.func.count(), sa.func.avg(calls.c.ms), sa.func.coalesce(sa.func.sum(calls.c.bytes_in), 0))
    rows = connection.execute(sa.select(*keys, *figures).group_by(*keys).order_by(*keys))
    return [
        CallStats(account, Purpose(purpose), status, number, mean, int(bytes_in))
        for account, purpose, status, number, mean, bytes_in in rows
    ]


def _row(call: Call) -> dict[str, Any]:
    return {**vars(call), "purpose": call.purpose.value}  # drivers differ in what they make of an enum


def _call(row: sa.RowMapping) -> Call:
    return Call(**{**row, "purpose": Purpose(row["purpose"])})
