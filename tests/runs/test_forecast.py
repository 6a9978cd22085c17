"""What is coming: fires in columns, and what gets into whose way."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.runs.bench import definition, disabled
from worker.config.configuration import JobDefinition
from worker.runs.collisions import Kind, at_once, changes_of_clocks, collisions
from worker.runs.forecast import Frame, Lane, Prospect, forecast

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRAME = Frame(NOON, HOUR, 12)
BERLIN = ZoneInfo("Europe/Berlin")


def _lanes(*jobs: JobDefinition, frame: Frame = FRAME, **takes_s: float) -> list[Lane]:
    prospects = {name: Prospect(length) for name, length in takes_s.items()}
    return forecast({job.name: job for job in jobs}, BERLIN, frame, prospects)


def test_fires_stand_in_their_columns() -> None:
    """The first instant of the frame belongs to it, the first one after it does not."""
    (lane,) = _lanes(definition("orders", {"every": "4h"}))
    assert lane.counts == (1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    assert lane.whole


def test_what_fires_each_second_is_counted_whole_and_walked_in_part() -> None:
    """Its columns are exact, its instants are the first ones."""
    (lane,) = _lanes(definition("orders", {"every": "1s"}))
    assert lane.counts == (3600,) * 12
    assert not lane.whole
    assert at_once([lane], FRAME) == (1,) * 12


def test_jobs_beyond_the_bound_are_not_looked_at() -> None:
    """Hundreds of busy schedules end the walk; the rest says that nobody counted."""
    jobs = [definition(f"job-{n}", {"every": "1s", "offset": f"{n}ms"}) for n in range(130)]
    lanes = _lanes(*jobs)
    assert 100 <= sum(lane.counted for lane in lanes) <= 102


def test_followers_stand_below_and_begin_when_the_one_before_is_expected_to_end() -> None:
    """A chain is drawn as one family, in order of its first fire."""
    jobs = [
        definition("second", {"after": ["first"]}),
        definition("third", {"after": ["second"]}),
        definition("first", {"every": "6h"}),
        definition("early", {"every": "12h"}),
    ]
    lanes = _lanes(*jobs, first=5400.0)
    assert [(lane.name, lane.depth) for lane in lanes] == [("early", 0), ("first", 0), ("second", 1), ("third", 2)]
    assert lanes[2].fires[0] == NOON + 1.5 * HOUR


def test_hours_close_columns() -> None:
    """12:00 UTC is 13:00 in Berlin: the frame is open up to 15:00 there."""
    (lane,) = _lanes(definition("orders", {"every": "10m"}, hours="08:00-15:00"))
    assert lane.closed == frozenset(range(2, 12))
    assert lane.counts == (6, 6, *(0,) * 10)


def test_blackouts_close_columns_and_keep_their_fires_out() -> None:
    """What will be skipped is no fire; a blackout of half an hour leaves its column open."""
    job = definition("orders", {"every": "10m"}, timezone="UTC", blackout=["14:00-17:00", "18:30-19:00"])
    (lane,) = _lanes(job)
    assert lane.closed == frozenset({2, 3, 4})
    assert lane.counts == (6, 6, 0, 0, 0, 6, 3, 6, 6, 6, 6, 6)


def test_a_follower_waits_for_its_delay() -> None:
    """It begins so long after the one before is expected to end."""
    jobs = [definition("first", {"every": "6h"}), definition("second", {"after": ["first"], "delay": "30m"})]
    _, second = _lanes(*jobs, first=3600.0)
    assert second.fires[0] == NOON + 1.5 * HOUR


def test_a_run_that_outlasts_its_interval_collides_with_itself() -> None:
    """Its second tick would be skipped or would wait; a sentence says which."""
    slow = definition("slow", {"every": "10m"})
    patient = definition("patient", {"every": "10m"}, overlap="queue")
    found = collisions(_lanes(slow, patient, slow=720.0, patient=720.0), 8)
    assert {one.kind for one in found} == {Kind.ITSELF}
    told = {one.jobs[0]: one.what for one in found}
    assert told["slow"] == "a run takes 12 min and the next is due after 10 min: that one is skipped"
    assert "falls further behind" in told["patient"]


def test_more_jobs_in_one_instant_than_may_run_are_a_stampede() -> None:
    """The largest instant is told with its jobs, the others are counted."""
    jobs = [definition(f"job-{n}", {"every": "6h"}) for n in range(5)]
    (found,) = collisions(_lanes(*jobs), 4)
    assert (found.kind, found.at, len(found.jobs)) == (Kind.STAMPEDE, NOON, 5)
    assert "1 other instants" in found.what
    assert collisions(_lanes(*jobs), 5) == []


def test_jobs_that_share_a_mutex_and_meet_are_told() -> None:
    """Each meeting is counted; jobs that never meet are not told of."""
    jobs = [
        definition("a", {"every": "6h"}, mutex="erp"),
        definition("b", {"every": "6h", "offset": "10m"}, mutex="erp"),
        definition("far", {"every": "12h", "offset": "3h"}, mutex="erp"),
    ]
    (found,) = collisions(_lanes(*jobs, a=1200.0, b=60.0, far=60.0), 8)
    assert (found.kind, found.jobs) == (Kind.MUTEX, ("a", "b"))
    assert "wait for each other 2 times" in found.what


def test_runs_at_once_follow_from_durations() -> None:
    """Two runs of three hours, an hour apart, are two at once in the middle."""
    jobs = [definition("a", {"every": "12h"}), definition("b", {"every": "12h", "offset": "1h"})]
    assert at_once(_lanes(*jobs, a=3 * 3600.0, b=3 * 3600.0), FRAME) == (1, 2, 2, 1, *(0,) * 8)


def test_what_will_not_run_collides_with_nothing() -> None:
    """A disabled job is drawn, and takes no place."""
    lanes = _lanes(disabled(definition("slow", {"every": "10m"})), slow=7200.0)
    assert lanes[0].idle == "disabled"
    assert collisions(lanes, 1) == []
    assert at_once(lanes, FRAME) == (0,) * 12


def test_nights_on_which_clocks_change_are_told_for_each_zone() -> None:
    """Berlin leapt at 01:00 UTC on 29 March 2026; a job in UTC has no such night."""
    frame = Frame(datetime(2026, 3, 28, 12, tzinfo=UTC), HOUR, 24)
    lanes = _lanes(definition("a", "0 4 * * *"), definition("b", "0 4 * * *", timezone="UTC"), frame=frame)
    (night,) = changes_of_clocks(lanes, BERLIN, frame)
    assert (night.zone, night.at, night.jobs) == ("Europe/Berlin", datetime(2026, 3, 29, 1, tzinfo=UTC), 1)
    assert (f"{night.before:%H:%M}", f"{night.after:%H:%M}") == ("02:00", "03:00")
