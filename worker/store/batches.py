"""What each run costs, for many runs at once: first attempts that start, and that end.

Only what is plain is done here. Runs that wait for a lock, retries, followers and races take the longer way, one by
one: see `runs/starting` and `runs/ending`.

SQLite looks, and then writes a row at a time, which is cheap there. PostgreSQL does it all in one statement: several
would each be a round trip, and each look the rows up again. What is open is told by the moment that is missing. By its
state PostgreSQL would look it up in the index of what is open, and pass all that was so since its last vacuum: ten
thousand entries a batch. Of one job that is little: who waits for it is told by state.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from worker.model.records import RunState
from worker.store.columns import Moment
from worker.store.many import Row, binding, words
from worker.store.runrows import HELD

_MOMENT = Moment()
_HOLDS = """(SELECT run_id FROM locks WHERE name = 'job:' || runs.job) = runs.id
    AND (runs.mutex IS NULL OR (SELECT run_id FROM locks WHERE name = 'mutex:' || runs.mutex) = runs.id)"""
_MAY_START = f"""runs.finished_at IS NULL AND runs.attempt = 0 AND {_HOLDS}
    AND (SELECT COALESCE(jobs.paused_at, jobs.quarantined_at) FROM jobs WHERE jobs.name = runs.job) IS NULL"""
_REACHED = "SELECT MAX(past.window_until) FROM runs AS past WHERE past.job = runs.job AND past.state = 'succeeded'"
_COVERED = f"COALESCE(({_REACHED} AND past.trigger NOT IN {tuple(map(str, HELD))}), ({_REACHED}))"
_MAY_END = """attempts.ended_at IS NULL AND (
        SELECT runs.attempt = 1 AND runs.mutex IS NULL AND (SELECT other.id FROM runs AS other
            WHERE other.job = runs.job AND other.state IN ('queued', 'running') AND other.state = 'queued' LIMIT 1
        ) IS NULL FROM runs WHERE runs.id = attempts.run_id)"""
_CALLS = "(SELECT COUNT(*) FROM calls WHERE calls.run_id = attempts.run_id)"
_SUMMED = ("read", "written", "unchanged", "deleted", "rejected", "pages")
_SUMS = ", ".join(f"attempts.{name}" for name in _SUMMED)
_ENDED = ("state", "ended_at", "error_kind", "error")
_FINISHED = ("state", "reason", "error_kind", "error", "calls", *_SUMMED)
_AFRESH = "state = 'running', attempt = 1, not_before = NULL, reason = NULL"


class Beginning(NamedTuple):
    """A queued run whose first attempt is to start, as it is to stand then."""

    run_id: int
    node_id: int
    started_at: datetime
    since: datetime | None  # of its window
    window_until: datetime | None
    follows: bool  # without `since` its window begins where its job's runs have covered the time up to
    definition_hash: str


class Finish(NamedTuple):
    """How the first attempt of a run ends, and its run with it; both states are the same word."""

    run_id: int
    state: RunState
    ended_at: datetime
    reason: str | None
    error: tuple[str, str] | None  # its kind, and what it says


def start(connection: sa.Connection, wanted: Sequence[Beginning]) -> dict[int, datetime | None]:
    """Starts those of the runs that hold their locks and are not paused; passes over what another transaction is at.

    Returns since when their windows are, by id. Each run is named once.
    """
    begin = _begin_at_once if connection.dialect.name == "postgresql" else _begin_singly
    begun = begin(connection, sorted(wanted)) if wanted else {}
    return {run_id: _MOMENT.process_result_value(since, connection.dialect) for run_id, since in begun.items()}


def end(connection: sa.Connection, wanted: Sequence[Finish]) -> set[int]:
    """Ends those of the running first attempts whose runs hold no mutex and that no run of their job waits for.

    Their runs end with them and give back their locks. Returns their ids. Each run is named once.
    """
    finish = _finish_at_once if connection.dialect.name == "postgresql" else _finish_singly
    return finish(connection, sorted(wanted)) if wanted else set()


# SQLite
_STARTABLE = f"SELECT id, {_COVERED} FROM runs WHERE id IN (SELECT value FROM json_each(?)) AND {_MAY_START}"
_OPEN = "INSERT INTO attempts (run_id, number, node_id, state, started_at) VALUES (?, 1, ?, 'running', ?)"
_START = f"""UPDATE runs SET {_AFRESH}, window_since = ?, window_until = ?, definition_hash = ?, started_at = ?
    WHERE id = ?"""
_ENDABLE = f"""SELECT run_id, {_CALLS}, {_SUMS} FROM attempts
    WHERE run_id IN (SELECT value FROM json_each(?)) AND number = 1 AND {_MAY_END}"""
_CLOSE = f"UPDATE attempts SET {', '.join(f'{name} = ?' for name in _ENDED)} WHERE run_id = ? AND number = 1"
_FINISH = f"""UPDATE runs SET not_before = NULL, {", ".join(f"{name} = ?" for name in _FINISHED)}, finished_at = ?
    WHERE id = ?"""
_RELEASE = "DELETE FROM locks WHERE run_id = ?"


def _begin_singly(connection: sa.Connection, wanted: Sequence[Beginning]) -> dict[int, datetime | str | None]:
    covered: dict[int, str | None] = dict(connection.exec_driver_sql(_STARTABLE, (_listed(wanted),)).all())
    bound, begun = binding(connection), {}
    opened, started = list[Row](), list[Row]()
    for run_id, node_id, moment, since, until, follows, definition in wanted:
        if run_id in covered:
            at, begun[run_id] = bound(moment), bound(since) or (covered[run_id] if follows else None)
            opened.append((run_id, node_id, at))
            started.append((begun[run_id], bound(until), definition, at, run_id))
    _each(connection, _OPEN, opened)
    _each(connection, _START, started)
    return begun


def _finish_singly(connection: sa.Connection, wanted: Sequence[Finish]) -> set[int]:
    found = {row[0]: row[1:] for row in connection.exec_driver_sql(_ENDABLE, (_listed(wanted),))}
    bound = binding(connection)
    closed, finished = list[Row](), list[Row]()
    for run_id, state, moment, reason, error in wanted:
        if sums := found.get(run_id):
            at, (kind, text) = bound(moment), error or (None, None)
            what = words(connection, text)
            closed.append((state.value, at, kind, what, run_id))
            finished.append((state.value, reason, kind, what, *sums, at, run_id))
    _each(connection, _CLOSE, closed)
    _each(connection, _FINISH, finished)
    _each(connection, _RELEASE, [(run_id,) for run_id in found])
    return set(found)


def _listed(wanted: Sequence[Beginning] | Sequence[Finish]) -> str:
    return orjson.dumps([one.run_id for one in wanted]).decode()


def _each(connection: sa.Connection, statement: str, rows: list[Row]) -> None:
    if rows:
        connection.exec_driver_sql(statement, rows)


# PostgreSQL. What is asked of a run is asked in a subquery of its own: were it joined, the planner would read tables
# whole by an index, which look small to it until they are analyzed. So rows are also locked in the order of their ids.
_START_ALL = f"""
    WITH ready AS (
        SELECT * FROM json_to_recordset(%s::json) AS given (run_id bigint, node_id bigint, started_at timestamptz,
            since timestamptz, window_until timestamptz, follows boolean, definition_hash text)
        CROSS JOIN LATERAL (SELECT CASE WHEN follows THEN {_COVERED} END AS covered FROM runs
            WHERE runs.id = given.run_id AND {_MAY_START} FOR UPDATE OF runs SKIP LOCKED) AS free),
    begun AS (
        UPDATE runs SET {_AFRESH}, window_since = COALESCE(since, covered), window_until = ready.window_until,
            definition_hash = ready.definition_hash, started_at = ready.started_at
        FROM ready WHERE runs.id = ready.run_id RETURNING runs.id, node_id, runs.started_at, runs.window_since),
    opened AS (
        INSERT INTO attempts (run_id, number, node_id, state, started_at)
        SELECT id, 1, node_id, 'running', started_at FROM begun)
    SELECT id, window_since FROM begun"""
# The number comes with the row for the same reason: were it in the text, that would be the index of first attempts.
_END_ALL = f"""
    WITH ended AS (
        UPDATE attempts SET {", ".join(f"{name} = given.{name}" for name in _ENDED)}
        FROM json_to_recordset(%s::json) AS given (run_id bigint, number integer, state text, ended_at timestamptz,
            reason text, error_kind text, error text)
        WHERE attempts.run_id = given.run_id AND attempts.number = given.number AND {_MAY_END}
        RETURNING given.*, {_CALLS} AS calls, {_SUMS}),
    released AS (DELETE FROM locks WHERE run_id = ANY(ARRAY(SELECT run_id FROM ended)))
    UPDATE runs SET not_before = NULL, {", ".join(f"{name} = ended.{name}" for name in _FINISHED)},
        finished_at = ended.ended_at
    FROM ended WHERE runs.id = ended.run_id AND runs.finished_at IS NULL RETURNING runs.id"""


def _begin_at_once(connection: sa.Connection, wanted: Sequence[Beginning]) -> dict[int, datetime | None]:
    given = orjson.dumps([one._asdict() for one in wanted]).decode()
    return dict(connection.exec_driver_sql(_START_ALL, (given,)).all())


def _finish_at_once(connection: sa.Connection, wanted: Sequence[Finish]) -> set[int]:
    rows = []
    for run_id, state, at, reason, error in wanted:
        kind, text = error or (None, None)
        row = {"run_id": run_id, "number": 1, "state": state.value, "ended_at": at, "reason": reason}
        rows.append(row | {"error_kind": kind, "error": words(connection, text)})
    return set(connection.exec_driver_sql(_END_ALL, (orjson.dumps(rows).decode(),)).scalars())
