"""Why a job ran, did not, or will not: from the ledger to sentences."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from jobs.contract import Context, GiveUp
from tests.runs.bench import START, Bench, Make, definition
from worker.config.configuration import Configuration, JobDefinition
from worker.config.places import Places
from worker.engine.schedule import occurrences, of_job
from worker.model.moments import new_id
from worker.model.options import (
    DatabaseOptions,
    LogOptions,
    NetworkOptions,
    PolicyOptions,
    RetentionOptions,
    VaultOptions,
    WorkerOptions,
)
from worker.model.reasons import MEANINGS
from worker.model.records import (
    Attempt,
    AttemptState,
    Backfill,
    Call,
    Command,
    Health,
    Node,
    Purpose,
    Reason,
    Run,
    RunState,
    TokenRow,
    Trigger,
)
from worker.model.schedules import Every
from worker.model.secretref import SecretRef
from worker.runs import explaining
from worker.runs.explaining import AccountFacts, Cluster, Facts, RunFacts
from worker.runs.hindrances import hindrances
from worker.runs.telling import told
from worker.runs.upcoming import latest, missing_hour, nearest, upcoming, why_no_row
from worker.store import attempts, commands, runs
from worker.store.accounts import AccountState
from worker.store.jobs import JobRow
from worker.store.locks import LockHolder

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
FORMS = ({"every": "7m"}, "30 2 * * *", "0 5 29 2 *", {"monthly": [31], "at": "02:30"}, {"at": "02:30", "days": "mon"})
NODE = Node(7, "worker-1", 4711, "boot", START, START)
CLUSTER = Cluster({7: NODE}, {7: NODE}, {7: 0})
RUN = Run(42, "orders", "tick:x", Trigger.TICK, RunState.SKIPPED, START, "hash-orders", tick=START)


def configuration(*definitions: JobDefinition) -> Configuration:
    """Returns a configuration of these jobs."""
    return Configuration(
        worker=WorkerOptions(),
        database=DatabaseOptions(url="sqlite:///worker.db"),
        vault=VaultOptions(keys=SecretRef(file=Path("worker.keys"))),
        log=LogOptions(),
        network=NetworkOptions(),
        retention=RetentionOptions(),
        defaults=PolicyOptions(),
        accounts={},
        databases={},
        jobs={one.name: one for one in definitions},
        files=(Path("config.toml"),),
        places=Places(),
    )


def facts_of(job: JobDefinition | None = None, **more: object) -> Facts:
    """Returns the facts of a healthy job, changed as the test says."""
    job = job or definition("orders")
    facts = Facts(
        now=START,
        name=job.name,
        configuration=configuration(job),
        job=job,
        row=JobRow(job.name, job.hash, job.policy.enabled, START - timedelta(days=9)),
        defined_at=START - timedelta(days=9),
        due=None,
        past=[],
        open=[],
        lock=None,
        cluster=CLUSTER,
    )
    return replace(facts, **more)  # type: ignore[arg-type]  # the test names fields


def read(bench: Bench, job: str) -> Facts:
    """Reads a job's facts as the command does."""
    with bench.database.read() as connection:
        found = configuration(*bench.definitions.values())
        return explaining.read(bench.database, connection, found, job, bench.now)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    """Whatever stands in the column `reason`, a person is told what it means."""
    text = told(RunFacts(replace(RUN, reason=reason)), CLUSTER, START).text
    assert text == f"The tick of 2026-03-01 12:00:00Z was skipped: {MEANINGS[reason].text}."


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("trigger", Trigger)
def test_every_state_of_every_trigger_has_a_sentence(state: RunState, trigger: Trigger) -> None:
    """No run is without words."""
    run = replace(RUN, state=state, trigger=trigger, cause="after:7")
    text = told(RunFacts(run), CLUSTER, START).text
    assert text.endswith(".")
    assert "None" not in text


