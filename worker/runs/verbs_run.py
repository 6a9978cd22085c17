"""The verbs that ask for a run now: with parameters, with a job's rejects, or an earlier run once more."""

import sqlalchemy as sa

from jobs.registry import job_class
from worker.model.records import Run
from worker.runs.candidates import of_replay, of_request
from worker.runs.claims import record
from worker.runs.desk import Act, Desk, Done, Refused
from worker.store import runs


def trigger(desk: Desk) -> Act:
    """Records a run of a job, with the command's arguments as its parameters."""
    return desk.recording(of_request(desk.job, desk.command.id, desk.now, desk.parameters))


def replay(desk: Desk) -> Act:
    """Records a run with the parameters and the window of an earlier one; of a job's name: one with its rejects."""
    run_id = desk.run_named
    if run_id is None:
        return trigger(desk)

    def act(connection: sa.Connection) -> Done:
        run = _ended(connection, run_id)
        job = desk.job_of(run.job)
        if problem := job_class(job.type)(job.options).window_problem(run.params):
            raise Refused(
                f"{job.name} cannot be held to that run's window: {problem}; `worker trigger {job.name}` runs it"
            )
        again = of_replay(job, run, desk.command.id, desk.now)
        return Done(recorded=record(connection, desk.book, [again], desk.now))

    return act


def _ended(connection: sa.Connection, run_id: int) -> Run:
    """Returns a run that was attempted and has ended; raises Refused."""
    run = runs.get(connection, run_id)
    if run is None:
        raise Refused(f"there is no run {run_id}; `worker history` lists the runs")
    if not run.state.ended:
        raise Refused(f"run {run_id} of {run.job} is {run.state}; what has not ended cannot be replayed")
    if run.window_until is None:
        raise Refused(
            f"run {run_id} of {run.job} is {run.state} and never began, so that it has no window; `worker trigger "
            f"{run.job}` runs the job now, `worker backfill {run.job} --from T --to T` runs the ticks of a span"
        )
    return run
