"""The verb that ends runs: one by its id, the one of a job that runs, or all of a job that wait."""

import sqlalchemy as sa

from worker.model.records import RunState
from worker.runs.cancelling import Asked, ask
from worker.runs.desk import Act, Arguments, Desk, Done, Refused
from worker.store import openruns

_AT_MOST = 1000  # runs at once


class Cancelling(Arguments):
    """Arguments of `cancel`."""

    queued: bool = False  # of a job: those that wait, not the one that runs


def cancel(desk: Desk) -> Act:
    """Ends a run that waits at once, and asks one that runs to end."""
    wanted, run_id = desk.arguments(Cancelling), desk.run_named

    def act(connection: sa.Connection) -> Done:
        ids = [run_id] if run_id is not None else _of_job(connection, desk, queued=wanted.queued)
        asked = [ask(connection, desk.book, one, desk.command.by, desk.now) for one in ids]
        if run_id is not None:
            _check(run_id, asked[0])
        return Done(_told(asked), ended=[one.ended for one in asked if one.ended.mine])

    return act


def _of_job(connection: sa.Connection, desk: Desk, *, queued: bool) -> list[int]:
    """Returns the job's runs that are meant; raises Refused where there are none."""
    job = desk.command.target
    wanted = RunState.QUEUED if queued else RunState.RUNNING
    opened = openruns.open_of(connection, job, _AT_MOST)
    found = [run.id for run in opened if run.state is wanted]
    if not found:
        desk.job_of(job)  # another word for one that there is not
        others = f"; {len(opened)} wait, which --queued cancels" if opened and not queued else ""
        raise Refused(f"no run of {job} {'waits' if queued else 'is underway'}{others}")
    return found


def _check(run_id: int, asked: Asked) -> None:
    if asked.run is None:
        raise Refused(f"there is no run {run_id}; `worker history` lists the runs")
    if not asked.ended.mine and asked.run.state.ended:
        raise Refused(f"run {run_id} of {asked.run.job} has ended already: {asked.run.state}")


def _told(asked: list[Asked]) -> str:
    """Returns an outcome: runs that wait have ended by now, those that run end within a second or so."""
    waited = [str(one.run.id) for one in asked if one.run and one.ended.mine]
    ending = [str(one.run.id) for one in asked if one.run and not one.run.state.ended]
    told = [f"cancelled {', '.join(waited)} before it ran"] if waited else []
    told += [f"asked {', '.join(ending)} to end"] if ending else []
    return f"done: {'; '.join(told)}"
