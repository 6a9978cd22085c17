"""The end of an attempt: written once, told once."""

from datetime import timedelta

import sqlalchemy as sa

from tests.runs.bench import Make, definition
from worker.model.records import AttemptState
from worker.runs.ending import End, Ended, end, end_many
from worker.runs.outcome import Outcome
from worker.runs.starting import Start, Started, start, start_many


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


def test_what_comes_after_runs_that_end_at_once_is_claimed_together(make_bench: Make) -> None:
    """Each end tells of its own followers; of a job that comes after both only the first has a run."""
    bench = make_bench(
        definition("orders"),
        definition("devices"),
        definition("reports", {"after": ["orders"]}),
        definition("both", {"after": ["devices", "orders"]}),
    )
    bench.fire("orders", 1)
    bench.fire("devices", 1)
    asked = [Start(bench.book(), run_id, bench.node, bench.now) for run_id in bench.submitted]
    started = [one for one in bench.writer.call(lambda connection: start_many(connection, asked)) if one]

    def finish(connection: sa.Connection) -> list[Ended]:
        done = Outcome(AttemptState.SUCCEEDED)
        return end_many(connection, [End(bench.book(), one.run, done, bench.now) for one in started])

    recorded = [[(run.job, run.state) for run in ended.recorded] for ended in bench.writer.call(finish)]
    assert [sorted(part) for part in recorded] == [[("both", "queued"), ("reports", "queued")], [("both", "skipped")]]
    assert all(ended.mine and not ended.recorded for ended in bench.writer.call(finish))
    assert sorted(bench.states("both")) == ["queued", "skipped"]
