"""The checker finds each fault that is planted in a good ledger; the oracle agrees with the engine and a calendar."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests import oracle
from tests.checker import Fault, Ledger, check, told
from tests.stepback import StepBack
from worker.engine.schedule import of_job
from worker.model.options import JobOptions
from worker.model.records import Attempt, AttemptState, Reason, Run, RunState, Trigger

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DUE = {"orders": [START + n * MINUTE for n in range(1, 8)]}


def _run(number: int, state: RunState, tick: int, **more: Any) -> Run:  # noqa: ANN401  fields of a run
    at = START + tick * MINUTE
    return Run(number, "orders", f"tick:{tick}", Trigger.TICK, state, at, "hash", tick=at, **more)


def _attempt(run_id: int, began: float, took: float | None = 0.5, number: int = 1) -> Attempt:
    started = START + began * MINUTE
    ended = started + took * MINUTE if took is not None else None
    return Attempt(run_id, number, 1, AttemptState.SUCCEEDED, started, ended)


RUNS = [
    _run(1, RunState.SUCCEEDED, 1),
    _run(2, RunState.FAILED, 2),
    _run(3, RunState.MISSED, 3, tick_until=START + 5 * MINUTE, ticks=3, reason=Reason.DOWNTIME),
    _run(4, RunState.SKIPPED, 6, reason=Reason.PAUSED),
    _run(5, RunState.SUCCEEDED, 7),
    Run(6, "orders", "manual:1", Trigger.MANUAL, RunState.SUCCEEDED, START, "hash"),
]
ATTEMPTS = [_attempt(6, 0), _attempt(1, 1), _attempt(2, 2), _attempt(2, 3, number=2), _attempt(5, 7)]
GOOD = Ledger(RUNS, ATTEMPTS)


def _with_run(number: int, **changes: Any) -> Ledger:  # noqa: ANN401  fields of a run
    return Ledger([replace(run, **changes) if run.id == number else run for run in RUNS], ATTEMPTS)


def _without_run(number: int) -> Ledger:
    return Ledger([run for run in RUNS if run.id != number], ATTEMPTS)


def _and_run(run: Run) -> Ledger:
    return Ledger([*RUNS, run], [*ATTEMPTS, _attempt(run.id, 20)])


def _and_again(tick: int, until: int, number: int = 9, **changes: Any) -> Ledger:  # noqa: ANN401  fields of a run
    """Returns the good ledger, and one more row of a tick that says to come again."""
    cause = f"tick:{tick}/{(START + until * MINUTE).isoformat()}"
    return _and_run(replace(_run(number, RunState.SUCCEEDED, tick), cause=cause, **changes))


PLANTED: dict[str, tuple[Ledger, list[Fault]]] = {
    "a tick without a row": (_without_run(4), [Fault.LOST]),
    "a gap that reaches one tick less": (
        _with_run(3, tick_until=START + 4 * MINUTE, ticks=2),
        [Fault.LOST],
    ),
    "a gap that counts one tick less": (_with_run(3, ticks=2), [Fault.COUNT]),
    "a gap over a run": (_with_run(3, tick_until=START + 6 * MINUTE, ticks=4), [Fault.TWICE]),
    "a tick that ran twice": (_and_run(_run(9, RunState.SUCCEEDED, 1)), [Fault.TWICE]),
    "a run of no tick": (_and_run(_run(9, RunState.SUCCEEDED, 9)), [Fault.EXTRA]),
    "a gap that begins between ticks": (_with_run(3, tick=START + 2.5 * MINUTE), [Fault.EXTRA]),
    "a run of a job that nobody has": (_and_run(replace(_run(9, RunState.SUCCEEDED, 9), job="x")), [Fault.EXTRA]),
    "a skip without a reason": (_with_run(4, reason=None), [Fault.UNEXPLAINED]),
    "a success without an attempt": (Ledger(RUNS, ATTEMPTS[:-1]), [Fault.UNATTEMPTED]),
    "a run that is left in the queue": (_with_run(5, state=RunState.QUEUED), [Fault.OPEN]),
    "a run that is left running": (_with_run(5, state=RunState.RUNNING), [Fault.OPEN]),
    "an attempt without an end": (Ledger(RUNS, [*ATTEMPTS[:-1], _attempt(5, 7, None)]), [Fault.OPEN]),
    "two runs at once": (Ledger(RUNS, [*ATTEMPTS[:-1], _attempt(5, 2.2)]), [Fault.OVERLAP]),
    "two attempts at once": (Ledger(RUNS, [*ATTEMPTS, _attempt(5, 7.4, number=2)]), [Fault.OVERLAP]),
    "one short attempt within a long one": (
        Ledger(RUNS, [_attempt(6, 0, 5), *ATTEMPTS[1:]]),
        [Fault.OVERLAP] * 3,
    ),
}


def test_a_good_ledger_has_no_fault() -> None:
    """Runs, retries, a gap, a skip and a request by hand are what a ledger is made of."""
    assert check(DUE, GOOD) == []


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(what: str) -> None:
    """Each fault by itself, under its own name, and nothing beside it."""
    ledger, faults = PLANTED[what]
    found = check(DUE, ledger)
    assert [one.fault for one in found] == faults, told(found)


STEPS = [StepBack(shown=START + 3.5 * MINUTE, now=START + 1.5 * MINUTE)]  # brings ticks 2 and 3 again, up to 4
UNFOUNDED: dict[str, tuple[Ledger, Sequence[StepBack], list[Fault]]] = {
    "and no clock was set back": (_and_again(2, 4), [], [Fault.UNFOUNDED]),
    "and was before the time that came again": (_and_again(1, 4), STEPS, [Fault.UNFOUNDED]),
    "and was after what had been shown": (_and_again(4, 5), STEPS, [Fault.UNFOUNDED]),
    "and reaches too far": (_and_again(2, 5), STEPS, [Fault.UNFOUNDED]),
    "and is the job's only one then": (
        _and_again(3, 4),
        [replace(STEPS[0], now=START + 2 * MINUTE)],
        [Fault.UNFOUNDED],
    ),
    "and is another job's": (_and_again(2, 4, job="x"), STEPS, [Fault.UNFOUNDED]),
    "and tells of two": (_and_again(2, 4, tick_until=START + 3 * MINUTE, ticks=2), STEPS, [Fault.COUNT]),
    "and does not say so": (_and_run(_run(9, RunState.SUCCEEDED, 2)), STEPS, [Fault.TWICE]),
}


def test_what_a_step_back_brings_again_is_no_fault() -> None:
    """One row more for a tick that the wall clock showed twice, as its cause says; it need not be there."""
    for ledger in (GOOD, _and_again(2, 4), _and_again(3, 4)):
        assert check(DUE, ledger, STEPS) == []


@pytest.mark.parametrize("what", UNFOUNDED)
def test_a_tick_that_is_said_to_come_again(what: str) -> None:
    """A row more than one, for which no step back of the clock is known to be the cause, is a fault."""
    ledger, steps, faults = UNFOUNDED[what]
    found = check(DUE, ledger, steps)
    assert [one.fault for one in found] == faults, told(found)


def test_what_comes_again_comes_once() -> None:
    """A second row of a tick that one step back brought is one too many, and none stands for the first telling."""
    again = _and_again(2, 4)
    twice = Ledger([*again.runs, _and_again(2, 4, 10).runs[-1]], [*again.attempts, _attempt(10, 22)])
    assert [one.fault for one in check(DUE, twice, STEPS)] == [Fault.UNFOUNDED]
    alone = Ledger([run for run in again.runs if run.id not in (2, 5)], [*again.attempts[:2], again.attempts[-1]])
    assert [one.fault for one in check(DUE, alone, STEPS)] == [Fault.LOST, Fault.LOST]


@pytest.mark.parametrize(
    ("began", "steps", "faults"),
    [(2.2, STEPS, []), (2.2, [], [Fault.UNFOUNDED, Fault.OVERLAP]), (7.2, STEPS, [Fault.OVERLAP])],
)
def test_attempts_seem_to_meet_where_a_clock_went_back(
    began: float, steps: Sequence[StepBack], faults: list[Fault]
) -> None:
    """What comes again runs at times that were shown before; at other times it meets nobody."""
    runs = _and_again(2, 4).runs
    found = check(DUE, Ledger(runs, [*ATTEMPTS, _attempt(9, began)]), steps)
    assert sorted(one.fault for one in found) == sorted(faults), told(found)


def test_what_is_told_says_how_much_is_wrong() -> None:
    """The first line counts, the others are a reader's start."""
    lines = told(check(DUE, Ledger([], []))).splitlines()
    assert lines[0] == "7 lost"
    assert lines[1] == "lost: orders at 2026-03-01T12:01:00+00:00: it was due, and no row tells of it"


