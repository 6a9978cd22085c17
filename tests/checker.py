"""Whether a ledger accounts for every tick, in the manner of Jepsen's checker for Chronos (pure).

It is handed what was due, worked out by somebody else than our engine (`tests/oracle.py`), and what the ledger says:

    violations = check(due, Ledger(runs, attempts), steps)
    assert not violations, told(violations)

Each due tick is matched by one row of its own: a run, or a row with a reason, which may tell of a range. Nothing is
there beside but what comes again because the wall clock was set back: such a row says so, and one of `steps`, which
whoever set the clock knows, brought exactly this tick of this job, and brought it once. No two attempts of one job meet
in time, and in the end nothing is open.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Protocol

from tests.stepback import StepBack, until_of
from worker.model.records import AttemptState, RunState, Trigger

_OF_TICKS = (Trigger.TICK, Trigger.CATCH_UP)
_SHOWN = 20


class Fault(StrEnum):
    """What can be wrong with a ledger."""

    LOST = "lost"  # a due tick that no row tells of
    TWICE = "twice"  # a due tick that two rows tell of
    EXTRA = "extra"  # a row for an instant, or of a job, that was not due
    UNFOUNDED = "unfounded"  # a row of a tick that is said to come again, and no step back of the clock brought it
    COUNT = "count"  # a range that tells of more or fewer ticks than were due in it
    UNEXPLAINED = "unexplained"  # a run that never happened, and no reason
    UNATTEMPTED = "unattempted"  # a run that ended as if it had run, and no attempt
    OVERLAP = "overlap"  # two attempts of one job at the same time
    OPEN = "open"  # a run or an attempt that nobody ended


@dataclass(frozen=True, order=True)
class Violation:
    """One thing that is wrong: of which job, when, and what was found."""

    job: str
    at: datetime
    fault: Fault
    what: str

    def __str__(self) -> str:
        """Returns one line."""
        return f"{self.fault}: {self.job} at {self.at.isoformat()}: {self.what}"


class RunRow(Protocol):
    """What is looked at of a run; `worker.model.records.Run` has it."""

    @property
    def id(self) -> int: ...  # noqa: D102
    @property
    def job(self) -> str: ...  # noqa: D102
    @property
    def cause(self) -> str: ...  # noqa: D102
    @property
    def trigger(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> RunState: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102
    @property
    def tick(self) -> datetime | None: ...  # noqa: D102
    @property
    def tick_until(self) -> datetime | None: ...  # noqa: D102
    @property
    def ticks(self) -> int: ...  # noqa: D102
    @property
    def created_at(self) -> datetime: ...  # noqa: D102


class AttemptRow(Protocol):
    """What is looked at of an attempt; `worker.model.records.Attempt` has it."""

    @property
    def run_id(self) -> int: ...  # noqa: D102
    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def state(self) -> AttemptState: ...  # noqa: D102
    @property
    def started_at(self) -> datetime: ...  # noqa: D102
    @property
    def ended_at(self) -> datetime | None: ...  # noqa: D102


@dataclass(frozen=True)
class Ledger:
    """The rows of `runs` and `attempts`, in any order."""

    runs: Sequence[RunRow]
    attempts: Sequence[AttemptRow]


def check(due: Mapping[str, Sequence[datetime]], ledger: Ledger, steps: Sequence[StepBack] = ()) -> list[Violation]:
    """Returns everything that is wrong with the ledger; `due` has each job's ticks, in order."""
    first: dict[str, list[RunRow]] = defaultdict(list)
    again: dict[str, list[RunRow]] = defaultdict(list)
    for run in ledger.runs:
        if run.trigger in _OF_TICKS and run.tick is not None:
            (again if until_of(run.cause) else first)[run.job].append(run)
    found = [fault for job in {*due, *first} for fault in _match(job, due.get(job, ()), first.get(job, ()))]
    repeated = [fault for job, rows in again.items() for fault in _match_again(job, due.get(job, ()), rows, steps)]
    return sorted([*found, *repeated, *_alone(ledger), *_overlaps(ledger, steps)])


def told(violations: Sequence[Violation]) -> str:
    """Returns the first violations as lines, and how many there are of each fault."""
    counts = {fault: sum(one.fault is fault for one in violations) for fault in Fault}
    summary = ", ".join(f"{count:,} {fault}" for fault, count in counts.items() if count)
    return "\n".join([summary or "nothing is wrong", *map(str, violations[:_SHOWN])])


