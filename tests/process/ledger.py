"""What the process tests ask of a ledger."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from worker.model.records import Run

_SECOND = timedelta(seconds=1)


def assert_every_second_once(runs: Iterable[Run]) -> None:
    """Fails unless every tick of a job due each second stands in one row: run, skipped or missed."""
    seconds = sorted(second for run in runs for second in _covered(run))
    assert seconds, "no tick at all"
    assert seconds == [seconds[0] + number * _SECOND for number in range(len(seconds))]


def _covered(run: Run) -> list[datetime]:
    if run.tick is None:
        return []
    count = ((run.tick_until or run.tick) - run.tick) // _SECOND + 1
    assert count == run.ticks, f"{run.cause} tells of {run.ticks} ticks from {run.tick} to {run.tick_until}"
    return [run.tick + number * _SECOND for number in range(count)]