def test_a_skipped_tick_names_the_run_in_its_way(make_bench: Make) -> None:
    """The overlap's other run, since when it goes on, and what could be done."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    bench.fire("orders", 2)
    bench.fire("orders", 3)
    first, skipped = bench.runs("orders")

    facts = read(bench, "orders")

    point = told(facts.past[0], facts.cluster, bench.now)
    assert point.run == skipped.id
    assert "2 ticks from 2026-03-01 12:02:00Z to 2026-03-01 12:03:00Z were skipped: an earlier run" in point.text
    assert f"run {first.id} ran since 2026-03-01 12:01:00Z and goes on" in point.text
    assert point.remedy is not None
    assert "overlap" in point.remedy


def test_a_retry_tells_when_and_after_which_error(make_bench: Make) -> None:
    """The run waits, and its last attempt's error is in the sentence."""

    def fail(_: Context) -> None:
        raise RuntimeError("the far end is away")

    bench = make_bench(definition("orders"), act=fail)
    bench.fire("orders", 1)
    bench.execute_all()

    points = hindrances(read(bench, "orders"))

    waits = next(point for point in points if point.kind == "queued")
    assert "for its next attempt at 2026-03-01 12:01:" in waits.text
    assert "the far end is away" in waits.text


def test_a_failed_run_tells_its_error_and_how_to_repeat_it(make_bench: Make) -> None:
    """State, attempt, error, and the commands for it."""

    def fail(_: Context) -> None:
        raise GiveUp("this will never work.")

    bench = make_bench(definition("orders"), act=fail)
    bench.fire("orders", 1)
    bench.execute_all()

    facts = read(bench, "orders")

    point = told(facts.past[0], facts.cluster, bench.now)
    assert "failed at 2026-03-01 12:01:00Z" in point.text
    assert point.text.endswith("this will never work.")
    assert f"`worker replay {bench.last('orders').id}`" in (point.remedy or "")