FORMS: list[dict[str, Any]] = [
    *({"schedule": {"at": ["00:30", "02:30"]}, "dst": dst} for dst in ("once", "skip", "both")),
    {"schedule": "30 2 * * *"},
    {"schedule": "*/20 1-3 * * *"},
    {"schedule": "15,45 * * * sun"},
    {"schedule": "5 0 13 * fri"},
    {"schedule": "10 12 */2 jan-mar mon-fri"},
    {"schedule": {"monthly": [1, 31, "last"], "at": "02:30"}},
    {"schedule": {"at": "00:00", "days": ["sat", "sun"]}},
    {"schedule": {"every": "7h", "offset": "3m"}},
    {"schedule": {"every": "40m"}, "hours": "22:00-03:00"},
    {"schedule": "*/15 * * * *", "hours": "01:30-02:30"},
]
ZONES = ["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_oracle_and_engine_agree(zone: str, form: dict[str, Any]) -> None:
    """Two methods that share nothing come to the same instants over a year, nights of change included."""
    span = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC))
    mine = of_job(JobOptions.model_validate({"type": "sync", **form}), ZoneInfo(zone), "orders")
    assert mine is not None
    schedule, more = form["schedule"], {key: value for key, value in form.items() if key != "schedule"}
    assert mine.between(*span, 100_000) == oracle.due(schedule, zone, span, **more)


def test_the_oracle_knows_the_nights_of_a_calendar() -> None:
    """Berlin, 2026: 02:30 did not come on 29 March, and came twice on 25 October."""
    night = (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC))
    fold = (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC))
    daily = {"at": "02:30"}
    assert oracle.due(daily, "Europe/Berlin", night) == [datetime(2026, 3, 29, 1, tzinfo=UTC)]
    assert oracle.due(daily, "Europe/Berlin", night, dst="skip") == []
    assert oracle.due(daily, "Europe/Berlin", fold) == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]
    assert len(oracle.due(daily, "Europe/Berlin", fold, dst="both")) == 2
    assert len(oracle.due("*/30 2 * * *", "Europe/Berlin", fold)) == 4
