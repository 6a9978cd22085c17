"""Table `runs`: the ledger, one row for each tick or request, whatever became of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa

from worker.model.moments import new_id
from worker.model.records import AGAIN, Reason, Run, RunState
from worker.store.dialect import in_parts
from worker.store.many import Bind, Row, among, binding, inserting
from worker.store.pastruns import reach
from worker.store.runrows import (
    COUNTS,
    ID,
    IS_HELD,
    IS_OPEN,
    IS_QUEUED,
    JOB,
    NOW,
    OF_JOB,
    QUEUED,
    RUNNING,
    one_run,
    run_of,
)
from worker.store.tables import attempts, calls, runs

# What a run can have before its first attempt; for the others the columns' defaults hold.
_PLANNED = (
    *("id", "job", "cause", "trigger", "state", "reason", "tick", "tick_until", "ticks"),
    *("window_since", "window_until", "priority", "not_before", "params"),
    *("created_at", "finished_at", "definition_hash", "mutex"),
)
_INSERT = inserting(runs, _PLANNED)
# Statements are built once: to build one takes several times as long as to run it.
_ONE = sa.select(runs).where(runs.c.id == ID)
_LOCKED, _FREE = _ONE.with_for_update(), _ONE.with_for_update(skip_locked=True)
_BY_CAUSE = OF_JOB.where(runs.c.cause == sa.bindparam("of_cause"))
_JOB_OF_RUN = sa.select(runs.c.job).where(runs.c.id == ID).scalar_subquery()
_BEGIN = (
    sa.update(runs)
    .where(runs.c.id == ID, IS_QUEUED, runs.c.attempt == sa.bindparam("number") - 1)
    .values(
        state=RUNNING,
        attempt=sa.bindparam("number"),
        started_at=sa.func.coalesce(runs.c.started_at, NOW),
        window_since=sa.case(
            (IS_HELD, runs.c.window_since),
            else_=sa.func.coalesce(runs.c.window_since, reach(_JOB_OF_RUN).scalar_subquery()),
        ),
        window_until=sa.func.coalesce(runs.c.window_until, runs.c.tick, runs.c.created_at),
        not_before=sa.null(),
        reason=sa.null(),
        definition_hash=sa.bindparam("hash"),
    )
)
_REQUEUE = (
    sa.update(runs)
    .where(runs.c.id == ID, runs.c.state == RUNNING, runs.c.attempt == sa.bindparam("number"))
    .where(runs.c.cancel_asked_at.is_(None))
    .values(state=QUEUED, not_before=sa.bindparam("until"), reason=sa.bindparam("why"))
)


def _total(name: str) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(sa.func.sum(attempts.c[name]), 0)).where(attempts.c.run_id == ID).scalar_subquery()
    )


_FINISH = (
    sa.update(runs)
    .where(runs.c.id == ID, IS_OPEN)
    .values({name: _total(name) for name in COUNTS if name != "expected"})
    .values(
        calls=sa.select(sa.func.count()).select_from(calls).where(calls.c.run_id == ID).scalar_subquery(),
        state=sa.bindparam("ended"),
        finished_at=NOW,
        not_before=sa.null(),
        reason=sa.bindparam("why"),
        error_kind=sa.bindparam("kind"),
        error=sa.bindparam("message"),
    )
)
_LATEST = (
    sa.select(runs.c.id, runs.c.tick, runs.c.state, runs.c.reason, runs.c.cause)
    .where(runs.c.job == JOB)
    .order_by(runs.c.id.desc())
    .limit(1)
)
_EXTEND = (
    sa.update(runs)
    .where(runs.c.id == ID)
    .values(tick_until=sa.bindparam("until"), ticks=runs.c.ticks + sa.bindparam("more"), finished_at=NOW)
)


def _row(run: Run, bound: Bind) -> Row:
    """Returns what a run has before its first attempt, as the driver takes it."""
    return (
        run.id,
        run.job,
        run.cause,
        run.trigger.value,
        run.state.value,
        run.reason.value if run.reason else None,
        bound(run.tick),
        bound(run.tick_until),
        run.ticks,
        bound(run.window_since),
        bound(run.window_until),
        run.priority,
        bound(run.not_before),
        orjson.dumps(run.params).decode(),
        bound(run.created_at),
        bound(run.finished_at),
        run.definition_hash,
        run.mutex,
    )


@cache
def _standing(dialect: str) -> sa.Select[tuple[int, str, str]]:
    return sa.select(runs.c.id, runs.c.job, runs.c.cause).where(among(dialect, runs.c.id, "ids"))


def claim(connection: sa.Connection, candidates: Sequence[Run]) -> list[Run]:
    """Inserts the runs whose (job, cause) has no row yet, and returns those: all others lost the race, in silence.

    None of them was attempted yet.
    The ids tell whose row stands, so that asking again after an unknown commit gives the same answer. One whose id
    another process gave to another run at that moment gets a new id.
    """
    bound = binding(connection)
    if _INSERT.execute(connection, [_row(run, bound) for run in candidates]) == len(candidates):
        return list(candidates)
    rows = connection.execute(_standing(connection.dialect.name), {"ids": [run.id for run in candidates]})
    stands = {row.id: (row.job, row.cause) for row in rows}
    won = [run for run in candidates if stands.get(run.id) == (run.job, run.cause)]
    clashing = [run for run in candidates if stands.get(run.id, (run.job, run.cause)) != (run.job, run.cause)]
    return [*won, *claim(connection, [replace(run, id=new_id()) for run in clashing])] if clashing else won


def get(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run."""
    return one_run(connection, _ONE, of_id=run_id)


