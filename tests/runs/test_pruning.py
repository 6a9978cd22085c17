"""The retention: what is old goes, what is needed stays, and nothing that went runs again."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.ids import id_at
from tests.examples import examples
from tests.runs.bench import START, Bench, Make, definition
from worker.engine.schedule import of_job
from worker.model.events import HistoryPruned
from worker.model.listening import Events
from worker.model.options import RetentionOptions
from worker.model.records import Call, Command, Node, Purpose, Reject, RunState
from worker.runs.pruning import Pruned, Pruner, told
from worker.store import calls, commands, jobs, nodes, rejects, tables
from worker.store.database import Database
from worker.store.jobs import JobRow

DAY_S = 86400.0
OPTIONS = RetentionOptions(runs=100 * DAY_S, runs_per_job=4, calls=10 * DAY_S, rejects=20 * DAY_S)
HISTORIES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 200), st.sampled_from([*RunState])),
    max_size=30,
    unique_by=lambda one: one[1],
)
"""Runs as (job, age in days, state)."""


def pruner(database: Database, options: RetentionOptions = OPTIONS) -> Pruner:
    """Returns a pruner that looks at START."""

    def write(change: Any) -> int:  # noqa: ANN401  what is handed to a writer
        with database.write() as connection:
            return int(change(connection))

    return Pruner(database, write, lambda: options, lambda: START)


def row(job: str, age: int, state: RunState) -> dict[str, Any]:
    """Returns a run of so many days ago; its id tells its age."""
    at = START - timedelta(days=age, hours=1)
    named = {"job": job, "cause": f"tick:{age}", "trigger": "tick", "state": state.value, "definition_hash": "h"}
    return {"id": id_at(at), "params": {}, "created_at": at, "tick": at, **named}


def fill(database: Database, history: list[tuple[str, int, RunState]]) -> None:
    """Makes the ledger hold exactly this history, with an attempt each."""
    with database.write() as connection:
        connection.execute(sa.delete(tables.attempts))
        connection.execute(sa.delete(tables.runs))
        jobs.configure(connection, [JobRow(name, "h", True, START) for name in "ab"], [])
        rows = [row(*one) for one in history]
        if rows:
            connection.execute(sa.insert(tables.runs), rows)
            tried = [
                {"run_id": one["id"], "number": 1, "node_id": 1, "state": "failed", "started_at": START} for one in rows
            ]
            connection.execute(sa.insert(tables.attempts), tried)


def ids(database: Database, column: sa.Column[Any]) -> set[int]:
    """Returns a column's values."""
    with database.read() as connection:
        return set(connection.scalars(sa.select(column)))


def stays(history: list[tuple[str, int, RunState]]) -> Iterator[tuple[str, int, RunState]]:
    """Yields what the rules keep: the model."""
    for job in "ab":
        newest = sorted((one for one in history if one[0] == job), key=lambda one: one[1])
        best = next((one for one in newest if one[2] is RunState.SUCCEEDED), None)
        for rank, one in enumerate(newest):
            if rank == 0 or one == best or not one[2].ended or (rank < 4 and one[1] < 100):
                yield one


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES)
def test_what_the_rules_keep_stays_and_nothing_else(
    sqlite_database: Database, history: list[tuple[str, int, RunState]]
) -> None:
    """Open runs, each job's newest run and last success, and what is neither old nor too much; attempts go along."""
    fill(sqlite_database, history)
    kept = {row(*one)["id"] for one in stays(history)}
    would = pruner(sqlite_database).count()

    pruned = pruner(sqlite_database).once()

    assert ids(sqlite_database, tables.runs.c.id) == kept == ids(sqlite_database, tables.attempts.c.run_id)
    assert pruned.runs == would.runs == pruned.attempts == len(history) - len(kept)
    assert pruner(sqlite_database).once() == Pruned()


def test_what_is_kept_for_ever_stays(database: Database) -> None:
    """However long somebody who means it writes: the pass failed, and with it what else was to go."""
    fill(database, [("a", age, RunState.SUCCEEDED) for age in range(3)])
    forever = RetentionOptions.model_validate(dict.fromkeys(("runs", "calls", "rejects"), "9999999d"))
    assert pruner(database, forever).once() == Pruned()


def test_more_than_one_transaction_holds_goes_whole(database: Database) -> None:
    """On either database; several looks, several transactions."""
    fill(database, [("a", 0, RunState.FAILED)])
    old = id_at(START - timedelta(days=150))
    many = [{**row("a", 150, RunState.SKIPPED), "id": old + n, "cause": f"manual:{n}"} for n in range(2500)]
    with database.write() as connection:
        connection.execute(sa.insert(tables.runs), many)

    assert pruner(database).count() == Pruned(runs=2500)
    assert pruner(database).once() == Pruned(runs=2500)
    assert len(ids(database, tables.runs.c.id)) == 1


def test_the_rest_goes_by_its_age(database: Database) -> None:
    """Calls, rejects, commands that were carried out and nodes that are gone; what is young or open stays."""
    with database.write() as connection:
        for days in (1, 15, 50, 150):
            at = START - timedelta(days=days)
            one = id_at(at)
            calls.record(connection, [Call(one, "crm", Purpose.READ, at, "GET", "https://example.com")])
            rejects.keep(connection, [Reject("a", str(days), one, "bad", "{}", True, None, at, at)])
            for more, ended in ((0, at), (1, None)):
                commands.post(connection, Command(one + more, at, "jane", "trigger", "a", ended_at=ended))
            beat = database.lease_now(connection)
            alive = Node(one, "n", 1, "boot", at, beat)
            for number, node in enumerate((alive, replace(alive, stopped_at=at), silent(alive))):
                nodes.register(connection, replace(node, id=one + number))

    assert pruner(database).count() == Pruned(calls=3, rejects=2, commands=1, nodes=2)
    assert pruner(database).once() == Pruned(calls=3, rejects=2, commands=1, nodes=2)
    assert len(ids(database, tables.commands.c.id)) == 7


def silent(node: Node) -> Node:
    """Returns the node as one that has not shown a sign of life for two days."""
    return replace(node, heartbeat_at=node.heartbeat_at - timedelta(days=2))


def test_what_went_is_told_once(sqlite_database: Database) -> None:
    """An event with the counts, and none where nothing went."""
    heard: list[Any] = []
    events = Events()
    events.listen(heard.append)
    fill(sqlite_database, [("a", 0, RunState.FAILED), ("a", 150, RunState.FAILED)])

    told(pruner(sqlite_database), events)
    told(pruner(sqlite_database), events)

    assert heard == [HistoryPruned(**asdict(Pruned(runs=1, attempts=1)))]


@pytest.fixture
def bench(make_bench: Make) -> Bench:
    """A node with one job, ten ticks of which have run."""
    made = make_bench(definition("a"))
    for minute in range(1, 11):
        made.fire("a", minute)
        made.execute_all()
    return made


def test_a_tick_whose_row_went_never_runs_again(bench: Bench) -> None:
    """The job's last tick stands guard: late tellings of old ticks, and a start, find nothing to do."""
    keep_one = RetentionOptions(runs=DAY_S, runs_per_job=1)
    pruner(bench.database, keep_one).once()
    assert len(bench.runs("a")) == 1

    bench.fire("a", *range(1, 11))
    bench.twin().fire("a", *range(1, 11))
    due = of_job(bench.definitions["a"].policy, ZoneInfo("UTC"), "a")
    assert due is not None
    bench.dispatch.catch_up({"a": due}, bench.now)

    assert len(bench.runs("a")) == 1
    assert bench.submitted == []
