"""The clock tells each instant that falls due, exactly, in order, at least once, and outlives whoever listens."""

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.listening import Hands, Listener
from tests.examples import examples
from worker.engine import clock as clock_module
from worker.engine import handover as handover_module
from worker.engine.clock import Clock
from worker.engine.schedule import Occurrences, Span, occurrences
from worker.model.moments import utc_now
from worker.model.records import Tick
from worker.model.schedules import Every, Once

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 23, 12, tzinfo=UTC)  # what the injected wall clock shows first


UTC_ZONE = ZoneInfo("UTC")


def every(seconds: float) -> Occurrences:
    """Returns the occurrences of `{ every = }`."""
    found = occurrences(Every(every=float(seconds)), UTC_ZONE, "job")
    assert found is not None
    return found


def once(at: datetime) -> Occurrences:
    """Returns the occurrences of `{ once = }`."""
    found = occurrences(Once(once=at), UTC_ZONE, "job")
    assert found is not None
    return found


class Broken(Occurrences):
    """Answers once, then raises."""

    def __init__(self, first: datetime) -> None:
        self.first: datetime | None = first

    def next_after(self, moment: datetime) -> datetime | None:
        """Returns the first instant, and raises from then on."""
        if self.first is None:
            raise RuntimeError("no more tzdata")
        first, self.first = self.first, None
        return first

    def describe(self) -> str:
        """Says what it is."""
        return "broken"


def test_ticks_carry_their_exact_instant(clock: Clock, listener: Listener, hands: Hands) -> None:
    """A pass that comes late tells the scheduled instant, and the first lies strictly after the one given."""
    clock.set("a", every(60), START)
    assert clock.once() == 0
    hands.turn(60.5)
    assert clock.once() == 1
    assert clock.once() == 0
    assert listener.ticks == [Tick("a", START + MINUTE)]
    assert clock.next_fire("a") == START + 2 * MINUTE


def test_all_that_is_due_comes_at_once(clock: Clock, listener: Listener, hands: Hands) -> None:
    """Ticks of one instant, and those missed since, make one batch: one transaction for whoever claims them."""
    for number in range(50):
        clock.set(f"job-{number:02}", every(60), START)
    clock.set("fast", every(20), START)
    hands.turn(60)
    assert clock.once() == 53
    assert len(listener.batches) == 1
    assert [tick.at for tick in listener.ticks if tick.job == "fast"] == [START + n * 20 * SECOND for n in (1, 2, 3)]
    assert {tick.job for tick in listener.ticks} == {*(f"job-{number:02}" for number in range(50)), "fast"}


def test_ticks_missed_before_the_start_are_told(clock: Clock, listener: Listener) -> None:
    """A job set with the ledger's last tick gets every tick since, in order."""
    clock.set("a", every(60), START - 5 * MINUTE)
    clock.once()
    assert [tick.at for tick in listener.ticks] == [START - n * MINUTE for n in (4, 3, 2, 1, 0)]


def test_a_thousand_missed_ticks_are_told_one_by_one(clock: Clock, listener: Listener, hands: Hands) -> None:
    """Up to the bound each missed tick is told."""
    clock.set("a", every(1), START - 1000 * SECOND)
    assert clock.once() == 1000
    assert listener.gaps == []


def test_more_are_told_as_one_gap(clock: Clock, listener: Listener, hands: Hands) -> None:
    """Past the bound the job's whole gap is told with first, last and count, and the job goes on from now."""
    clock.set("a", every(1), START - 21600 * SECOND)
    clock.set("b", every(3600), START - 21600 * SECOND)
    clock.once()
    assert listener.gaps == [("a", Span(START - 21599 * SECOND, START, 21600))]
    assert {tick.job for tick in listener.ticks} == {"b"}
    assert clock.next_fire("a") == START + SECOND
    hands.turn(1)
    clock.once()
    assert listener.ticks[-1] == Tick("a", START + SECOND)


def test_a_leap_is_made_up_for_as_a_downtime(clock: Clock, listener: Listener, hands: Hands) -> None:
    """What the wall clock leapt over, or a process slept through, is a gap; what falls due just then is a tick."""
    clock.set("a", every(60), START)
    clock.set("daily", every(3600), START)
    clock.set("now", every(7200), START)
    hands.turn(7200)
    clock.once()
    assert dict(listener.gaps) == {
        "a": Span(START + MINUTE, START + 120 * MINUTE, 120),
        "daily": Span(START + 60 * MINUTE, START + 120 * MINUTE, 2),
    }
    assert listener.ticks == [Tick("now", START + 120 * MINUTE)]


