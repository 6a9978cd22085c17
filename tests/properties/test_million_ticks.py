"""A million ticks in twenty zones, 2020 to 2037: clocks jump, processes die, the store fails; none is lost.

Most ticks are due while the machine sleeps, for days at once: few rows tell of them, and each is matched all the same.
Those that are told live lie in the hours between, about two in a hundred: so a year costs some 12 s of CPU, and all of
them four minutes. Every other form of schedule is there in a year, the others in the next; each year has 56,000 ticks
at the least, and 18 of them a million.
"""

import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.checker import check, told
from tests.ledger import whole_ledger
from tests.properties.ordeal import Ordeal, jobs_of_the_world
from worker.store.scratch import scratch

YEARS = range(2020, 2038)
TICKS_OF_A_YEAR = 56_000


def _live(since: datetime, until: datetime, seed: int) -> tuple[Ordeal, int]:
    """Lives through a span, and returns it with the number of ticks in which nothing was wrong."""
    ordeal = Ordeal(since, until, random.Random(seed))
    jobs, due = jobs_of_the_world(seed)
    with scratch() as database:
        writer = ordeal.simulate(jobs, database)
        ledger = whole_ledger(database)
    expected = {name: ticks((since, until)) for name, ticks in due.items()}
    violations = check(expected, ledger, ordeal.steps)
    assert not violations, f"seed {seed}: {told(violations)}"
    assert writer.troubles
    return ordeal, sum(map(len, expected.values()))


def test_weeks_with_a_night_of_change() -> None:
    """The short part: some weeks around the changes of spring, in every zone."""
    ordeal, ticks = _live(datetime(2026, 3, 6, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), seed=7)
    assert ticks > 3_500
    assert ordeal.deaths
    assert ordeal.jumps


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("year", YEARS)
def test_a_million_ticks_are_accounted_for(year: int) -> None:
    """Each year by itself: deaths, jumps forward and back, failed and unknown commits; the checker finds nothing."""
    since = datetime(year, 1, 1, tzinfo=UTC)
    ordeal, ticks = _live(since, datetime(year + 1, 1, 1, tzinfo=UTC) - timedelta(seconds=1), seed=year)
    assert ticks >= TICKS_OF_A_YEAR
    assert ordeal.deaths >= 3
    assert ordeal.jumps >= 3