def _match(job: str, due: Sequence[datetime], rows: Iterable[RunRow]) -> Iterator[Violation]:
    told_by = [0] * len(due)
    for row in rows:
        first, last = row.tick or row.created_at, row.tick_until or row.tick or row.created_at
        start, stop = bisect_left(due, first), bisect_right(due, last)
        if start == stop or due[start] != first or due[stop - 1] != last:
            yield Violation(job, first, Fault.EXTRA, f"run {row.id} is of an instant that was not due")
        elif stop - start != row.ticks:
            what = f"run {row.id} tells of {row.ticks:,} ticks up to {last}; {stop - start:,} were due"
            yield Violation(job, first, Fault.COUNT, what)
        for place in range(start, stop):
            told_by[place] += 1
    for tick, count in zip(due, told_by, strict=True):
        if not count:
            yield Violation(job, tick, Fault.LOST, "it was due, and no row tells of it")
        elif count > 1:
            yield Violation(job, tick, Fault.TWICE, f"{count} rows tell of it")


def _match_again(
    job: str, due: Sequence[datetime], rows: Iterable[RunRow], steps: Iterable[StepBack]
) -> Iterator[Violation]:
    brought = {one for step in steps for one in step.again(due)}
    for row in rows:
        tick, until = row.tick or row.created_at, until_of(row.cause) or row.created_at
        if (tick, until) not in brought:
            yield Violation(job, tick, Fault.UNFOUNDED, f"nothing brought run {row.id} again, up to {until}")
        elif row.tick_until is not None or row.ticks != 1:
            yield Violation(job, tick, Fault.COUNT, f"run {row.id} comes again, and tells of {row.ticks:,} ticks")
        brought.discard((tick, until))  # once


def _alone(ledger: Ledger) -> Iterator[Violation]:
    """Yields what is wrong with rows by themselves."""
    attempted = {attempt.run_id for attempt in ledger.attempts}
    for run in ledger.runs:
        at = run.tick or run.created_at
        if not run.state.ended:
            yield Violation(run.job, at, Fault.OPEN, f"run {run.id} is {run.state}")
        elif run.state in (RunState.SKIPPED, RunState.MISSED):
            if run.reason is None:
                yield Violation(run.job, at, Fault.UNEXPLAINED, f"run {run.id} is {run.state}, and nothing says why")
        elif run.state is not RunState.CANCELLED and run.id not in attempted:
            yield Violation(run.job, at, Fault.UNATTEMPTED, f"run {run.id} {run.state} without an attempt")


def _overlaps(ledger: Ledger, steps: Sequence[StepBack]) -> Iterator[Violation]:
    """Yields attempts that nobody ended, and those that began before an earlier one of their job had ended."""
    run_of = {run.id: run for run in ledger.runs}
    again = {run.id for run in ledger.runs if until_of(run.cause)}
    for job, attempts in groupby(_in_time(ledger.attempts, run_of), key=lambda one: _job(one, run_of)):
        latest: AttemptRow | None = None  # of those so far, the one that ended last
        for attempt in attempts:
            if attempt.ended_at is None:
                yield Violation(job, attempt.started_at, Fault.OPEN, f"{_name(attempt)} has no end")
            if latest and _meet(latest, attempt) and not _twice_on_the_wall(latest, attempt, again, steps):
                what = f"{_name(attempt)} began while {_name(latest)} ran"
                yield Violation(job, attempt.started_at, Fault.OVERLAP, what)
            latest = _later(latest, attempt)


def _in_time(attempts: Iterable[AttemptRow], run_of: Mapping[int, RunRow]) -> list[AttemptRow]:
    return sorted(attempts, key=lambda one: (_job(one, run_of), one.started_at, one.run_id, one.number))


def _job(attempt: AttemptRow, run_of: Mapping[int, RunRow]) -> str:
    run = run_of.get(attempt.run_id)
    return run.job if run else "?"


def _meet(earlier: AttemptRow, later: AttemptRow) -> bool:
    return earlier.ended_at is None or earlier.ended_at > later.started_at


def _twice_on_the_wall(one: AttemptRow, other: AttemptRow, again: set[int], steps: Iterable[StepBack]) -> bool:
    """Tells whether two attempts only seem to meet: one of a tick that comes again lies hours after the other."""
    apart = (one.run_id in again) is not (other.run_id in again)
    return apart and any(step.showed_twice(other.started_at) for step in steps)


def _later(one: AttemptRow | None, other: AttemptRow) -> AttemptRow:
    if one is None or (one.ended_at and (other.ended_at is None or other.ended_at > one.ended_at)):
        return other
    return one


def _name(attempt: AttemptRow) -> str:
    return f"attempt {attempt.number} of run {attempt.run_id}"
