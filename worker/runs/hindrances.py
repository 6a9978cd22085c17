"""What stands in a job's way now, and what to do about each (pure)."""

from collections.abc import Callable, Iterator

from worker.engine.lint import never_due
from worker.engine.shut import blackout_end, in_blackout
from worker.model.records import Health, Run, RunState
from worker.model.schedules import After
from worker.model.wording import clock, many, span
from worker.runs.explaining import AccountFacts, Facts, RunFacts, running_attempt
from worker.runs.quarantine import is_last_chance
from worker.runs.telling import Point, node_words

_TOO_MANY = (429, 503)  # answers that ask for patience
_RECENT_S = 900.0  # a call older than this says nothing of now


def hindrances(facts: Facts) -> list[Point]:
    """Returns everything that stands in the way, the widest first; nothing where the next tick will run."""
    return [point for look in _LOOKS for point in look(facts)]


def _daemon(facts: Facts) -> Iterator[Point]:
    if not facts.cluster.living:
        yield Point("no daemon", "No daemon works on this database: nothing runs", "start `worker run`")


def _configured(facts: Facts) -> Iterator[Point]:
    if facts.job is None:
        yield Point("removed", "The job is not in the configuration", "put it back and `worker reload`", skips=True)
    elif facts.row is None or not facts.row.configured:
        text = "No daemon has read this job from the configuration yet"
        yield Point("unknown", text, "`worker reload`, or start `worker run`", skips=True)
    elif facts.row.definition_hash != facts.job.hash:
        text = "The daemon works by an older definition of the job than the configuration has now"
        yield Point("changed", text, "`worker reload` makes it take up the change")


def _enabled(facts: Facts) -> Iterator[Point]:
    if facts.job and not facts.job.policy.enabled:
        text = "The job is disabled in the configuration; only requests run it"
        yield Point("disabled", text, "set enabled = true and `worker reload`", skips=True)


def _paused(facts: Facts) -> Iterator[Point]:
    row = facts.row
    if row is None or (row.paused_at is None and row.quarantined_at is None):
        return
    why = f": {row.paused_why.rstrip('.')}" if row.paused_why else ""
    if row.quarantined_at is not None:
        text = f"The job is in quarantine since {clock(row.quarantined_at)}{why}"
        remedy = f"see what its last attempts did (`worker history {row.name}`), then `worker resume {row.name}`"
        yield Point("quarantined", text, remedy, skips=True)
    elif row.paused_at is not None:
        text = f"The job was paused by {row.paused_by} at {clock(row.paused_at)}{why}"
        yield Point("paused", text, f"`worker resume {row.name}` lets it go on", skips=True)


def _blackout(facts: Facts) -> Iterator[Point]:
    if facts.job and in_blackout(facts.job.policy, facts.now):
        end = blackout_end(facts.job.policy, facts.now)
        lasts = f"until {clock(end)}" if end else "for more than a year"
        text = f"A blackout of the job lasts {lasts}: ticks in it are skipped"
        yield Point("blackout", text, "wait, or ask by hand: `worker trigger` runs it all the same")


def _schedule(facts: Facts) -> Iterator[Point]:
    if facts.job and facts.job.policy.enabled:
        odd = never_due(facts.name, facts.job.policy, facts.configuration.worker.timezone, facts.now)
        if odd is not None:
            text, _, remedy = odd.message.rpartition("; ")
            yield Point("schedule", text[0].upper() + text[1:], remedy)


def _accounts(facts: Facts) -> Iterator[Point]:
    for account in facts.accounts:
        yield from _paused_account(account)
        yield from _health(account, facts)
        yield from _pace(account, facts)


def _paused_account(account: AccountFacts) -> Iterator[Point]:
    state = account.state
    if state and state.paused_at:
        why = f": {state.paused_why}" if state.paused_why else ""
        text = f"The account {state.name} was paused by {state.paused_by} at {clock(state.paused_at)}{why}"
        yield Point("account paused", text, f"`worker resume --account {state.name}` lets its jobs go on", skips=True)


