"""A run that waits for its next attempt waits as long as it was to, though the wall clock is set back."""

from datetime import timedelta

import sqlalchemy as sa

from tests.runs.bench import Make, definition
from worker.runs.setback import Setback
from worker.store.tables import runs


def test_a_clock_set_back_makes_no_run_wait_longer(make_bench: Make) -> None:
    """Its time comes earlier by what the clock went back; a small step changes nothing."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    start, shown = bench.now, [bench.now]
    with bench.database.write() as connection:
        connection.execute(sa.update(runs).values(not_before=start + timedelta(seconds=30)))
    setback = Setback(bench.writer, lambda: shown[0])
    for shift_s, moved in ((2.0, 0), (0.0, 0), (-3600.0, 1), (-3599.0, 0)):
        shown[0] = start + timedelta(seconds=shift_s)
        assert setback.once() == moved
    assert bench.last("orders").not_before == start + timedelta(seconds=30 - 3600)
