"""The verbs that move a job's cursor: the old value stands in the outcome, so that it can be set back.

They move it by the same version that runs move it by: a run that is at work meanwhile stores nothing more, and where
the rows live elsewhere, the ledger's newer version is the truth from then on.
"""

import orjson
import sqlalchemy as sa

from jobs.contract import Cursor, Json
from worker.model.records import RunState
from worker.runs.desk import Act, Arguments, Desk, Done, Refused
from worker.store import cursors, openruns

_LARGEST = 10_000  # characters of a value, as JSON


class Resetting(Arguments):
    """Arguments of `cursor reset`."""

    name: str = ""
    force: bool = False  # while a run of the job is underway, too


class Setting(Resetting):
    """Arguments of `cursor set`."""

    value: Json


def set_cursor(desk: Desk) -> Act:
    """Moves a cursor to a value."""
    wanted = desk.arguments(Setting)
    if wanted.value is None:
        raise Refused("value: expected one; `cursor reset` takes it away")
    if len(orjson.dumps(wanted.value)) > _LARGEST:
        raise Refused(f"value: expected at most {_LARGEST:,} characters")
    return _moving(desk, wanted, wanted.value)


def reset_cursor(desk: Desk) -> Act:
    """Makes a cursor as one that has no value: the next run begins where a first one does."""
    return _moving(desk, desk.arguments(Resetting), None)


def _moving(desk: Desk, wanted: Resetting, value: Json) -> Act:
    job, name = desk.job.name, wanted.name

    def act(connection: sa.Connection) -> Done:
        there = cursors.listing(connection, job)
        if name and name not in there:
            raise Refused(f"{job} has no cursor {name}; it has: {', '.join(map(_called, there)) or 'none yet'}")
        if not wanted.force:
            _check_idle(connection, job)
        before = there.get(name, Cursor())
        version = cursors.advance(connection, job, name, value, before.version, None, desk.now)
        return Done(_told(before, version, job, name))

    return act


def _check_idle(connection: sa.Connection, job: str) -> None:
    running = [run.id for run in openruns.open_of(connection, job) if run.state is RunState.RUNNING]
    if running:
        raise Refused(
            f"run {running[0]} of {job} is underway and would lose what it has not stored; wait for its end, "
            f"`worker cancel {running[0]}`, or say --force"
        )


def _told(before: Cursor, version: int, job: str, name: str) -> str:
    """Returns an outcome that tells how to take the move back."""
    if before.value is None:
        return f"done: version {version}; there was no value before"
    text = orjson.dumps(before.value).decode().replace("'", "'\\''")
    option = f" --name {name}" if name else ""
    return f"done: version {version}; back by: worker cursor set {job} '{text}'{option}"


def _called(name: str) -> str:
    return name or "the main one"