def _health(account: AccountFacts, facts: Facts) -> Iterator[Point]:
    state, token = account.state, account.token
    if state is None or state.health in (Health.UNKNOWN, Health.FRESH, Health.STALE):
        return
    why = f": {state.reason.rstrip('.')}" if state.reason else ""
    again = token.next_attempt_at if token.next_attempt_at and token.next_attempt_at > facts.now else None
    later = f"; it is tried again at {clock(again)}" if again else ""
    text = f"The account {state.name} is {_HEALTH[state.health]} since {clock(state.changed_at)}{why}{later}"
    remedy = _REMEDIES[state.health].replace("NAME", state.name)
    usable = state.health.usable or (state.health is Health.BLOCKED and token.next_attempt_at is not None and not again)
    yield Point("account", text, remedy, skips=not usable)


_HEALTH = {
    Health.DEGRADED: "degraded (its last token request failed, the old token serves while it is good)",
    Health.BLOCKED: "blocked",
    Health.NEEDS_LOGIN: "without a login",
    Health.UNDECRYPTABLE: "without a token that can be opened",
}
_REMEDIES = {
    Health.DEGRADED: "it is tried again by itself; `worker account show NAME` tells more",
    Health.BLOCKED: "mend its secret, then `worker reload`; `worker account reset NAME` sends the old one once more",
    Health.NEEDS_LOGIN: "`worker account login NAME`",
    Health.UNDECRYPTABLE: "put the key back that sealed it (`worker keys status`), or log in anew",
}


def _pace(account: AccountFacts, facts: Facts) -> Iterator[Point]:
    """The limits themselves live in the daemon; the trail shows when an API asked for patience."""
    call = account.last_call
    if call and call.status in _TOO_MANY and (facts.now - call.at).total_seconds() < _RECENT_S:
        text = f"The API of account {account.name} answered {call.status} to its latest call, at {clock(call.at)}"
        remedy = f"its calls wait as it asked and go on by themselves; a lower rate_limit of {account.name} avoids it"
        yield Point("rate limit", text, remedy)


def _open(facts: Facts) -> Iterator[Point]:
    for one in facts.open:
        if one.run.state is RunState.RUNNING:
            yield from _running(one, facts)
        else:
            yield Point("queued", *(_rests(one, facts) or _waits(one, facts)), run=one.run.id)
        if one.run.cancel_asked_at:
            asked = f"{one.run.cancel_asked_by} asked at {clock(one.run.cancel_asked_at)} to cancel run {one.run.id}"
            yield Point("cancelling", asked, "it ends at the job's next check, or when its time is over", one.run.id)


def _running(one: RunFacts, facts: Facts) -> Iterator[Point]:
    attempt = running_attempt(one)
    if attempt is None or facts.job is None:
        return
    for_s = span((facts.now - attempt.started_at).total_seconds())
    where = node_words(attempt.node_id, facts.cluster)
    text = f"Run {one.run.id} holds the job since {clock(attempt.started_at)} ({for_s}), on {where}"
    if attempt.node_id not in facts.cluster.living:
        remedy = "the next daemon attempts it again by itself; start `worker run`"
        if facts.cluster.living:
            remedy = "another node attempts it again by itself within seconds"
        yield Point("overlap", f"{text}; it may write no more", remedy, one.run.id)
    elif facts.job.policy.overlap == "queue":
        yield Point("overlap", f"{text}; ticks wait for its end", f"`worker cancel {one.run.id}` ends it", one.run.id)
    else:
        limit = facts.job.policy.timeout
        is_past = (facts.now - attempt.started_at).total_seconds() > limit
        cut = f"it passed its timeout of {span(limit)} and" if is_past else f"after {span(limit)} it"
        remedy = f"wait, or `worker cancel {one.run.id}`; {cut} is cut off"
        yield Point("overlap", f"{text}; ticks until its end are skipped", remedy, one.run.id)


def _rests(one: RunFacts, facts: Facts) -> tuple[str, str] | None:
    """Returns why a queued run waits until somebody lets it, and what to do; None where nobody has to."""
    begin, row = f"Run {one.run.id} waits since {clock(one.run.created_at)} until", facts.row
    if row and row.paused_at and (row.quarantined_at or not one.run.trigger.by_hand):
        return f"{begin} the job is resumed", f"`worker resume {row.name}`"
    paused = next((account.name for account in facts.accounts if account.state and account.state.paused_at), None)
    if paused:
        return f"{begin} the account {paused} is resumed", f"`worker resume --account {paused}`"
    if is_last_chance(one.attempts):
        alone = "no other run is tried whose process died in its last two attempts, as this one's did"
        return f"{begin} {alone}", "nothing: it goes on by itself; see what its attempts did"
    return None