def test_a_clock_that_was_wrong_and_is_set_right_stops_no_job(clock: Clock, listener: Listener, hands: Hands) -> None:
    """After a step back of a year a job does not wait for a year."""
    clock.set("job", every(60), START)
    hands.turn(365 * 86_400)
    clock.once()
    told = len(listener.ticks)
    hands.turn(-365 * 86_400)
    clock.once()
    assert clock.next_fire("job") == START + MINUTE
    hands.turn(60)
    clock.once()
    until = START + 365 * 1440 * MINUTE + MINUTE
    assert listener.ticks[told:] == [Tick("job", START + MINUTE, until)]


def test_a_step_back_tells_nothing_twice(clock: Clock, listener: Listener, hands: Hands) -> None:
    """When the wall clock goes back over one instant of a job, that is not told again: a day's job runs once a day."""
    clock.set("a", every(86_400), START)
    hands.turn(43_200)  # midnight
    clock.once()
    hands.turn(-3600)
    assert clock.once() == 0
    for _ in range(50):
        hands.turn(1800)
        clock.once()
    assert [tick.at for tick in listener.ticks] == [START + n * 720 * MINUTE for n in (1, 3)]


def test_a_step_back_stalls_nothing(clock: Clock, listener: Listener, hands: Hands) -> None:
    """A job that is due often goes on, and says which instants come again, until it is where it had been."""
    clock.set("a", every(1800), START)
    for _ in range(4):
        hands.turn(1800)
        clock.once()
    hands.turn(-3600)
    clock.once()
    for _ in range(3):
        hands.turn(1800)
        clock.once()
    until = START + 150 * MINUTE
    again = [(90, until), (120, until), (150, None)]
    told = [
        Tick("a", START + n * MINUTE, mark) for n, mark in [(30, None), (60, None), (90, None), (120, None), *again]
    ]
    assert listener.ticks == told


def test_a_start_after_a_step_back_stalls_nothing(clock: Clock, listener: Listener, hands: Hands) -> None:
    """What an earlier process told before the wall clock was set back comes again; a day's job waits."""
    clock.set("a", every(60), START)
    clock.set("day", every(86_400), START)
    last = START + 60 * MINUTE
    clock.recall({"a": last, "day": START + 720 * MINUTE, "gone": last}, START)
    hands.turn(60)
    clock.once()
    assert listener.ticks == [Tick("a", START + MINUTE, last + MINUTE)]


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.floats(-600, 900), st.booleans()), max_size=25))
def test_each_tick_is_told_once_whatever_the_wall_clock_does(moves: list[tuple[float, bool]]) -> None:
    """Over jumps in both directions and failing listeners: alone or in a gap, but for those that come again."""
    now = [START]
    told: list[Tick] = []
    failing = [False]

    def on_due(ticks: Sequence[Tick]) -> None:
        if failing[0]:
            raise OSError("database is away")
        told.extend(ticks)

    def on_gap(_job: str, span: Span) -> None:
        known = {tick.at for tick in told}  # as the ledger knows them
        missed = every(60).between(max(span.first - SECOND, START), span.last, 10**6)
        on_due([Tick("a", at) for at in missed if at not in known])

    clock = Clock(on_due, on_gap, lambda _what, _error: None, now=lambda: now[0])
    clock.set("a", every(60), START)
    latest = START
    for seconds, fails in [*moves, (0.0, False)]:
        now[0] += timedelta(seconds=seconds)
        failing[0] = fails
        clock.once()
        latest = max(latest, now[0])
    clock.stop()
    first = [tick for tick in told if tick.again is None]
    assert all(tick.at < tick.again for tick in told if tick.again)
    assert first == [Tick("a", at) for at in every(60).between(START, latest, 10**6)]


def test_set_replaces_and_remove_forgets(clock: Clock, listener: Listener, hands: Hands) -> None:
    """A job is on the clock once, with its latest schedule, until it is removed."""
    clock.set("a", every(60), START)
    clock.set("b", every(60), START)
    clock.set("a", every(3600), START)
    assert clock.names() == ["a", "b"]
    assert clock.next_fire("a") == START + timedelta(hours=1)
    clock.remove("b")
    clock.remove("never there")
    assert clock.names() == ["a"]
    assert clock.next_fire("b") is None
    hands.turn(60)
    assert clock.once() == 0


