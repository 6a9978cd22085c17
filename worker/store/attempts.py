"""Table `attempts`: one execution of a run on one node; its key (run, number) fences every write."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa

from jobs.contract import Counts
from worker.model.records import Attempt, AttemptState
from worker.store.dialect import insert_new, spelled
from worker.store.tables import attempts, runs

_COUNTS = tuple(item.name for item in fields(Counts))
_RUNNING = attempts.c.state == spelled(AttemptState.RUNNING)
_SUMMED = tuple(name for name in _COUNTS if name != "expected")
# Statements are built once: to build one takes ten times as long as to run it.
_OF_RUN = sa.select(attempts).where(attempts.c.run_id == sa.bindparam("of_run"))
_ALL_OF_RUN = _OF_RUN.order_by(attempts.c.number)
_NUMBERED = attempts.c.number == sa.bindparam("of_number")
_ONE = _OF_RUN.where(_NUMBERED)
_MINE = sa.and_(attempts.c.run_id == sa.bindparam("of_run"), _NUMBERED, _RUNNING)
_MAY_WRITE = sa.select(attempts.c.number).where(_MINE)
_END = (
    sa.update(attempts)
    .where(_MINE)
    .values(
        state=sa.bindparam("ended"),
        ended_at=sa.bindparam("now"),
        error_kind=sa.bindparam("kind"),
        error=sa.bindparam("message"),
    )
)
_ADD = (
    sa.update(attempts)
    .where(_MINE)
    .values({name: attempts.c[name] + sa.bindparam(f"more_{name}", type_=sa.BigInteger()) for name in _SUMMED})
    .values(expected=sa.func.coalesce(sa.bindparam("told", type_=sa.BigInteger()), attempts.c.expected))
)


def _attempt(row: sa.RowMapping) -> Attempt:
    values = dict(row)
    counts = Counts(**{name: values.pop(name) for name in _COUNTS})
    values["state"] = AttemptState(values["state"])
    return Attempt(**values, counts=counts)


def begin(connection: sa.Connection, run_id: int, number: int, node_id: int, now: datetime) -> None:
    """Opens an attempt."""
    row = {
        "run_id": run_id,
        "number": number,
        "node_id": node_id,
        "state": AttemptState.RUNNING,
        "started_at": now,
    }
    insert_new(connection, attempts, [row])


def add(connection: sa.Connection, run_id: int, number: int, delta: Counts) -> bool:
    """Adds to a running attempt's counts; False where the attempt lost its right to write. This is the fence."""
    sums = {f"more_{name}": getattr(delta, name) for name in _SUMMED}
    told = {"of_run": run_id, "of_number": number, "told": delta.expected}
    return connection.execute(_ADD, sums | told).rowcount == 1


def may_write(connection: sa.Connection, run_id: int, number: int) -> bool:
    """Tells whether an attempt has its right to write at this moment."""
    return connection.scalar(_MAY_WRITE, {"of_run": run_id, "of_number": number}) is not None


def end(
    connection: sa.Connection,
    run_id: int,
    number: int,
    state: AttemptState,
    now: datetime,
    error: tuple[str, str] | None = None,
) -> bool:
    """Ends a running attempt; `error` is (kind, message). False where it had ended: the caller lost its right."""
    kind, message = error or (None, None)
    values = {"of_run": run_id, "of_number": number, "ended": state, "now": now, "kind": kind, "message": message}
    return connection.execute(_END, values).rowcount == 1


def get(connection: sa.Connection, run_id: int, number: int) -> Attempt | None:
    """Returns one attempt."""
    row = connection.execute(_ONE, {"of_run": run_id, "of_number": number}).mappings().first()
    return _attempt(row) if row else None


def of_run(connection: sa.Connection, run_id: int) -> list[Attempt]:
    """Returns a run's attempts, first to last."""
    return [_attempt(row) for row in connection.execute(_ALL_OF_RUN, {"of_run": run_id}).mappings()]


def of_job(connection: sa.Connection, job: str, limit: int, since: datetime | None = None) -> list[Attempt]:
    """Returns the latest attempts of a job's runs, newest run first; only those that began after `since`, if told."""
    query = sa.select(attempts).join(runs, runs.c.id == attempts.c.run_id).where(runs.c.job == job)
    if since is not None:
        query = query.where(attempts.c.started_at > since)
    query = query.order_by(runs.c.id.desc(), attempts.c.number.desc()).limit(limit)
    return [_attempt(row) for row in connection.execute(query).mappings()]


def running(connection: sa.Connection, nodes: Collection[int] | None = None) -> list[Attempt]:
    """Returns the attempts that run, on the given nodes or on any, by run."""
    query = sa.select(attempts).where(_RUNNING)
    if nodes is not None:
        query = query.where(attempts.c.node_id.in_(nodes))
    found = (_attempt(row) for row in connection.execute(query).mappings())
    return sorted(found, key=lambda attempt: (attempt.run_id, attempt.number))
