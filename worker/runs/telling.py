"""What became of a run, in sentences (pure)."""

from dataclasses import dataclass
from datetime import datetime

from worker.model.reasons import MEANINGS
from worker.model.records import Attempt, AttemptState, Node, Reason, Run, RunState, Trigger
from worker.model.wording import clock, many, span
from worker.runs.explaining import Cluster, RunFacts, running_attempt


@dataclass(frozen=True)
class Point:
    """One statement: what is so, what can be done about it, and the run it speaks of."""

    kind: str
    text: str
    remedy: str | None = None
    run: int | None = None
    skips: bool = False  # a tick that falls due while it stands does not run


def told(facts: RunFacts, cluster: Cluster, now: datetime) -> Point:
    """Returns what became of a run."""
    run = facts.run
    if run.state is RunState.RUNNING:
        text, remedy = _runs(facts, cluster, now), None
    elif run.state is RunState.QUEUED:
        text, remedy = f"waits since {clock(run.created_at)}{_last_error(facts)}", None
    elif run.state is RunState.SUCCEEDED:
        text, remedy = f"succeeded{_took(run)}{_counts(run)}", None
    else:
        text, remedy = _not_done(facts, cluster)
    remedy = remedy and remedy.replace("JOB", run.job).replace("RUN", str(run.id))
    return Point(run.state, f"{subject(run)} {text}.", remedy, run.id)


def subject(run: Run) -> str:
    """Returns what asked for a run: a tick, several in a row, another run's end, a person."""
    if run.tick and run.tick_until and run.ticks > 1:
        return f"{many(run.ticks, 'tick')} from {clock(run.tick)} to {clock(run.tick_until)}"
    if run.tick and run.trigger in (Trigger.TICK, Trigger.CATCH_UP):
        late = ", made up for later," if run.trigger is Trigger.CATCH_UP and run.state is not RunState.MISSED else ""
        return f"The tick of {clock(run.tick)}{late}"
    if run.trigger is Trigger.AFTER:
        return f"The run of {clock(run.created_at)} after run {run.cause.rpartition(':')[2]}"
    tick = f" of {clock(run.tick)}" if run.tick else ""
    word = {Trigger.BACKFILL: f"The backfill{tick}", Trigger.REPLAY: "The replay"}.get(run.trigger, "The request")
    return f"{word}, asked for at {clock(run.created_at)},"


def _runs(facts: RunFacts, cluster: Cluster, now: datetime) -> str:
    attempt = running_attempt(facts)
    if attempt is None:
        return "is about to run"
    since = f"{clock(attempt.started_at)} ({span((now - attempt.started_at).total_seconds())})"
    return f"runs since {since}, attempt {attempt.number}, on {node_words(attempt.node_id, cluster)}"


def node_words(node_id: int, cluster: Cluster) -> str:
    """Returns which node that is, and whether it lives."""
    if (node := cluster.living.get(node_id)) is not None:
        return f"node {node.name} (process {node.pid})"
    known: Node | None = cluster.known.get(node_id)
    name = known.name if known else str(node_id)
    left = f"left at {clock(known.stopped_at)}" if known and known.stopped_at else "shows no sign of life"
    return f"node {name}, which {left}"


def _took(run: Run) -> str:
    took = ""
    if run.started_at and run.finished_at:
        took = f" at {clock(run.finished_at)} after {span((run.finished_at - run.started_at).total_seconds())}"
    return took + (f", at attempt {run.attempt}" if run.attempt > 1 else "")


def _counts(run: Run) -> str:
    counts = {"read": run.counts.read, "written": run.counts.written, "rejected": run.counts.rejected}
    words = [f"{count:,} {name}" for name, count in counts.items() if count]
    return f": {', '.join(words)}" if words else ""


def _last_error(facts: RunFacts) -> str:
    failed: Attempt | None = next((one for one in reversed(facts.attempts) if one.error), None)
    return f"; attempt {failed.number} ended as {failed.state}: {_stripped(failed.error)}" if failed else ""


def _stripped(text: str | None) -> str:
    return (text or "").strip().rstrip(".")


def _not_done(facts: RunFacts, cluster: Cluster) -> tuple[str, str | None]:
    """Returns why a run failed, was cancelled, skipped or missed, and what to do."""
    run = facts.run
    meaning = MEANINGS[run.reason] if run.reason else None
    verb = {RunState.FAILED: "failed", RunState.MISSED: "missed"}.get(run.state, f"was {run.state}")
    verb = f"were {run.state}" if run.ticks > 1 else "was missed" if run.state is RunState.MISSED else verb
    why = [text for text in (meaning.text if meaning else "", _stripped(run.error), _detail(facts, cluster)) if text]
    took = _took(run) if run.started_at else ""
    remedy = meaning.remedy if meaning else "`worker show RUN` tells more, `worker replay RUN` runs it again"
    return f"{verb}{took}{': ' if why else ''}{'; '.join(why)}", remedy


def _detail(facts: RunFacts, cluster: Cluster) -> str:
    run, other = facts.run, facts.other
    if run.reason is Reason.OVERLAP and other:
        until = f"until {clock(other.finished_at)}" if other.finished_at else "and goes on"
        return f"run {other.id} ran since {clock(other.started_at or other.created_at)} {until}"
    if run.reason is Reason.UPSTREAM and other:
        return f"run {other.id} of {other.job} {other.state}"
    if run.reason is Reason.OPERATOR and run.cancel_asked_by and run.cancel_asked_at:
        return f"{run.cancel_asked_by} asked for it at {clock(run.cancel_asked_at)}"
    if run.reason is Reason.NODE_DIED:
        lost = [one for one in facts.attempts if one.error_kind == "node_died" or one.state is AttemptState.LOST]
        return ", ".join(f"attempt {one.number} on {node_words(one.node_id, cluster)}" for one in lost)
    return ""
