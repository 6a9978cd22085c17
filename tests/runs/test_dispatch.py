"""What becomes of ticks: each has one row, and one that did not run says why."""

import threading
from datetime import datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from tests.runs.bench import START, Make, definition, disabled
from worker.model.events import RunSkipped
from worker.model.records import Health, Reason, RunState, Tick
from worker.runs.candidates import tick_cause
from worker.store import accounts


def test_a_due_tick_becomes_one_queued_run_that_is_submitted(make_bench: Make) -> None:
    """The tick's row carries its instant, and the engine gets its id."""
    bench = make_bench(definition("orders"))

    bench.fire("orders", 1)

    (run,) = bench.runs()
    assert (run.state, run.tick) == (RunState.QUEUED, START + timedelta(minutes=1))
    assert bench.submitted == [run.id]


def test_a_tick_that_many_nodes_fire_at_once_has_one_row(make_bench: Make) -> None:
    """Nodes that lose the race stay silent: no second row, nothing submitted twice."""
    bench = make_bench(*(definition(f"job-{number}") for number in range(5)))
    nodes = [bench, *(bench.twin() for _ in range(3))]

    def fire_all(node: object) -> None:
        for minute in (1, 2, 3):
            for number in range(5):
                node.fire(f"job-{number}", minute)  # type: ignore[attr-defined]

    threads = [threading.Thread(target=fire_all, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ticks = [(run.job, run.tick) for run in bench.runs() if run.tick_until is None]
    assert len(ticks) == len(set(ticks))
    told = sum(run.ticks for run in bench.runs())
    assert told == 15
    submitted = list(chain.from_iterable(node.submitted for node in nodes))
    assert len(submitted) == len(set(submitted)) == 5


def test_a_tick_during_a_run_is_skipped_with_the_reason_overlap(make_bench: Make) -> None:
    """The default policy runs one at a time and says so in the row."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)

    bench.fire("orders", 2)

    assert bench.states("orders") == ["queued", "skipped"]
    assert bench.last("orders").reason is Reason.OVERLAP
    assert [event for event in bench.heard if isinstance(event, RunSkipped)]


def test_ticks_skipped_in_a_row_for_one_reason_are_one_row_with_a_range(make_bench: Make) -> None:
    """A stuck job does not fill the ledger with a row a minute."""
    bench = make_bench(definition("orders"))

    for minute in range(1, 6):
        bench.fire("orders", minute)

    skipped = bench.last("orders")
    assert len(bench.runs()) == 2
    assert (skipped.ticks, skipped.tick, skipped.tick_until) == (
        4,
        START + timedelta(minutes=2),
        START + timedelta(minutes=5),
    )


def test_ticks_skipped_at_once_are_one_row_too(make_bench: Make) -> None:
    """As after a second in which nobody looked; the first runs, and another job's ticks in between are its own."""
    bench = make_bench(definition("orders"), definition("devices"))
    minutes = [(job, minute) for minute in range(1, 5) for job in ("orders", "devices")]

    bench.dispatch.fire([Tick(job, START + timedelta(minutes=minute)) for job, minute in minutes])
    bench.fire("orders", 5)

    for job, last in (("orders", 5), ("devices", 4)):
        ran, skipped = bench.runs(job)
        assert (ran.tick, ran.state, skipped.state) == (START + timedelta(minutes=1), RunState.QUEUED, RunState.SKIPPED)
        assert (skipped.ticks, skipped.tick_until) == (last - 1, START + timedelta(minutes=last))


def test_of_ticks_at_one_instant_the_highest_priority_is_handed_in_first(make_bench: Make) -> None:
    """The engine begins what it is handed as long as it has a free place."""
    priorities = {"a-low": 0, "b-middle": 3, "c-low": 0, "z-high": 9}
    bench = make_bench(*(definition(name, priority=priority) for name, priority in priorities.items()))
    bench.dispatch.fire([Tick(name, START + timedelta(minutes=1)) for name in priorities])
    jobs = {run.id: run.job for run in bench.runs()}
    assert [jobs[run_id] for run_id in bench.submitted] == ["z-high", "b-middle", "a-low", "c-low"]


def test_a_range_of_skips_does_not_reach_over_a_run(make_bench: Make) -> None:
    """Of two ticks that come at once the first may run; the second is then no part of the range before it."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    bench.fire("orders", 2)
    bench.execute_all()

    bench.fire("orders", 3, 4)

    told = [((run.tick_until or run.tick) - run.tick, run.ticks) for run in bench.runs() if run.tick]
    assert told == [(timedelta(0), 1)] * 4
    assert bench.states("orders") == ["succeeded", "skipped", "queued", "skipped"]


def test_a_queueing_job_runs_its_ticks_one_after_the_other(make_bench: Make) -> None:
    """With overlap = "queue" each tick runs, in order, never two at once."""
    order: list[int] = []
    bench = make_bench(definition("orders", overlap="queue"), act=lambda context: order.append(context.run_id))

    bench.fire("orders", 1, 2, 3)
    bench.execute_all()

    assert bench.states("orders") == ["succeeded"] * 3
    assert order == [run.id for run in bench.runs("orders")]


def test_a_waiting_run_is_not_started_while_another_of_its_job_runs(make_bench: Make) -> None:
    """The lock decides, not the engine: a second submit of a waiting run does nothing."""
    bench = make_bench(definition("orders", overlap="queue"))
    bench.fire("orders", 1, 2)
    second = bench.runs("orders")[1]

    bench.executor.execute(second.id)

    assert bench.states("orders") == ["queued", "queued"]


def test_a_clock_that_was_wrong_for_a_moment_stops_no_job(make_bench: Make) -> None:
    """A machine may come up years ahead and be set right: the ticks from then on are news, and told once."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 10 * 365 * 24 * 60)
    bench.execute_all()
    bench.now = START + timedelta(minutes=1)

    for minute in (1, 1, 2, 2):
        bench.fire("orders", minute)
        bench.execute_all()

    assert bench.states("orders") == ["succeeded"] * 3


def test_jobs_of_a_blocked_account_are_skipped_with_that_reason(make_bench: Make) -> None:
    """A run that could only fail is not begun."""
    job = definition("orders")
    bench = make_bench(type(job)(**{**vars(job), "accounts": frozenset({"erp"})}))
    bench.writer.call(lambda connection: accounts.set_health(connection, "erp", Health.BLOCKED, "refused", START))

    bench.fire("orders", 1)

    assert bench.last("orders").reason is Reason.ACCOUNT
    assert bench.submitted == []


def test_a_disabled_job_that_follows_another_says_so(make_bench: Make) -> None:
    """A disabled job leaves a row with its reason where something asked for it."""
    follower = disabled(definition("reports", {"after": ["orders"]}))
    bench = make_bench(definition("orders"), follower)

    bench.fire("orders", 1)
    bench.execute_all()

    assert bench.last("reports").reason is Reason.DISABLED


def test_a_tick_of_a_job_that_has_just_left_has_a_row(make_bench: Make) -> None:
    """What fell due before a reload and is told after it is no secret; it moves the last tick like any other."""
    bench = make_bench(definition("orders"))
    bench.definitions.clear()
    bench.fire("orders", 1, 2)
    assert [(run.state, run.reason, run.ticks) for run in bench.runs("orders")] == [("skipped", "removed", 2)]
    bench.fire("orders", 1, 2)
    assert [run.ticks for run in bench.runs("orders")] == [2]


def test_the_hour_that_comes_twice_has_two_causes() -> None:
    """Its instants are equal to Python, being of one zone; what is kept of one must not be told of the other."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert tick_cause(first) == "tick:2026-10-25T00:30:00Z"
    assert tick_cause(first.replace(fold=1)) == "tick:2026-10-25T01:30:00Z"