def of_ids(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Run]:
    """Returns runs by their ids."""
    rows = connection.execute(_of_ids(connection.dialect.name), {"ids": list(ids)}) if ids else ()
    return {run.id: run for run in map(run_of, rows)}


@cache
def _of_ids(dialect: str) -> sa.Select[Any]:
    return sa.select(runs).where(among(dialect, runs.c.id, "ids"))


def locked(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run, locked until the transaction ends."""
    return one_run(connection, _LOCKED, of_id=run_id)


def free(connection: sa.Connection, run_id: int) -> Run | None:
    """Returns one run, locked until the transaction ends; None too where another node's transaction has it now."""
    return one_run(connection, _FREE, of_id=run_id)


def by_cause(connection: sa.Connection, job: str, cause: str) -> Run | None:
    """Returns the run that one tick or request became."""
    return one_run(connection, _BY_CAUSE, of_job=job, of_cause=cause)


def begin(connection: sa.Connection, run_id: int, number: int, now: datetime, definition_hash: str) -> bool:
    """Moves a queued run to running with attempt `number`; False where it is not queued or not at that number."""
    values = {"of_id": run_id, "number": number, "now": now, "hash": definition_hash}
    return connection.execute(_BEGIN, values).rowcount == 1


def requeue(
    connection: sa.Connection,
    run_id: int,
    number: int,
    not_before: datetime | None,
    reason: Reason | None = None,
) -> bool:
    """Puts a running run back into the queue for its next attempt; False where it was asked to end."""
    values = {"of_id": run_id, "number": number, "until": not_before, "why": reason}
    return connection.execute(_REQUEUE, values).rowcount == 1


def finish(
    connection: sa.Connection,
    run_id: int,
    state: RunState,
    now: datetime,
    reason: Reason | None = None,
    error: tuple[str, str] | None = None,
) -> bool:
    """Ends an open run with the totals of all its attempts; `error` is (kind, message). False where it had ended."""
    kind, message = error or (None, None)
    values = {"of_id": run_id, "ended": state, "now": now, "why": reason, "kind": kind, "message": message}
    return connection.execute(_FINISH, values).rowcount == 1


def skip(connection: sa.Connection, ids: Sequence[int], reason: Reason, now: datetime) -> None:
    """Ends queued runs that never happen."""
    for part in in_parts(ids):
        change = sa.update(runs).where(runs.c.id.in_(part), runs.c.state == RunState.QUEUED)
        connection.execute(change.values(state=RunState.SKIPPED, reason=reason, finished_at=now))


def extend_skip(connection: sa.Connection, run: Run) -> bool:
    """Adds skipped ticks to the job's latest row, where that row is a skip for the same reason; else False."""
    row = connection.execute(_LATEST, {"of_job": run.job}).first()
    if row is None or row.tick is None or (row.state, row.reason) != (RunState.SKIPPED, run.reason):
        return False
    if AGAIN in row.cause:
        return False
    more = {"of_id": row.id, "until": run.tick_until or run.tick, "more": run.ticks, "now": run.finished_at}
    connection.execute(_EXTEND, more)
    return True
