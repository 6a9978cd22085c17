"""Backfills by real daemons: every tick once, whatever dies, and the job's cursor where it was."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import orjson
import pytest

from tests.process.house import DEVICES, House, wait_for
from worker.model.records import Backfill, Run, RunState, Trigger
from worker.sandbox.faults import Fault
from worker.store import backfills

pytestmark = [pytest.mark.process, pytest.mark.slow]

BY_HAND = DEVICES.replace('{ every = "1s" }', '"manual"')
_TICKS = 12


def backfilled(house: House) -> list[Run]:
    """Returns the runs of backfills, oldest first."""
    return [run for run in house.runs() if run.trigger is Trigger.BACKFILL]


def only(house: House) -> Backfill:
    """Returns the one backfill there is."""
    with house.database.read() as connection:
        (found,) = backfills.listing(connection)
    return found


def asked(house: House, ticks: int = _TICKS) -> timedelta:
    """Asks for a backfill over all that the far end has, in so many ticks; returns a tick's length."""
    oldest = min(datetime.fromisoformat(str(row["updated"])) for row in house.sandbox.rows("devices"))
    since, until = oldest - timedelta(seconds=1), datetime.now(UTC)
    every = timedelta(seconds=(until - since).total_seconds() // ticks + 1)
    words = ["--from", since.isoformat(), "--to", until.isoformat(), "--every", f"{every.total_seconds():.0f}s"]
    verb = house.launch("backfill", "devices", *words)
    assert verb.left() == 0, verb.errors.read_text()
    return every


def assert_each_tick_once(house: House) -> None:
    """One run each, over windows that follow upon each other from the beginning to the end."""
    one, found = only(house), backfilled(house)
    assert one.outcome == f"done: {one.total} succeeded"
    assert len(found) == one.total == one.ticks
    assert found[0].window_since == one.since
    assert found[-1].window_until == one.until
    assert [run.window_until for run in found[:-1]] == [run.window_since for run in found[1:]]
    assert house.rows() == house.rows_there()


def test_a_backfill_goes_on_after_kill_9_where_it_was(either_house: House) -> None:
    """Nothing is doubled or lost, and no cursor stands anywhere afterwards: none was there before."""
    house = either_house
    house.configure(BY_HAND, lease="2s")
    house.sandbox.fault(Fault("delay", path="/mobproc", seconds=0.05, times=None))
    daemon = house.start()
    asked(house)
    for ticks in (3, 8):
        wait_for(lambda least=ticks: only(house).ticks >= least, "some ticks")  # type: ignore[misc]
        daemon.kill()
        daemon = house.start()
    wait_for(lambda: only(house).ended_at, "its end", within_s=90)
    daemon.stop()
    assert_each_tick_once(house)
    assert house.cursor() is None


@pytest.mark.postgres
def test_two_daemons_share_a_backfill_and_one_goes_on_without_the_other(postgres_house: House) -> None:
    """Each tick has one run, on whichever node; that of the dead one is attempted again."""
    house = postgres_house
    house.configure(BY_HAND, lease="2s")
    house.sandbox.fault(Fault("delay", path="/mobproc", seconds=0.05, times=None))
    first, second = house.start(), house.start()
    asked(house)
    wait_for(lambda: only(house).ticks >= 4, "some ticks")
    first.kill()
    wait_for(lambda: only(house).ended_at, "its end", within_s=90)
    second.stop()
    assert_each_tick_once(house)


def test_the_schedule_goes_on_beside_a_backfill(either_house: House) -> None:
    """Ticks of the schedule run meanwhile, no two runs overlap, and the cursor is the schedule's alone."""
    house = either_house
    house.configure(DEVICES)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a first run")
    cursor = house.cursor()
    asked(house)
    wait_for(lambda: only(house).ended_at, "its end", within_s=90)
    daemon.stop()
    assert house.cursor() == cursor
    one = only(house)
    during = [run for run in house.runs() if run.trigger is not Trigger.BACKFILL and run.created_at > one.at]
    assert [run for run in during if run.state is RunState.SUCCEEDED]
    spans = sorted((run.started_at, run.finished_at) for run in house.runs() if run.started_at and run.finished_at)
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))
    assert one.outcome == f"done: {one.total} succeeded"


def test_a_paused_job_pauses_its_backfill_which_is_cancelled_in_the_end(house: House) -> None:
    """The listing tells each; nothing begins meanwhile or afterwards."""
    house.configure(BY_HAND)
    daemon = house.start()
    assert house.launch("pause", "devices").left() == 0
    asked(house)
    listed = house.launch("backfill", "--json")
    assert listed.left() == 0
    (row,) = orjson.loads(listed.output.read_text())
    assert (row["status"], row["done"], row["total"]) == ("waits: the job is paused", 0, _TICKS)
    assert house.launch("backfill", "--cancel", row["id"]).left() == 0
    assert house.launch("resume", "devices", "--run-now").left() == 0
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "the run that was asked for")
    daemon.stop()
    assert backfilled(house) == []
    assert str(only(house).outcome).startswith("cancelled by ")