def test_a_run_of_a_dead_node_is_told_as_such(make_bench: Make) -> None:
    """Which run holds the job, on which node, and that the node is dead."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    dead = new_id()
    bench.register(dead, silent_for_s=60)
    run = bench.last("orders")
    bench.writer.call(lambda connection: _begin(connection, run.id, dead))

    (point,) = hindrances(read(bench, "orders"))

    assert point.kind == "overlap"
    assert point.run == run.id
    assert "node bench, which shows no sign of life" in point.text
    assert "attempts it again by itself" in (point.remedy or "")


def _begin(connection: sa.Connection, run: int, node: int) -> None:
    attempts.begin(connection, run, 1, node, START)
    runs.begin(connection, run, 1, START, "hash-orders")


def test_a_request_nobody_took_up_is_told(make_bench: Make) -> None:
    """Who asked, for what, and when."""
    bench = make_bench(definition("orders"))
    bench.writer.call(lambda connection: commands.post(connection, Command(1, START, "jane", "trigger", "orders")))

    (point,) = hindrances(read(bench, "orders"))

    assert point.text == "jane asked at 2026-03-01 12:00:00Z to trigger it; no daemon has taken that up yet"


def account(health: Health, **more: object) -> AccountFacts:
    """Returns an account in that health."""
    state = AccountState("tangoe", health, "the password was refused", START)
    return AccountFacts("tangoe", replace(state, **more), TokenRow("tangoe"), None)  # type: ignore[arg-type]


def called(status: int, seconds_ago: float) -> AccountFacts:
    """Returns an account whose latest call was answered so."""
    at = START - timedelta(seconds=seconds_ago)
    call = Call(1, "tangoe", Purpose.READ, at, "GET", "https://api.example.com", status=status)
    return replace(account(Health.FRESH), last_call=call)


HELD = RunFacts(replace(RUN, state=RunState.RUNNING, attempt=1), [Attempt(42, 1, 7, AttemptState.RUNNING, START)])
QUEUED = RunFacts(replace(RUN, id=43, state=RunState.QUEUED, mutex="erp"))
DIED = Attempt(43, 1, 7, AttemptState.LOST, START, START, error_kind="node_died")
FULL = replace(CLUSTER, busy={7: 8})
QUIET = definition("orders", timezone="UTC", blackout="12:00-12:30")
ENDED = definition("orders", timezone="UTC", blackout="2026-01-01..2099-12-31")
PAST = definition("orders", {"once": "2026-01-01T05:00:00Z"})
OUTSIDE = definition("orders", {"at": "05:00"}, hours="06:00-20:00")
OFF = definition("orders", enabled=False)
ROW = JobRow("orders", "hash-orders", True, START)
PAUSED = replace(ROW, paused_by="jane", paused_at=START, paused_why="month's end")
AFTER = definition("bills", schedule={"after": ["orders"]})
FILLING = Backfill(5, "orders", START, START, START, "jane", START, ticks=3, total=24)
HINDRANCES: dict[str, tuple[Facts, str, str]] = {
    "no daemon": (facts_of(cluster=Cluster({}, {}, {})), "No daemon works", "worker run"),
    "removed": (replace(facts_of(), job=None), "not in the configuration", "put it back"),
    "unknown": (facts_of(row=None), "No daemon has read", "reload"),
    "changed": (facts_of(row=replace(ROW, definition_hash="old")), "an older definition", "reload"),
    "disabled": (facts_of(OFF), "disabled in the configuration", "enabled = true"),
    "paused": (facts_of(row=PAUSED), "paused by jane at 2026-03-01 12:00:00Z: month's end", "worker resume orders"),
    "quarantined": (facts_of(row=replace(PAUSED, quarantined_at=START)), "in quarantine since", "worker resume orders"),
    "blackout": (facts_of(QUIET), "A blackout of the job lasts until 2026-03-01 12:30:00Z", "worker trigger"),
    "blackout, long": (facts_of(ENDED), "lasts for more than a year", "worker trigger"),
    "schedule": (
        facts_of(PAST),
        "2026-01-01 05:00:00 UTC has passed",
        "remove it",
    ),
    "schedule, blackout": (
        facts_of(ENDED),
        "Every tick lies in a blackout",
        "shorten",
    ),
    "schedule, hours": (facts_of(OUTSIDE), "No tick lies within 06:00", "change hours"),
    "account": (facts_of(accounts=[account(Health.BLOCKED)]), "tangoe is blocked since", "worker account reset tangoe"),
    "account, login": (facts_of(accounts=[account(Health.NEEDS_LOGIN)]), "without a login", "worker account login"),
    "account, key": (facts_of(accounts=[account(Health.UNDECRYPTABLE)]), "a token that can be opened", "keys status"),
    "account, weak": (facts_of(accounts=[account(Health.DEGRADED)]), "degraded", "by itself"),
    "account paused": (
        facts_of(accounts=[account(Health.FRESH, paused_by="jane", paused_at=START, paused_why="audit")]),
        "account tangoe was paused by jane at 2026-03-01 12:00:00Z: audit",
        "worker resume",
    ),
    "rate limit": (facts_of(accounts=[called(429, 60)]), "answered 429 to its latest call", "rate_limit"),
    "overlap": (facts_of(open=[HELD]), "Run 42 holds the job since 2026-03-01 12:00:00Z", "worker cancel 42"),
    "overlap, past": (
        replace(facts_of(open=[HELD]), now=START + timedelta(days=1)),
        "Run 42 holds the job since",
        "it passed its timeout of 10m and is cut off",
    ),
    "queued": (
        facts_of(open=[QUEUED], lock=LockHolder(42, START)),
        "for run 42, which holds the job",
        "worker cancel 42",
    ),
    "queued, mutex": (
        facts_of(open=[replace(QUEUED, mutex=LockHolder(9, START))], lock=LockHolder(43, START)),
        "the mutex erp, which run 9 holds",
        "worker show 9",
    ),
    "queued, later": (
        facts_of(open=[replace(QUEUED, run=replace(QUEUED.run, not_before=START + timedelta(minutes=10)))]),
        "until 2026-03-01 12:10:00Z, as the delay of its schedule says",
        "it starts then",
    ),
    "queued, paused": (facts_of(row=PAUSED, open=[QUEUED]), "until the job is resumed", "worker resume orders"),
    "queued, rests": (
        facts_of(accounts=[account(Health.FRESH, paused_by="jane", paused_at=START)], open=[QUEUED]),
        "until the account tangoe is resumed",
        "worker resume --account tangoe",
    ),
    "queued, last chance": (
        facts_of(open=[replace(QUEUED, attempts=[DIED, replace(DIED, number=2)])]),
        "whose process died in its last two attempts",
        "it goes on by itself",
    ),
    "queued, full": (facts_of(open=[QUEUED], cluster=FULL), "for a free place: 8 runs are underway", "concurrency"),
    "queued, alone": (facts_of(open=[QUEUED], cluster=Cluster({}, {}, {})), "for a daemon", "worker run"),
    "cancelling": (
        facts_of(open=[replace(HELD, run=replace(HELD.run, cancel_asked_by="jane", cancel_asked_at=START))]),
        "jane asked at 2026-03-01 12:00:00Z to cancel run 42",
        "next check",
    ),
    "backfill": (facts_of(backfills=[FILLING]), "asked for by jane, is at 3 of 24 ticks", "worker backfill --cancel 5"),
    "reload": (
        facts_of(cluster=replace(CLUSTER, living={7: replace(NODE, reload_error="config.toml:3: no.")})),
        "Node worker-1 could not take up the configuration as it is now: config.toml:3: no",
        "worker check",
    ),
    "upstream": (replace(facts_of(AFTER), parents={"orders": RUN}), "comes after orders", "worker explain orders"),
}


@pytest.mark.parametrize("case", HINDRANCES)
def test_each_hindrance_is_told_with_what_to_do(case: str) -> None:
    """Everything that can be in a job's way has its sentence and its remedy."""
    facts, text, remedy = HINDRANCES[case]
    point = next(one for one in hindrances(facts) if one.kind == case.partition(",")[0])
    assert text in point.text
    assert remedy in (point.remedy or "")


