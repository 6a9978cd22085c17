"""Runs that operators cancel by command."""

from jobs.contract import Context, Interrupted
from tests.runs.bench import Make, definition
from tests.runs.operating import ask
from worker.model.records import Reason, RunState
from worker.runs.cancelling import Cancellations


def test_all_that_wait_of_a_job_are_cancelled(make_bench: Make) -> None:
    """They end at once with who did it; what runs goes on."""

    def act(_context: Context) -> None:
        if len(bench.runs("orders")) == 1:
            bench.fire("orders", 2, 3)
            ids = [run.id for run in bench.runs("orders")]
            told = f"done: cancelled {ids[1]}, {ids[2]} before it ran"
            assert ask(bench, "cancel", "orders", queued=True) == told

    bench = make_bench(definition("orders", overlap="queue"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()
    first, *others = bench.runs("orders")
    assert first.state is RunState.SUCCEEDED
    assert {(one.state, one.reason, one.cancel_asked_by) for one in others} == {
        (RunState.CANCELLED, Reason.OPERATOR, "somebody")
    }


def test_the_run_underway_is_asked_to_end(make_bench: Make) -> None:
    """By the job's name or its own id; it ends at its next check, and is not tried again."""
    seen: list[str | None] = []

    def act(context: Context) -> None:
        target = "orders" if not seen else str(context.run_id)
        seen.append(ask(bench, "cancel", target))
        Cancellations(bench.database, bench.executor).once()
        try:
            context.check()
        except Interrupted:
            seen.append("interrupted")
            raise

    bench = make_bench(definition("orders"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()
    bench.fire("orders", 2)
    bench.execute_all()
    first, second = bench.runs("orders")
    assert seen == [f"done: asked {first.id} to end", "interrupted", f"done: asked {second.id} to end", "interrupted"]
    assert bench.states("orders") == ["cancelled", "cancelled"]


def test_a_job_that_is_named_by_digits_is_a_job(make_bench: Make) -> None:
    """Not the run of that id: who cancels it, or tries its rejects again, names the job."""
    bench = make_bench(definition("17"))
    assert ask(bench, "cancel", "17") == "refused: no run of 17 is underway"
    assert ask(bench, "replay", "17", rejects=True) == "done"
    assert bench.states("17") == ["queued"]
    assert ask(bench, "cancel", "18") == "refused: there is no run 18; `worker history` lists the runs"


def test_a_cancellation_that_makes_no_sense_is_refused(make_bench: Make) -> None:
    """Each in its words: unknown, ended, nothing underway, nothing that waits."""
    bench = make_bench(definition("orders", overlap="queue"))
    assert ask(bench, "cancel", "17") == "refused: there is no run 17; `worker history` lists the runs"
    assert ask(bench, "cancel", "orders") == "refused: no run of orders is underway"
    assert ask(bench, "cancel", "orders", queued=True) == "refused: no run of orders waits"
    assert ask(bench, "cancel", "odrers") == "refused: no job odrers is configured"
    assert ask(bench, "cancel", str(2**70)) == f"refused: no job {2**70} is configured"
    bench.fire("orders", 1)
    assert ask(bench, "cancel", "orders") == "refused: no run of orders is underway; 1 wait, which --queued cancels"
    bench.execute_all()
    run = bench.last("orders")
    assert ask(bench, "cancel", str(run.id)) == f"refused: run {run.id} of orders has ended already: succeeded"