def test_a_single_instant_leaves_the_clock(clock: Clock, listener: Listener, hands: Hands) -> None:
    """A job with no instant to come is not on the clock, whether it was told or passed before."""
    clock.set("a", once(START + SECOND), START)
    clock.set("past", once(START), START)
    assert clock.names() == ["a"]
    hands.turn(1)
    clock.once()
    assert listener.ticks == [Tick("a", START + SECOND)]
    assert clock.names() == []


def test_setting_a_past_instant_takes_the_former_off(clock: Clock) -> None:
    """A job whose new schedule has no instant to come keeps none of the old one's."""
    clock.set("a", every(60), START)
    clock.set("a", once(START), START)
    assert clock.names() == []


def test_what_is_refused_is_kept_in_order(clock: Clock, listener: Listener, hands: Hands) -> None:
    """Ticks and gaps that a listener refuses are told again, none lost, none before an earlier one of its job."""
    clock.set("a", every(1), START)
    listener.refuse = OSError("database is away")
    hands.turn(2)
    assert clock.once() == 0
    hands.turn(5000)
    assert clock.once() == 0
    assert [type(error) for _, error in listener.errors] == [OSError, OSError]
    assert listener.errors[0][0] == "2 due ticks could not be handed over and are kept"
    hands.turn(1)
    listener.refuse = None
    clock.once()
    assert [tick.at for tick in listener.batches[0]] == [START + n * SECOND for n in (1, 2)]
    assert listener.gaps == [("a", Span(START + 3 * SECOND, START + 5002 * SECOND, 5000))]
    assert [tick.at for tick in listener.batches[1]] == [START + 5003 * SECOND]


def test_a_full_queue_pauses_the_clock_and_loses_nothing(clock: Clock, listener: Listener, hands: Hands) -> None:
    """While the listener refuses for long, ticks wait in the schedule and not in memory."""
    for number in range(11):
        clock.set(f"job-{number}", every(1), START - 1000 * SECOND)
    listener.refuse = OSError("database is away")
    clock.once()
    hands.turn(50)
    clock.once()
    assert listener.errors[-1][0].startswith("11000 due ticks")
    listener.refuse = None
    clock.once()
    clock.once()
    assert len(listener.ticks) == 11 * 1050
    ours = [tick.at for tick in listener.ticks if tick.job == "job-7"]
    assert ours == [START + n * SECOND for n in range(-999, 51)]


def test_one_broken_schedule_stops_no_other(clock: Clock, listener: Listener, hands: Hands) -> None:
    """A schedule that raises leaves the clock with a message that names its job; the others go on."""
    clock.set("a", every(60), START)
    clock.set("broken", Broken(START + MINUTE), START)
    clock.set("c", every(60), START)
    hands.turn(60)
    clock.once()
    assert [tick.job for tick in listener.ticks] == ["a", "c"]
    assert [what for what, _ in listener.errors] == ["the schedule of job broken failed, and the job left the clock"]
    assert clock.names() == ["a", "c"]


def test_a_failing_error_listener_harms_nobody(hands: Hands, caplog: pytest.LogCaptureFixture) -> None:
    """When even the listener for errors raises, the clock logs and goes on."""

    def refuse(*_: object) -> None:
        raise ValueError("no")

    clock = Clock(refuse, refuse, refuse, now=hands)
    clock.set("a", every(60), START)
    hands.turn(60)
    assert clock.once() == 0
    assert "on_error failed" in caplog.text
    clock.stop()


def test_apscheduler_keeps_quiet(clock: Clock, hands: Hands, caplog: pytest.LogCaptureFixture) -> None:
    """APScheduler's own lines, one per job, do not reach the log."""
    caplog.set_level(logging.INFO)
    clock.set("a", every(60), START)
    clock.start()
    clock.remove("a")
    clock.stop()
    assert not [record for record in caplog.records if record.name.startswith("apscheduler")]


def test_a_started_clock_tells_in_real_time(listener: Listener) -> None:
    """On the real wall clock a tick arrives once its instant has come, not before."""
    clock = Clock(listener.on_due, listener.on_gap, listener.on_error)
    at = utc_now() + timedelta(milliseconds=50)
    clock.set("a", once(at), at - SECOND)
    clock.start()
    assert listener.heard.wait(20)
    assert utc_now() >= at
    assert listener.ticks == [Tick("a", at)]
    assert clock.stop()