def test_nothing_stands_in_the_way_of_a_healthy_job() -> None:
    """An old 429 neither, and a run that the policy lets wait does not skip ticks."""
    assert hindrances(facts_of(accounts=[account(Health.FRESH), called(429, 9000)])) == []
    queueing = facts_of(definition("orders", overlap="queue"), open=[HELD])
    assert "ticks wait for its end" in hindrances(queueing)[0].text


@pytest.mark.parametrize("when", ["succeeded", "failed", "finished"])
def test_of_the_jobs_before_it_only_those_that_ended_otherwise_hold_it_back(when: str) -> None:
    """Whose end is still to come holds nothing back."""
    job = definition("bills", schedule={"after": ["orders"], "when": when})
    for state in (RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED, RunState.FAILED, RunState.SKIPPED):
        known = replace(facts_of().configuration, jobs={"orders": definition("orders")})
        facts = replace(facts_of(job), configuration=known, parents={"orders": replace(RUN, state=state)})
        held = state.ended and when not in ("finished", state)
        assert [point.kind for point in hindrances(facts)] == ["upstream"] * held


def test_the_next_ticks_tell_their_fate() -> None:
    """What stands in the way of a tick is said with it."""
    due = occurrences(Every(every=600.0), UTC_ZONE, "orders")
    fates = {
        "will run": facts_of(due=due),
        "will be skipped while that lasts: paused": facts_of(due=due, row=PAUSED),
        "will be skipped if run 42 has not ended by then": facts_of(due=due, open=[HELD]),
        "will be skipped if run 43 has not ended by then": facts_of(due=due, open=[QUEUED]),
        'is made up for at the next start, as catch_up = "last" says': facts_of(due=due, cluster=Cluster({}, {}, {})),
    }
    for fate, facts in fates.items():
        points = upcoming(facts, hindrances(facts))
        assert [point.text for point in points] == [f"The tick of 2026-03-01 12:{n}0:00Z {fate}" for n in (1, 2, 3)]


