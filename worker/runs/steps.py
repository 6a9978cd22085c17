"""One attempt's work: the condition, the steps before, the job itself, the steps after."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from jobs.contract import Interrupted, Skip, WorkerError
from jobs.python import Python, PythonOptions
from jobs.registry import job_class
from jobs.request import Request
from worker.config.configuration import JobDefinition
from worker.model.errors import AttemptLost, CalledOff, StepFailed
from worker.model.records import Run
from worker.model.steps import PythonStep, RequestStep, Sql, SqlStepBefore, StepAfter, StepBefore
from worker.runs import conditions
from worker.runs.context import Resources, RunContext
from worker.runs.outcome import describe
from worker.runs.statements import execute, shown
from worker.store.failures import short


def work(definition: JobDefinition, run: Run, context: RunContext, resources: Resources) -> None:
    """Does the work of one attempt with the steps around it.

    Steps after the work that run `always` are done after a failure too, but not once the attempt must end. Raises
    ConditionUnmet, CalledOff, and what any of them raises.
    """
    policy = definition.policy
    conditions.check(definition, run, context, resources)
    for number, step in enumerate(policy.steps_before, 1):
        _before(step, f"before-{number}", context)
    try:
        job_class(definition.type)(definition.options).run(context)
    except (Interrupted, AttemptLost):
        raise
    except Exception as error:
        _after_failure(policy.steps_after, context, error)
        raise
    for number, after in enumerate(policy.steps_after, 1):
        _perform(after, f"after-{number}", context)


def _before(step: StepBefore, name: str, context: RunContext) -> None:
    try:
        _perform(step, name, context)
    except CalledOff:
        raise
    except Skip as error:
        raise CalledOff(f"step {name}: {error}") from error


def _after_failure(steps: Iterable[StepAfter], context: RunContext, cause: Exception) -> None:
    """Does the steps that run always; what fails of them is told, the run's error stays the work's own."""
    for number, step in enumerate(steps, 1):
        if step.on != "always":
            continue
        try:
            _perform(step, f"after-{number}", context)
        except (Interrupted, AttemptLost) as error:
            raise error from cause
        except Exception as error:  # noqa: BLE001  the work's own error is the one to tell
            context.log.warning("a step after the failed work failed, too", step=number, error=describe(error)[1])


def _perform(step: StepBefore | StepAfter, name: str, context: RunContext) -> None:
    context.check()
    if isinstance(step, PythonStep):
        _python(step, name, context)
    elif isinstance(step, RequestStep):
        Request(step.request, name).run(context)
    else:
        _sql(step, name, context)


def _python(step: PythonStep, name: str, context: RunContext) -> None:
    try:
        Python(PythonOptions(call=step.python, params=step.params)).call(context, {})
    except WorkerError:
        raise
    except Exception as error:
        raise StepFailed(f"the step {name} ({step.python}) failed: {describe(error)[1]}") from error


def _sql(step: Sql, name: str, context: RunContext) -> None:
    try:
        with context.unit(step.database) as unit:
            found = [execute(unit.connection, text, step.params, context) for text in step.sql][-1]
            if isinstance(step, SqlStepBefore) and step.skip_if is not None:
                _judge(found, step, name)
    except sa.exc.SQLAlchemyError as error:
        raise StepFailed(f"the step {name} failed: {short(error)} ({shown(step)})") from error


def _judge(found: sa.CursorResult[Any], step: SqlStepBefore, name: str) -> None:
    """Raises CalledOff where the statement found, or changed, what calls the run off; then nothing of it is kept."""
    some = found.first() is not None if found.returns_rows else found.rowcount > 0
    if some is (step.skip_if == "rows"):
        what = "rows" if some else "no rows"
        raise CalledOff(f"step {name}: it found {what} ({shown(step)})")