def test_a_job_set_later_wakes_the_clock(clock: Clock, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that waits for nothing takes up a new job at once, not when it would look at the time again."""
    monkeypatch.setattr(clock_module, "_LONGEST_WAIT_S", 3600.0)
    clock.start()
    clock.set("a", once(START), START - SECOND)
    assert listener.heard.wait(20)


def test_a_jump_is_noticed_though_nothing_wakes_the_clock(
    clock: Clock, listener: Listener, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock looks at the time at least each few seconds, so a jump forward makes it tell."""
    assert clock_module._LONGEST_WAIT_S <= 5
    monkeypatch.setattr(clock_module, "_LONGEST_WAIT_S", 0.01)
    clock.set("a", every(3600), START)
    clock.start()
    hands.turn(3600)
    assert listener.heard.wait(20)
    assert listener.ticks == [Tick("a", START + timedelta(hours=1))]


def test_a_refusal_is_offered_again_by_itself(
    clock: Clock, listener: Listener, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A started clock tries again with growing pauses, with what has come since."""
    monkeypatch.setattr(handover_module, "_FIRST_BACKOFF_S", 0.001)
    refusals = iter([OSError("one"), OSError("two")])
    told = threading.Event()
    batches: list[list[Tick]] = []

    def on_due(ticks: Sequence[Tick]) -> None:
        refusal = next(refusals, None)
        if refusal is not None:
            raise refusal
        batches.append(list(ticks))
        told.set()

    made = Clock(on_due, listener.on_gap, listener.on_error, now=hands)
    made.set("a", every(1), START - 3 * SECOND)
    made.start()
    assert told.wait(20)
    assert made.stop()
    assert [tick.at for tick in batches[0]] == [START - n * SECOND for n in (2, 1, 0)]
    assert [str(error) for _, error in listener.errors] == ["one", "two"]


def test_the_pause_is_bounded(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a listener has refused, the pause is at most the longest, and is cut short by a stop."""
    pauses: list[float] = []
    handover = handover_module.Handover(handover_module.Callbacks(listener.on_due, listener.on_gap, listener.on_error))
    monkeypatch.setattr(handover._changed, "wait_for", lambda _predicate, timeout: pauses.append(timeout))
    for failures in (1, 2, 5000):
        handover._failures = failures
        handover._has_work()
    assert pauses == [0.1, 0.2, 5.0]


def test_stop_offers_once_more(clock: Clock, listener: Listener, hands: Hands) -> None:
    """What waits when the clock stops is told before it ends, and nothing after."""
    listener.refuse = OSError("database is away")
    clock.set("a", every(60), START)
    hands.turn(60)
    clock.once()
    listener.refuse = None
    clock.start()
    assert clock.stop()
    assert listener.ticks == [Tick("a", START + MINUTE)]
    hands.turn(60)
    assert not listener.batches[1:]


def test_stop_is_bounded_while_a_listener_hangs(hands: Hands) -> None:
    """A listener that does not return holds up a stop for the time given, and the answer says so."""
    entered, release = threading.Event(), threading.Event()

    def on_due(_ticks: Sequence[Tick]) -> None:
        entered.set()
        release.wait(30)

    clock = Clock(on_due, lambda _job, _span: None, lambda _what, _error: None, now=hands)
    clock.set("a", every(60), START - MINUTE)
    clock.start()
    assert entered.wait(20)
    assert clock.stop(timeout_s=0.05) is False
    release.set()
    assert clock.stop(timeout_s=5)


def test_stop_comes_at_once_while_nothing_is_due(clock: Clock) -> None:
    """A waiting clock ends when told, without waiting out its pause, also when stopped twice or never started."""
    clock.set("a", every(3600), START)
    clock.start()
    assert clock.stop(timeout_s=2)
    assert clock.stop(timeout_s=2)
    unstarted = Clock(print, print, print)
    assert unstarted.stop()


def test_threads_may_set_while_the_clock_tells(clock: Clock, listener: Listener, hands: Hands) -> None:
    """Jobs that come and go from other threads neither break the clock nor each other."""
    clock.start()

    def come_and_go(number: int) -> None:
        for round_ in range(100):
            clock.set(f"job-{number}", every(60), START - (round_ % 3) * MINUTE)
            clock.names()
        clock.set(f"job-{number}", every(60), START)

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert clock.names() == [f"job-{number}" for number in range(4)]
    assert clock.stop()
    assert listener.errors == []
    assert all(tick.at <= hands.now for tick in listener.ticks)