def _waits(one: RunFacts, facts: Facts) -> tuple[str, str]:
    """Returns why a queued run does not start, and what to do."""
    run, begin = one.run, f"Run {one.run.id} waits since {clock(one.run.created_at)}"
    if run.not_before and run.not_before > facts.now and not run.attempt:
        return f"{begin} until {clock(run.not_before)}, as the delay of its schedule says", "nothing: it starts then"
    if run.not_before and run.not_before > facts.now:
        failed = next((attempt.error for attempt in reversed(one.attempts) if attempt.error), None)
        why = f" after attempt {run.attempt}" + (f" ({failed.rstrip('.')})" if failed else "")
        return f"{begin} for its next attempt at {clock(run.not_before)}{why}", "nothing: it goes on by itself then"
    if facts.lock and facts.lock.run != run.id:
        held = f"run {facts.lock.run}, which holds the job since {clock(facts.lock.since)}"
        return f"{begin} for {held}", f"wait, or `worker cancel {facts.lock.run}`"
    if one.mutex and one.mutex.run != run.id:
        held = f"the mutex {run.mutex}, which run {one.mutex.run} holds since {clock(one.mutex.since)}"
        return f"{begin} for {held}", f"wait, or `worker show {one.mutex.run}` and `worker cancel {one.mutex.run}`"
    return f"{begin} {_for_a_node(run, facts)}", _node_remedy(facts)


def _for_a_node(run: Run, facts: Facts) -> str:
    if not facts.cluster.living:
        return "for a daemon"
    if _all_busy(facts):
        return f"for a free place: {many(sum(facts.cluster.busy.values()), 'run')} are underway, as many as may be"
    if facts.row and facts.job and facts.row.definition_hash != facts.job.hash:
        return f"for a node that knows the job's definition {run.definition_hash[:12]}"
    return "for its turn, which comes within a second"


def _node_remedy(facts: Facts) -> str:
    if not facts.cluster.living:
        return "start `worker run`"
    return "raise concurrency in [worker], or wait" if _all_busy(facts) else "nothing: it goes on by itself"


def _all_busy(facts: Facts) -> bool:
    most = facts.configuration.worker.concurrency
    return all(facts.cluster.busy.get(node, 0) >= most for node in facts.cluster.living)


def _parents(facts: Facts) -> Iterator[Point]:
    schedule = facts.job.policy.schedule if facts.job else None
    for name, run in (facts.parents or {}).items():
        job = facts.configuration.jobs.get(name)
        if job is None or not job.policy.enabled:
            state = "not configured" if job is None else "disabled"
            yield Point("upstream", f"It comes after {name}, which is {state}", f"`worker explain {name}`")
        elif run is None:
            yield Point("upstream", f"It comes after {name}, which has never run", f"`worker explain {name}`")
        elif run.state.ended and isinstance(schedule, After) and schedule.when not in ("finished", run.state):
            text = f"It comes after {name}, whose latest run {run.id} is {run.state}"
            yield Point("upstream", text, f"`worker explain {name}`", run.id)


def _backfills(facts: Facts) -> Iterator[Point]:
    for one in facts.backfills:
        span_ = f"from {clock(one.since)} to {clock(one.until)}"
        text = f"A backfill {span_}, asked for by {one.by}, is at {one.ticks:,} of {one.total:,} ticks"
        yield Point("backfill", text, f"its runs wait behind all others; `worker backfill --cancel {one.id}` ends it")


def _reloads(facts: Facts) -> Iterator[Point]:
    for node in facts.cluster.living.values():
        if node.reload_error:
            text = f"Node {node.name} could not take up the configuration as it is now: {node.reload_error.rstrip('.')}"
            yield Point("reload", text, "`worker check`, mend what it says, then `worker reload`")


def _requests(facts: Facts) -> Iterator[Point]:
    for command in facts.commands:
        text = f"{command.by} asked at {clock(command.at)} to {command.verb} it; no daemon has taken that up yet"
        yield Point("request", text, None if facts.cluster.living else "start `worker run`")


_LOOKS: tuple[Callable[[Facts], Iterator[Point]], ...] = (
    _daemon,
    _configured,
    _enabled,
    _paused,
    _blackout,
    _schedule,
    _accounts,
    _open,
    _parents,
    _backfills,
    _reloads,
    _requests,
)
