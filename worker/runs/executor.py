"""One run, from claimed to finished, as a pipeline: start, perform, judge, end, report."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from jobs.contract import Interrupted
from worker.model.events import RunFinished, RunRetrying, RunStarted, WorkerFailed
from worker.model.listening import Events
from worker.model.moments import elapsed_s
from worker.model.records import AttemptState, Reason, RunState, Trigger
from worker.model.schedules import After
from worker.runs.book import Book
from worker.runs.context import Leash, Resources, RunContext
from worker.runs.dispatch import Dispatch
from worker.runs.ending import End, Ended, end_many
from worker.runs.outcome import Outcome, ShuttingDown, describe, judge
from worker.runs.starting import Start, Started, start_many
from worker.runs.steps import work
from worker.store.writer import Ticket, Writer
from worker.watch.logs import flush
from worker.watch.structure import structlog


@dataclass
class Underway:
    """An attempt this node performs now."""

    started: Started
    leash: Leash
    context: RunContext
    resources: Resources
    began_s: float = field(default_factory=elapsed_s)


class Executor:
    """Performs runs on this node; knows which are underway. Each goes on with the definition it began with."""

    def __init__(
        self,
        node_id: int,
        book: Callable[[], Book],
        writer: Writer,
        resources: Callable[[], Resources],
        dispatch: Dispatch,
        write_off: Callable[[int], None],
    ) -> None:
        self._node_id, self._book, self._writer = node_id, book, writer
        self._resources, self._dispatch, self._write_off = resources, dispatch, write_off
        self._events: Events = dispatch.events
        self._underway: dict[tuple[int, int], Underway] = {}  # by run and attempt
        self._lock = threading.Lock()

    def execute(self, run_id: int) -> None:
        """Performs one attempt of a run, if it is to be run here and now."""
        started = self._start(run_id).wait()
        if started is not None:
            underway = self._take_up(started)
            self.finish(underway, self._carry_out(underway))

    def begin(self, run_id: int, ready: Callable[[Callable[[], None] | None], None]) -> None:
        """Starts a run without waiting; `ready` is called once that is durable, with what a thread is to do.

        It is called with None where nothing is to be run here and now. No thread waits for the ledger: its writer
        calls on, from the start's commit to the job, and from the end's commit to the report.
        """
        ticket = self._start(run_id)
        ticket.then(lambda: ready(self._task(run_id, ticket)))

    def _task(self, run_id: int, ticket: Ticket[Started | None]) -> Callable[[], None] | None:
        try:
            started = ticket.wait()
            return partial(self._perform_and_leave, self._take_up(started)) if started is not None else None
        except Exception as error:  # noqa: BLE001  the run is in the ledger, its place in the pool must be free
            self._tell_failed(run_id, error)
            return None

    def _perform_and_leave(self, underway: Underway) -> None:
        outcome = self._carry_out(underway)
        ticket = self._end(underway, outcome)
        ticket.then(lambda: self._settle(underway, outcome, ticket))

    def _settle(self, underway: Underway, outcome: Outcome, ticket: Ticket[Ended]) -> None:
        try:
            self._ended(underway, outcome, ticket.wait())
        except Exception as error:  # noqa: BLE001  what could not be recorded is ended as overdue
            self._tell_failed(underway.started.run.id, error)

    def _tell_failed(self, run_id: int, error: Exception) -> None:
        self._events.emit(WorkerFailed(f"run {run_id}", describe(error)[1]))

    def underway(self) -> list[Underway]:
        """Returns the attempts this node performs now."""
        with self._lock:
            return list(self._underway.values())

    def interrupt(self, why: Interrupted, run_id: int | None = None) -> None:
        """Asks the attempts of one run that are underway here, or all of them, to end at their next check."""
        for underway in self.underway():
            if run_id in (None, underway.started.run.id):
                underway.leash.interrupt(why)

    def abandon_overdue(self, grace_s: float) -> None:
        """Takes the right to write from attempts that heeded neither timeout nor cancellation, and ends them so.

        Their threads may never come back: the engine has to do without them.
        """
        for underway in self.underway():
            if underway.leash.overdue_s() > grace_s:
                self.finish(underway, self._judge(underway, underway.leash.why()))
                self._write_off(underway.started.run.id)

    def abandon_all(self, why: ShuttingDown, patience_s: float | None = None) -> None:
        """Takes the right to write from whatever is still underway; those runs are attempted again.

        Raises StoreUnreachable where the database does not take that in time.
        """
        for underway in self.underway():
            self.finish(underway, self._judge(underway, why), patience_s)

    def finish(self, underway: Underway, outcome: Outcome, patience_s: float | None = None) -> None:
        """Records the outcome, unless the attempt had lost its right to write, and lets go what waited for it."""
        self._ended(underway, outcome, self._end(underway, outcome).wait(patience_s))

    def _end(self, underway: Underway, outcome: Outcome) -> Ticket[Ended]:
        asked = End(self._book(), underway.started.run, outcome, self._dispatch.now())
        return self._writer.submit_one(end_many, asked)

    def _ended(self, underway: Underway, outcome: Outcome, ended: Ended) -> None:
        run = underway.started.run
        with self._lock:  # not before: what could not be recorded is ended as overdue
            self._underway.pop((run.id, run.attempt), None)
        if ended.mine:
            self._report(underway, outcome, ended.state)
        self._dispatch.pass_on(ended)

    def _start(self, run_id: int) -> Ticket[Started | None]:
        asked = Start(self._book(), run_id, self._node_id, self._dispatch.now(), self._dispatch.fresh.take(run_id))
        return self._writer.submit_one(start_many, asked)

    def _take_up(self, started: Started) -> Underway:
        run, policy = started.run, started.definition.policy
        leash, resources = Leash(policy.timeout), self._resources()
        context = RunContext(run, resources, policy.max_rejects, leash)
        underway = Underway(started, leash, context, resources)
        with self._lock:
            self._underway[run.id, run.attempt] = underway
        self._tell_started(underway)
        return underway

    def _carry_out(self, underway: Underway) -> Outcome:
        """Has the job do its work, in the thread that is to do it; returns how it ended."""
        return self._judge(underway, copy_context().run(self._perform, underway))

    def _tell_started(self, underway: Underway) -> None:
        run, schedule = underway.started.run, underway.started.definition.policy.schedule
        delay_s = schedule.delay if run.trigger is Trigger.AFTER and isinstance(schedule, After) else 0.0
        past = run.trigger is Trigger.BACKFILL  # its tick was never when it is due
        due = run.tick if run.tick and not past else run.created_at + timedelta(seconds=delay_s)
        late_s = round(max((self._dispatch.now() - due).total_seconds(), 0.0), 3)
        self._events.emit(RunStarted(run.job, run.id, run.attempt, run.trigger, late_s))

    def _perform(self, underway: Underway) -> BaseException | None:
        """Has the job do its work, in a context of its own: whatever is logged there names the run."""
        definition, run = underway.started.definition, underway.started.run
        structlog.contextvars.bind_contextvars(job=run.job, run=run.id, attempt=run.attempt)
        flush()  # a job that takes the process down has been told of
        try:
            work(definition, run, underway.context, underway.resources)
        except BaseException as error:  # noqa: BLE001  whatever a job raises, its run must end with a row
            return error
        return None

    def _judge(self, underway: Underway, error: BaseException | None) -> Outcome:
        started = underway.started
        outcome = judge(error, started.failures, started.definition.policy.retry)
        late = outcome.attempt is AttemptState.FAILED and underway.leash.remaining_s() <= 0
        return replace(outcome, reason=Reason.TIMEOUT) if late else outcome

    def _report(self, underway: Underway, outcome: Outcome, ended: RunState) -> None:
        run = underway.started.run
        message = outcome.error[1] if outcome.error else None
        if ended is RunState.QUEUED and outcome.attempt is not AttemptState.LOST:
            wait_s = round(outcome.wait_s or 0.0, 3)
            self._events.emit(RunRetrying(run.job, run.id, run.attempt, wait_s, message or ""))
            return
        state = outcome.attempt if ended is RunState.QUEUED else ended
        took_s = round(elapsed_s() - underway.began_s, 3)
        counts = underway.context.counts
        done = (counts.read, counts.written, counts.rejected)
        reason = Reason.OPERATOR if ended is RunState.CANCELLED else outcome.reason
        self._events.emit(RunFinished(run.job, run.id, run.attempt, state, took_s, *done, reason, message))