def test_a_tick_in_a_blackout_will_be_skipped() -> None:
    """Only those that lie in it."""
    job = definition("orders", "0 12 * * *", blackout=["mon"])
    facts = facts_of(job, due=of_job(job.policy, UTC_ZONE, "orders"))
    texts = [point.text for point in upcoming(facts, hindrances(facts))]
    assert texts[0] == "The tick of 2026-03-02 12:00:00Z will be skipped: it lies in a blackout"
    assert texts[1] == "The tick of 2026-03-03 12:00:00Z will run"


@given(st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), st.sampled_from(FORMS))  # noqa: DTZ001
def test_the_latest_tick_is_the_last_one_there_is(moment: datetime, schedule: object) -> None:
    """Nothing is due between it and the moment."""
    due = of_job(definition("orders", schedule).policy, BERLIN, "orders")
    assert due is not None
    found = latest(due, moment)
    assert found is not None
    assert found <= moment
    after = due.next_after(found)
    assert after is None or after > moment


def test_a_moment_outside_the_hours_is_told_as_such() -> None:
    """And the nearest tick is the one that is looked at."""
    job = definition("orders", "0 * * * *", hours="06:00-20:00")
    due = of_job(job.policy, UTC_ZONE, "orders")
    found = nearest(job, UTC_ZONE, due, datetime(2026, 3, 1, 4, tzinfo=UTC))
    assert found.tick == datetime(2026, 3, 1, 6, tzinfo=UTC)
    assert found.why_not == "its hours (06:00-20:00) keep it from running then"
    exact = nearest(job, UTC_ZONE, due, datetime(2026, 3, 1, 7, tzinfo=UTC))
    assert (exact.tick, exact.why_not) == (datetime(2026, 3, 1, 7, tzinfo=UTC), None)


def test_a_wall_clock_time_that_never_was_is_told_as_such() -> None:
    """Nights on which clocks change, both ways, and a common one."""
    assert "did not exist in Europe/Berlin" in (missing_hour(datetime(2026, 3, 29, 2, 30), BERLIN) or "")  # noqa: DTZ001
    assert "came twice in Europe/Berlin" in (missing_hour(datetime(2026, 10, 25, 2, 30), BERLIN) or "")  # noqa: DTZ001
    assert missing_hour(datetime(2026, 3, 30, 2, 30), BERLIN) is None  # noqa: DTZ001


def test_a_tick_without_a_row_tells_why() -> None:
    """Ahead, before the job was known, before its definition, while it is disabled, not accounted for, pruned."""
    row = replace(ROW, since=START - timedelta(hours=5), last_tick=START - timedelta(hours=1))
    alone = facts_of(row=row, defined_at=START - timedelta(hours=3), cluster=Cluster({}, {}, {}))
    cases = {
        "ahead": (alone, 1.0),
        "before": (alone, -6.0),
        "changed": (alone, -4.0),
        "pruned": (alone, -2.0),
        "no daemon": (alone, -0.5),
        "due": (facts_of(row=row), -0.001),
        "disabled": (facts_of(OFF), -1.0),
        "unknown": (facts_of(row=None), -1.0),
    }
    told_of = {kind: why_no_row(facts, START + timedelta(hours=hours)).kind for kind, (facts, hours) in cases.items()}
    assert told_of == {kind: kind for kind in cases}


def test_a_tick_is_found_in_a_range(make_bench: Make) -> None:
    """A row that tells of several ticks is found by each of them, and by no other moment."""
    bench = make_bench(definition("orders"))
    for minute in range(1, 6):
        bench.fire("orders", minute)
    first, skipped = bench.runs("orders")
    with bench.database.read() as connection:
        found = [explaining.of_tick(connection, "orders", START + timedelta(minutes=minute)) for minute in range(7)]
    assert [one and one.run.id for one in found] == [None, first.id, *[skipped.id] * 4, None]
