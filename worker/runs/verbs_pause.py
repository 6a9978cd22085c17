"""The verbs that hold jobs and accounts back, and let them go on.

A paused job's ticks are skipped with that reason, one row for each range. Who paused it, when and why is kept with the
job, over restarts and reloads, until somebody resumes it.
"""

from fnmatch import fnmatchcase

import sqlalchemy as sa
from pydantic import Field

from worker.runs.candidates import of_request
from worker.runs.claims import record
from worker.runs.desk import Act, Arguments, Desk, Done, Refused
from worker.store import accounts, jobs

_NAMED = 5  # jobs in an outcome


class Pausing(Arguments):
    """Arguments of `pause` and `pause account`."""

    why: str | None = Field(default=None, max_length=1000)


class Resuming(Arguments):
    """Arguments of `resume`."""

    run_now: bool = False


def pause(desk: Desk) -> Act:
    """Pauses a job, or all that a pattern such as `tangoe-*` names."""
    names, why, by = _named(desk), desk.arguments(Pausing).why, desk.command.by

    def act(connection: sa.Connection) -> Done:
        paused = jobs.pause(connection, names, by, why, desk.now)
        return Done(_told("paused", paused, names))

    return act


def resume(desk: Desk) -> Act:
    """Lets jobs go on, those in quarantine too; with `run_now` each of them runs once at once."""
    names, wanted = _named(desk), desk.arguments(Resuming)

    def act(connection: sa.Connection) -> Done:
        resumed = jobs.resume(connection, names, desk.now)
        asked = resumed if wanted.run_now else []
        due = [of_request(desk.job_of(name), desk.command.id, desk.now, {}) for name in asked]
        return Done(_told("resumed", resumed, names), record(connection, desk.book, due, desk.now) if due else [])

    return act


def pause_account(desk: Desk) -> Act:
    """Pauses an account: no job runs under it until it is resumed."""
    name, why, by = _account(desk), desk.arguments(Pausing).why, desk.command.by

    def act(connection: sa.Connection) -> Done:
        new = accounts.pause(connection, name, by, why, desk.now)
        return Done("done" if new else f"done: nothing to do, {name} had been paused before")

    return act


def resume_account(desk: Desk) -> Act:
    """Lets an account's jobs run again."""
    name = _account(desk)
    desk.arguments(Arguments)

    def act(connection: sa.Connection) -> Done:
        return Done("done" if accounts.resume(connection, name) else f"done: nothing to do, {name} was not paused")

    return act


def _named(desk: Desk) -> list[str]:
    """Returns the jobs that the command's target names, by name; raises Refused where there are none."""
    target = desk.command.target
    names = sorted(name for name in desk.book.jobs if fnmatchcase(name, target))
    return names or [desk.job.name]


def _account(desk: Desk) -> str:
    """Returns the account that the command names; raises Refused where no job runs under it."""
    target = desk.command.target
    if not any(target in job.accounts for job in desk.book.jobs.values()):
        raise Refused(f"no job runs under an account {target:.200}")
    return target


def _told(what: str, changed: list[str], named: list[str]) -> str:
    """Returns an outcome: of one job that changed nothing more than that it is done."""
    if changed == named and len(named) == 1:
        return "done"
    others = len(named) - len(changed)
    some = ", ".join(changed[:_NAMED]) + (f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else "")
    if not changed:
        return f"done: nothing to do, {named[0] if len(named) == 1 else f'all {len(named)}'} had been {what} before"
    return f"done: {what} {some}" + (f"; {others} had been before" if others else "")
