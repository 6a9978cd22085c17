"""Runs that take longer tell how far they have got."""

from types import SimpleNamespace
from typing import Any, cast

from jobs.contract import Counts
from worker.model.listening import Event, Events
from worker.runs.progress import Progress


def underway(counts: Counts) -> Any:  # noqa: ANN401  as much of an Underway as is looked at
    """Returns a run that began at 100 s."""
    run = SimpleNamespace(job="orders", id=7, attempt=2)
    return SimpleNamespace(started=SimpleNamespace(run=run), context=SimpleNamespace(counts=counts), began_s=100.0)


def test_a_run_is_told_of_when_it_moved_on() -> None:
    """Records per second and the time left come from what it did so far."""
    heard = list[Event]()
    events = Events()
    events.listen(heard.append)
    now, at_work = 120.0, list[Any]()
    progress = Progress(lambda: at_work, events, lambda: now)

    at_work = [underway(Counts())]
    progress.once()
    at_work = [underway(Counts(read=2000, written=1990, rejected=10, pages=2, expected=5000))]
    progress.once()
    now = 130.0
    progress.once()

    (told,) = cast("Any", heard)
    assert (told.run, told.attempt, told.seconds, told.pages, told.read, told.rejected) == (7, 2, 20.0, 2, 2000, 10)
    assert (told.per_s, told.left_s) == (100.0, 30.0)


def test_without_a_total_nothing_is_said_about_the_time_left() -> None:
    """A source that does not tell its total leaves both fields out."""
    heard = list[Event]()
    events = Events()
    events.listen(heard.append)
    Progress(lambda: [underway(Counts(read=5, pages=1))], events, lambda: 101.0).once()
    assert "left_s" not in heard[0].facts()
    assert "expected" not in heard[0].facts()
