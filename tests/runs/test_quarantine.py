"""Quarantine: a job whose runs take the process down again and again is paused by the worker itself."""

from datetime import timedelta
from functools import partial

import pytest

from tests.runs.bench import Bench, Make, definition
from worker.model.events import JobQuarantined
from worker.model.moments import new_id
from worker.model.records import Reason, RunState
from worker.runs.cancelling import ask
from worker.runs.candidates import of_request
from worker.runs.claims import record
from worker.runs.starting import Started, start
from worker.store import jobs


def _start(bench: Bench, job: str, node: int) -> Started | None:
    bench.now += timedelta(seconds=1)
    run_id = next(run.id for run in bench.runs(job) if run.state is RunState.QUEUED)
    return bench.writer.call(partial(start, book=bench.book(), run_id=run_id, node_id=node, now=bench.now))


def _die(bench: Bench, *names: str) -> list[str]:
    """Starts the jobs' queued runs on a node that dies then; returns those that could start."""
    node = new_id()
    bench.register(node, silent_for_s=3600.0)
    begun = [name for name in names if _start(bench, name, node)]
    bench.pulse.rescue()
    return begun


def _row(bench: Bench, job: str = "poison") -> jobs.JobRow:
    with bench.database.read() as connection:
        row = jobs.get(connection, job)
    assert row is not None
    return row


def _resume(bench: Bench) -> None:
    bench.now += timedelta(seconds=1)
    assert bench.writer.call(lambda connection: jobs.resume(connection, ["poison"], bench.now)) == ["poison"]


def test_three_deaths_in_a_row_put_a_job_into_quarantine(make_bench: Make) -> None:
    """Its run fails, its row says who paused it and what to do, an event of the level error tells it."""
    bench = make_bench(definition("poison"), definition("fine"))
    bench.fire("poison", 1)

    for _ in range(3):
        assert _row(bench).quarantined_at is None
        _die(bench, "poison")

    run, row = bench.last("poison"), _row(bench)
    assert (run.state, run.reason, run.attempt) == (RunState.FAILED, Reason.NODE_DIED, 3)
    assert (row.quarantined_at, row.paused_at, row.paused_by) == (bench.now, bench.now, "worker")
    assert f"`worker show {run.id}`" in str(row.paused_why)
    assert "then `worker resume poison`" in str(row.paused_why)
    (told,) = (event for event in bench.heard if isinstance(event, JobQuarantined))
    assert (told.level, told.job, told.run, told.reason) == ("error", "poison", run.id, row.paused_why)


def test_its_ticks_and_requests_are_skipped_with_that_reason_and_others_go_on(make_bench: Make) -> None:
    """A request by hand would take the process down as well: it has to be resumed first."""
    bench = make_bench(definition("poison"), definition("fine"))
    bench.fire("poison", 1)
    for _ in range(3):
        _die(bench, "poison")

    bench.fire("poison", 2)
    bench.fire("fine", 2)
    request = of_request(bench.definitions["poison"], 7, bench.now, {})
    bench.writer.call(lambda connection: record(connection, bench.book(), [request], bench.now))
    bench.execute_all()

    assert [run.reason for run in bench.runs("poison")[1:]] == [Reason.QUARANTINED] * 2
    assert bench.states("fine") == ["succeeded"]


def test_a_run_claimed_a_moment_ago_does_not_start_either(make_bench: Make) -> None:
    """A daemon that is started anew at once finds runs that were claimed seconds before the last death."""
    bench = make_bench(definition("poison"))
    bench.fire("poison", 1)
    (run,) = bench.runs("poison")
    bench.now = run.created_at
    bench.writer.call(lambda connection: jobs.quarantine(connection, "poison", "it dies", bench.now))

    assert _start(bench, "poison", new_id()) is None
    assert bench.states("poison") == ["queued"]


def test_deaths_count_over_the_runs_of_a_job(make_bench: Make) -> None:
    """A second run's first death is the third in a row; what waits of that run waits on."""
    bench = make_bench(definition("poison", overlap="queue"))
    bench.fire("poison", 1, 2)
    first = bench.runs("poison")[0]
    _die(bench, "poison")
    _die(bench, "poison")
    bench.writer.call(lambda connection: ask(connection, bench.book(), first.id, "ada", bench.now))

    _die(bench, "poison")

    assert _row(bench).quarantined_at is not None
    assert bench.states("poison") == ["cancelled", "queued"]
    bench.now += timedelta(minutes=1)
    bench.inbox.once()
    assert bench.submitted.count(bench.last("poison").id) <= 1
    bench.execute_all()
    assert bench.states("poison") == ["cancelled", "queued"]


def test_an_end_of_any_other_kind_breaks_the_row(make_bench: Make) -> None:
    """Power cuts now and then put no job into quarantine."""
    bench = make_bench(definition("poison"))
    for minute in (1, 2, 3):
        bench.fire("poison", minute)
        _die(bench, "poison")
        _die(bench, "poison")
        bench.now += timedelta(minutes=1)
        bench.inbox.once()
        bench.execute_all()

    assert bench.states("poison") == ["succeeded"] * 3
    assert _row(bench).quarantined_at is None


def test_after_a_resume_deaths_are_counted_anew(make_bench: Make) -> None:
    """One more death is no relapse; three are."""
    bench = make_bench(definition("poison"))
    bench.fire("poison", 1)
    for _ in range(3):
        _die(bench, "poison")
    _resume(bench)

    bench.fire("poison", 60)
    for _ in range(2):
        _die(bench, "poison")
        assert _row(bench).quarantined_at is None
    _die(bench, "poison")

    assert _row(bench).quarantined_at is not None


def test_who_was_only_underway_ends_before_the_third_death(make_bench: Make) -> None:
    """Runs whose process died twice get their last chance one after the other, so that only the culprit is caught."""
    bench = make_bench(definition("innocent"), definition("poison"))
    bench.fire("innocent", 1)
    bench.fire("poison", 1)
    for _ in range(2):
        assert _die(bench, "innocent", "poison") == ["innocent", "poison"]

    bench.now += timedelta(minutes=1)
    begun = [_start(bench, name, bench.node) is not None for name in ("innocent", "poison")]
    assert begun == [True, False]
    bench.twin().pulse.rescue()
    assert bench.states("innocent") == ["running"]


@pytest.mark.parametrize("first", ["poison", "innocent"])
def test_the_culprit_is_caught_whoever_goes_first(make_bench: Make, first: str) -> None:
    """The innocent one that waited succeeds when the culprit has failed, or before it."""
    bench = make_bench(definition("innocent"), definition("poison"))
    second = {"poison": "innocent", "innocent": "poison"}[first]
    bench.fire(first, 1)
    bench.fire(second, 1)
    for _ in range(2):
        _die(bench, first, second)

    bench.now += timedelta(minutes=1)
    if first == "innocent":
        bench.submitted = [bench.last("innocent").id]
        bench.execute_all()
    assert _die(bench, "poison") == ["poison"]
    bench.inbox.once()
    bench.execute_all()

    assert bench.states("innocent") == ["succeeded"]
    assert bench.states("poison") == ["failed"]
    assert (_row(bench, "innocent").quarantined_at, _row(bench).quarantined_at) == (None, bench.now)
