"""Queued runs of what somebody paused wait; ticks are skipped; what a person asks for of a paused job runs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jobs.contract import RetryLater
from tests.runs.bench import START, Bench, Make, definition
from tests.runs.operating import ask
from worker.config.configuration import JobDefinition
from worker.model.records import Health, Reason, RunState
from worker.store import accounts


def of_erp(name: str, **policy: object) -> JobDefinition:
    """Returns a job that runs under the account `erp`."""
    return replace(definition(name, **policy), accounts=frozenset({"erp"}))


def _later(bench: Bench) -> None:
    """Lets a minute pass, and looks for what may start."""
    bench.now += timedelta(minutes=1)
    bench.inbox.once()
    bench.execute_all()


@pytest.mark.parametrize(("verb", "target"), [("pause", "orders"), ("pause account", "erp")])
def test_a_retry_waits_until_the_pause_is_over(make_bench: Make, verb: str, target: str) -> None:
    """No attempt begins meanwhile, by whatever way the run is handed to the engine; then it goes on where it was."""
    begun: list[int] = []

    def act(context: object) -> None:
        begun.append(context.attempt)  # type: ignore[attr-defined]
        if len(begun) == 1:
            raise RetryLater("not yet", 10.0)

    bench = make_bench(of_erp("orders"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()
    ask(bench, verb, target)

    _later(bench)
    bench.executor.execute(bench.last("orders").id)
    assert (bench.states("orders"), begun) == (["queued"], [1])
    ask(bench, verb.replace("pause", "resume"), target)
    _later(bench)

    assert (bench.states("orders"), begun) == (["succeeded"], [1, 2])


def test_runs_that_wait_in_line_wait_on(make_bench: Make) -> None:
    """With overlap = "queue" what had its turn coming when the job was paused begins after the resume, in order."""
    bench = make_bench(definition("orders", overlap="queue"))
    bench.fire("orders", 1, 2)
    bench.submitted.clear()
    ask(bench, "pause", "orders")

    _later(bench)
    assert bench.states("orders") == ["queued", "queued"]
    ask(bench, "resume", "orders")
    _later(bench)

    assert bench.states("orders") == ["succeeded", "succeeded"]


def test_a_run_that_waits_gives_its_mutex_to_others(make_bench: Make) -> None:
    """A paused job does not hold up the jobs that share a mutex with it."""
    bench = make_bench(of_erp("orders", mutex="erp"), definition("reports", mutex="erp"))
    bench.fire("orders", 1)
    bench.submitted.clear()
    ask(bench, "pause account", "erp")
    bench.now += timedelta(minutes=1)
    bench.executor.execute(bench.last("orders").id)

    bench.fire("reports", 2)
    bench.execute_all()

    assert (bench.states("orders"), bench.states("reports")) == (["queued"], ["succeeded"])


def test_what_a_person_asks_for_runs_though_the_job_is_paused(make_bench: Make) -> None:
    """The pause holds back the schedule; its retries go on, too."""
    tries: list[int] = []

    def act(context: object) -> None:
        tries.append(context.attempt)  # type: ignore[attr-defined]
        if len(tries) == 1:
            raise ValueError("no luck")

    bench = make_bench(of_erp("orders"), act=act)
    ask(bench, "pause", "orders")

    ask(bench, "trigger", "orders")
    bench.execute_all()
    _later(bench)

    assert (bench.states("orders"), tries) == (["succeeded"], [1, 2])


@pytest.mark.parametrize(("paused", "reason"), [(True, Reason.ACCOUNT_PAUSED), (False, Reason.ACCOUNT)])
def test_nothing_runs_under_a_paused_or_blocked_account(make_bench: Make, paused: bool, reason: Reason) -> None:
    """Ticks and requests by hand are skipped with that reason; other jobs go on; afterwards all of its jobs do."""
    bench = make_bench(of_erp("orders"), of_erp("parts"), definition("reports"))
    if paused:
        ask(bench, "pause account", "erp")
    else:
        bench.writer.call(lambda it: accounts.set_health(it, "erp", Health.BLOCKED, "refused", START))

    for name in ("orders", "parts", "reports"):
        bench.fire(name, 1)
    ask(bench, "trigger", "parts")
    bench.execute_all()
    told = {(run.job, run.state, run.reason) for run in bench.runs()}

    assert told == {
        ("orders", RunState.SKIPPED, reason),
        ("parts", RunState.SKIPPED, reason),
        ("reports", RunState.SUCCEEDED, None),
    }
    if paused:
        ask(bench, "resume account", "erp")
    else:
        bench.writer.call(lambda it: accounts.set_health(it, "erp", Health.FRESH, None, START))
    for name in ("orders", "parts"):
        bench.fire(name, 2)
    bench.execute_all()
    assert [bench.last(name).state for name in ("orders", "parts")] == [RunState.SUCCEEDED] * 2
