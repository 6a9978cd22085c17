"""A simulated month: every tick is accounted for, and chance can be had again by its seed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import worker.runs.simulation
from tests import oracle
from tests.checker import Fault, Ledger, check, told
from tests.ledger import whole_ledger
from tests.runs.bench import definition, disabled
from tests.stepback import StepBack, until_of
from worker.config.configuration import JobDefinition
from worker.runs.lifetime import Circumstances
from worker.runs.simulation import Simulation
from worker.store.scratch import Inline, scratch

SINCE = datetime(2026, 3, 25, tzinfo=UTC)
UNTIL = datetime(2026, 4, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
CALM = Circumstances(takes_s=lambda _: 30.0, forgets=False)


def _simulated(*jobs: JobDefinition, made_up: Circumstances = CALM) -> tuple[Simulation, Ledger]:
    with scratch() as database:
        simulation = Simulation({job.name: job for job in jobs}, BERLIN, Inline(database), made_up, SINCE)
        simulation.run(UNTIL)
        return simulation, whole_ledger(database)


def test_each_tick_of_a_stormy_week_is_accounted_for() -> None:
    """Failures, retries, two deaths in the midst of runs and a night of change: the checker finds nothing."""
    jobs = [
        definition("night", {"at": ["01:30", "02:30"]}),
        definition("both", {"at": "02:30"}, dst="both"),
        definition("busy", {"every": "2h"}, overlap="queue", catch_up="all"),
        definition("after", {"after": ["night"]}),
    ]
    made_up = replace(CALM, takes_s=lambda _: 5000.0, failing=0.3, concurrency=2)
    down = datetime(2026, 3, 27, 12, 10, tzinfo=UTC)
    jobs = [replace(job, policy=job.policy.model_copy(update={"timeout": 90_000.0})) for job in jobs]
    made_up = replace(made_up, downs=[(down, down + timedelta(hours=9)), (SINCE + timedelta(hours=5, minutes=1),) * 2])

    simulation, ledger = _simulated(*jobs, made_up=made_up)

    span = (SINCE, UNTIL)
    due = {
        "night": oracle.due({"at": ["01:30", "02:30"]}, "Europe/Berlin", span),
        "both": oracle.due({"at": "02:30"}, "Europe/Berlin", span, dst="both"),
        "busy": oracle.due({"every": "2h"}, "UTC", span),
    }
    violations = check(due, ledger)
    assert not violations, told(violations)
    assert {name: simulation.stories[name].ticks for name in due} == {name: len(ticks) for name, ticks in due.items()}
    assert simulation.stories["after"].runs >= 5
    assert simulation.most_at_once == 2
    assert any(story.attempts > story.runs for story in simulation.stories.values())


def test_ticks_that_a_step_back_brings_again_have_a_row_more() -> None:
    """Back from 12:10 to 10:50 on a Friday: 11:00, 11:30 and 12:00 come again; the day's job at noon does not."""
    jobs = {job.name: job for job in (definition("busy", {"every": "30m"}), definition("noon", "0 12 * * *"))}
    step = StepBack(shown=datetime(2026, 3, 27, 12, 10, tzinfo=UTC), now=datetime(2026, 3, 27, 10, 50, tzinfo=UTC))
    with scratch() as database:
        simulation = Simulation(jobs, ZoneInfo("UTC"), Inline(database), CALM, SINCE)
        simulation.at(step.shown, lambda: setattr(simulation, "shift", step.now - step.shown))
        simulation.run(UNTIL)
        ledger = whole_ledger(database)
    due = {
        "busy": oracle.due({"every": "30m"}, "UTC", (SINCE, UNTIL)),
        "noon": oracle.due("0 12 * * *", "UTC", (SINCE, UNTIL)),
    }
    again = {(run.job, run.tick, until_of(run.cause)) for run in ledger.runs if until_of(run.cause)}
    violations = check(due, ledger, [step])
    assert not violations, told(violations)
    assert again == {("busy", *one) for one in step.again(due["busy"])}
    assert sorted(f"{tick:%H:%M}" for _, tick, _ in again if tick) == ["11:00", "11:30", "12:00"]
    assert sum(one.fault is Fault.UNFOUNDED for one in check(due, ledger)) == len(again)


def test_a_job_too_slow_for_its_interval_skips_what_it_cannot_reach() -> None:
    """Ten minutes of work every five: each second tick is an overlap, and told as such."""
    simulation, _ = _simulated(
        definition("slow", {"every": "30m"}, timeout="2h"), made_up=replace(CALM, takes_s=lambda _: 2000.0)
    )
    story = simulation.stories["slow"]
    assert story.ticks == story.runs + story.reasons["overlap"] == 7 * 48
    assert 0.4 < story.reasons["overlap"] / story.ticks < 0.55


def test_the_same_seed_lives_the_same_life() -> None:
    """All chance comes from the seed; another one leads elsewhere."""
    job = definition("orders", {"every": "6h"})
    stories = [
        _simulated(job, made_up=replace(CALM, failing=0.5, seed=seed))[0].stories["orders"] for seed in (1, 1, 2)
    ]
    assert stories[0] == stories[1] != stories[2]


def test_what_was_let_go_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long simulation keeps its ledger small, and its figures whole."""
    monkeypatch.setattr(worker.runs.simulation, "_FORGET", 40)
    simulation, kept = _simulated(definition("a", {"every": "1h"}), made_up=replace(CALM, forgets=True))
    assert simulation.stories["a"].ticks == simulation.stories["a"].runs == 7 * 24
    assert len(kept.runs) <= 40


def test_a_disabled_job_lives_quietly() -> None:
    """It has no tick, and no trouble."""
    simulation, ledger = _simulated(disabled(definition("off", {"every": "1h"})))
    assert simulation.stories["off"].ticks == 0
    assert not ledger.runs
    assert not simulation.troubles
