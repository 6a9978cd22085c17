"""The end of an attempt: written once, told once."""

from datetime import timedelta

import sqlalchemy as sa

from tests.runs.bench import Make, definition
from worker.model.records import AttemptState
from worker.runs.ending import Ended, end
from worker.runs.outcome import Outcome
from worker.runs.starting import Started, start


def test_an_end_whose_commit_was_unknown_is_told_all_the_same(make_bench: Make) -> None:
    """The writer runs it again, and it finds its own row; another end, a moment later, finds it taken."""
    bench = make_bench(definition("orders"), definition("reports", {"after": ["orders"]}))
    bench.fire("orders", 1)
    (run_id,) = bench.submitted

    def begin(connection: sa.Connection) -> Started | None:
        return start(connection, bench.book(), run_id, bench.node, bench.now)

    started = bench.writer.call(begin)
    assert started is not None

    def finish(connection: sa.Connection) -> Ended:
        return end(connection, bench.book(), started.run, Outcome(AttemptState.SUCCEEDED), bench.now)

    assert bench.writer.call(finish).mine
    assert bench.writer.call(finish).mine
    bench.now += timedelta(seconds=1)
    assert not bench.writer.call(finish).mine
    assert bench.states("reports") == ["queued"]
