"""Rate limits and odd replies, in the order of apis.md 2.5, over HTTP and the worker's own calls."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from jobs.contract import BadAnswer, FailedAnswer, Unanswered, WorkerError
from tests.traps.plant import Done, Plant, incidents
from worker.sandbox.faults import Fault
from worker.sandbox.server import Sandbox

_TABLE = "/api/now/table/incident"


def _assert_complete(plant: Plant, sandbox: Sandbox, job: str, done: Done) -> None:
    assert done.error is None
    assert plant.ids(job) == sorted(sandbox.ids("incident"))


def test_2_5_1_a_limit_by_the_hour_with_headers(plant: Plant, sandbox: Sandbox) -> None:
    """The far end names a time near an hour off: the run ends, and says when it may be tried again."""
    sandbox.trap(rate_limit=3)
    error = plant.run("r1", incidents("r1", size=4)).error
    assert isinstance(error, FailedAnswer)
    assert error.status == 429
    assert error.retry_after_s is not None
    assert 3500 < error.retry_after_s <= 3600
    assert len(plant.rows("r1")) == 12
    sandbox.clear_traps()
    _assert_complete(plant, sandbox, "r1", plant.run("r1", incidents("r1", size=4)))


def test_2_5_1_a_short_wait_is_waited_for(plant: Plant, sandbox: Sandbox) -> None:
    """One second, as Retry-After says: the same run goes on."""
    sandbox.trap(rate_limit=3, rate_window_s=0.6)
    began = time.monotonic()
    done = plant.run("r2", incidents("r2", size=8))
    _assert_complete(plant, sandbox, "r2", done)
    assert set(done.retried) == {"answered 429"}
    assert time.monotonic() - began >= 1


def test_2_5_2_429_without_any_header(plant: Plant, sandbox: Sandbox) -> None:
    """A queue at the instance is full: asked again after a wait of the account's own."""
    sandbox.fault(Fault("status", path=_TABLE, status=429, after=1))
    done = plant.run("r3", incidents("r3"))
    _assert_complete(plant, sandbox, "r3", done)
    assert done.retried == ["answered 429"]


def test_2_5_3_202_without_a_body(plant: Plant, sandbox: Sandbox) -> None:
    """As it comes with too many requests at once: asked again, and no empty page."""
    sandbox.fault(Fault("empty", path=_TABLE, status=202, after=2))
    done = plant.run("r4", incidents("r4"))
    _assert_complete(plant, sandbox, "r4", done)
    assert done.retried == ["answered 202 without a body"]


_SPANS = """
[jobs.{job}]
type = "sync"
schedule = "manual"
prefetch = 4
destination = {{ table = "{job}", key = "sys_id" }}

[jobs.{job}.source]
account = "servicenow"
path = "/api/now/table/incident"
records = "result"
slices = {{ by = "1d", from = "{since:%Y-%m-%d}", parallel = 4 }}

[jobs.{job}.source.params]
sysparm_query = "sys_updated_on>={{slice.since}}^sys_updated_on<{{slice.until}}^ORDERBYsys_id"
"""


@pytest.mark.parametrize("times", [1, 2, 3])
def test_2_5_3_202_beyond_so_many_at_once(plant: Plant, sandbox: Sandbox, times: int) -> None:
    """Four spans of time are asked for at once, of which the instance bears two: none of them is taken for empty."""
    job, now = f"r5_{times}", datetime.now(UTC)
    for place, key in enumerate(sandbox.ids("incident")):
        sandbox.touch("incident", [key], at=now - timedelta(days=place % 8, minutes=5))
    sandbox.trap(parallel=2, latency_s=0.01)
    text = _SPANS.format(job=job, since=now - timedelta(days=9))
    done = plant.run(job, text)
    for _ in range(20):  # a run that met too many 202 in a row fails, and goes on where it stood
        if done.error is None:
            break
        assert isinstance(done.error, Unanswered)
        done = plant.run(job, text)
    _assert_complete(plant, sandbox, job, done)


@pytest.mark.parametrize("heavy", ["cancelled", "partial", "cut", "504"])
def test_2_5_4_pages_that_are_too_much_for_the_instance(plant: Plant, sandbox: Sandbox, heavy: str) -> None:
    """200 with an error, alone or behind half of the rows, JSON cut off, a gateway that gave up: pages shrink."""
    job = f"r6_{heavy}"
    sandbox.trap(heavy_rows=3, heavy=heavy)
    done = plant.run(job, incidents(job, size=16))
    _assert_complete(plant, sandbox, job, done)
    assert [text for text in done.warned if "asked for instead" in text][:3] == [
        "a page of 16 records failed, 8 are asked for instead",
        "a page of 8 records failed, 4 are asked for instead",
        "a page of 4 records failed, 2 are asked for instead",
    ]


@pytest.mark.parametrize("kind", ["cancelled", "partial", "malformed_json", "truncate"])
def test_2_5_5_one_answer_that_is_spoiled(plant: Plant, sandbox: Sandbox, kind: str) -> None:
    """In the middle of a walk: none of its rows is taken twice, and none is left out."""
    job = f"r7_{kind}"
    sandbox.fault(Fault(kind, path=_TABLE, after=1))
    done = plant.run(job, incidents(job))
    _assert_complete(plant, sandbox, job, done)
    assert done.counts.read == done.counts.written


def test_2_5_5_an_instance_that_can_bear_nothing(plant: Plant, sandbox: Sandbox) -> None:
    """Where one row is too much, the run fails in the far end's words."""
    sandbox.fault(Fault("cancelled", path=_TABLE, times=None))
    error = plant.run("r8", incidents("r8")).error
    assert isinstance(error, WorkerError)
    assert "maximum execution time exceeded" in str(error)


def test_2_5_6_an_instance_that_sleeps(plant: Plant, sandbox: Sandbox) -> None:
    """Its page for people is told for what it is, and another attempt may help."""
    sandbox.fault(Fault("hibernating", path=_TABLE))
    error = plant.run("r9", incidents("r9")).error
    assert isinstance(error, BadAnswer)
    assert not error.permanent
    assert "the instance is asleep; sign in to it, which wakes it" in str(error)


def test_2_5_7_calls_can_be_told_apart_in_the_logs_of_both(plant: Plant, sandbox: Sandbox) -> None:
    """The trail has a row for each request that the far end saw, in the same order."""
    sandbox.forget_calls()
    before = len(plant.house.calls())
    assert plant.run("r10", incidents("r10")).error is None
    seen = [(call.method, call.path) for call in sandbox.calls("/api/now")]
    told = [(call.method, call.url.split("?")[0]) for call in plant.house.calls()[before:] if "/api/now" in call.url]
    assert seen
    assert told == [(method, f"{sandbox.servicenow_url}{path}") for method, path in seen]
