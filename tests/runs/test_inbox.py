"""Commands of other processes, carried out once and answered."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
import sqlalchemy as sa

from jobs.contract import Context
from tests.runs.bench import Make, definition
from tests.runs.operating import outcome, post
from worker.model.moments import new_id, utc_now
from worker.model.records import Command, RunState, Tick, Trigger
from worker.runs import dispatch, inbox, verbs
from worker.runs.candidates import of_request
from worker.runs.desk import Act, Desk, Done
from worker.store import commands
from worker.store.database import Database
from worker.store.writer import Ticket


def test_a_triggered_job_runs_with_its_parameters(make_bench: Make) -> None:
    """The request becomes a manual run that its cause finds again."""
    seen: list[object] = []
    bench = make_bench(definition("orders", "manual"), act=lambda context: seen.append(dict(context.params)))

    request = post(bench, "trigger", "orders", region="eu")
    bench.inbox.once()
    bench.execute_all()

    run = bench.last("orders")
    assert (run.trigger, run.cause, run.state) == (Trigger.MANUAL, f"manual:{request}", RunState.SUCCEEDED)
    assert seen == [{"region": "eu"}]
    assert outcome(bench, request) == "done"


def test_no_run_starts_while_many_ticks_are_still_being_recorded(
    make_bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is claimed already waits in the ledger; whoever recorded it submits it, and only then the inbox looks."""
    monkeypatch.setattr(dispatch, "_AT_ONCE", 1)
    bench = make_bench(definition("orders"), definition("devices"))
    look, seen = Thread(target=bench.inbox.once), list[tuple[int, list[int]]]()
    submit = bench.writer.submit

    def submit_and_look(operation: Callable[[sa.Connection], object]) -> Ticket[object]:
        monkeypatch.setattr(bench.writer, "submit", submit)
        ticket = submit(operation)
        ticket.wait()
        look.start()
        look.join(0.2)
        seen.append((len(bench.runs()), list(bench.submitted)))
        return ticket

    monkeypatch.setattr(bench.writer, "submit", submit_and_look)
    bench.dispatch.fire([Tick(job, bench.now) for job in ("orders", "devices")])
    look.join()
    assert seen == [(1, [])]
    assert len(bench.submitted) == 2 + 2  # of whoever recorded them, and of the inbox since


def test_the_inbox_looks_in_the_end_however_long_ticks_are_recorded(
    make_bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a retry would wait for as long as the database cannot keep up."""
    monkeypatch.setattr(inbox, "_PATIENCE_S", 0.01)
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    bench.submitted.clear()
    with bench.dispatch.firing:
        bench.inbox.once()
    assert bench.submitted == [bench.last("orders").id]


def test_two_nodes_carry_a_command_out_once(make_bench: Make) -> None:
    """The second one finds it ended."""
    bench = make_bench(definition("orders", "manual"))
    post(bench, "trigger", "orders")

    bench.inbox.once()
    bench.twin().inbox.once()

    assert len(bench.runs("orders")) == 1


def test_a_request_for_an_unknown_job_is_refused_in_words(make_bench: Make) -> None:
    """The outcome names the job; nothing else happens."""
    bench = make_bench(definition("orders"))

    request = post(bench, "trigger", "odrers")
    bench.inbox.once()

    assert outcome(bench, request) == "refused: no job odrers is configured"
    assert bench.runs() == []


def test_a_request_for_a_job_that_only_another_node_knows_is_left_to_it(make_bench: Make) -> None:
    """As while nodes take up a new configuration one after the other; after a minute it is refused all the same."""
    bench = make_bench(definition("orders"))
    behind = bench.twin()
    behind.definitions = {}
    first = post(bench, "trigger", "orders")
    behind.inbox.once()
    assert outcome(bench, first) is None
    bench.inbox.once()
    assert outcome(bench, first) == "done"

    second = post(bench, "trigger", "orders")
    behind.now += timedelta(seconds=61)
    behind.inbox.once()
    assert outcome(bench, second) == "refused: no job orders is configured"


@pytest.mark.parametrize("arguments", [[1], "eu", None, 5])
def test_a_request_that_makes_no_sense_is_refused_and_holds_up_nothing(make_bench: Make, arguments: object) -> None:
    """Else every pass would fail at it, and no command behind it and no retry would have its turn any more."""
    bench = make_bench(definition("orders"))
    bench.fire("orders", 1)
    bench.submitted.clear()
    command = Command(new_id(), bench.now, "somebody", "trigger", "orders", arguments)
    bench.writer.call(lambda connection: commands.post(connection, command))

    bench.inbox.once()

    assert bench.submitted == [bench.last("orders").id]
    assert str(outcome(bench, command.id)).startswith("refused: expected parameters by name, found")


def test_a_manual_run_waits_for_the_run_underway_instead_of_being_skipped(make_bench: Make) -> None:
    """A person asked for it, so it runs, though later."""
    requested: list[int] = []

    def act(_context: Context) -> None:
        if not requested:
            requested.append(post(bench, "trigger", "orders"))
            bench.inbox.once()

    bench = make_bench(definition("orders"), act=act)
    bench.fire("orders", 1)
    bench.execute_all()

    assert bench.states("orders") == ["succeeded", "succeeded"]


def test_a_verb_that_fails_holds_up_nothing(make_bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its outcome tells what it met, nothing of it stands, and the command behind it has its turn."""
    bench = make_bench(definition("orders", "manual"))

    def broken(desk: Desk) -> Act:
        def act(connection: sa.Connection) -> Done:
            desk.recording(of_request(desk.job, desk.command.id, desk.now, {}))(connection)
            raise ZeroDivisionError("by zero")

        return act

    monkeypatch.setattr(verbs, "VERBS", {**verbs.VERBS, "break": broken})
    first, second = post(bench, "break", "orders"), post(bench, "trigger", "orders")
    bench.inbox.once()

    assert outcome(bench, first) == "failed: ZeroDivisionError: by zero"
    assert outcome(bench, second) == "done"
    assert [run.cause for run in bench.runs("orders")] == [f"manual:{second}"]


def test_an_unknown_verb_is_refused(make_bench: Make) -> None:
    """Whoever writes to the table by hand is told."""
    bench = make_bench(definition("orders"))
    request = post(bench, "explode", "orders")
    bench.inbox.once()
    assert outcome(bench, request) == "refused: unknown verb explode"


@pytest.mark.parametrize("column", ["at", "arguments"])
def test_a_row_that_cannot_be_read_is_refused_and_holds_up_nothing(sqlite_database: Database, column: str) -> None:
    """Whoever writes to the table by hand may write anything there."""
    command = Command(new_id(), utc_now(), "somebody", "trigger", "orders", {})
    with sqlite_database.write() as connection:
        commands.post(connection, command)
        connection.exec_driver_sql(f"UPDATE commands SET {column} = 'now {{'")
        (found,) = commands.waiting(connection)
    assert (found.id, found.verb) == (command.id, "(unreadable)")


def test_a_time_without_a_zone_is_in_utc_and_ends_no_daemon(make_bench: Make) -> None:
    """SQLite's own datetime('now') has none; a reload that lay there beside it ended each daemon at its start."""
    bench = make_bench(definition("orders"))
    request = post(bench, "reload", "17")
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE commands SET at = '2020-01-01 12:00:00'")
    bench.inbox.once()
    assert outcome(bench, request) == "refused: no node 17 answers any more"


def test_a_time_at_the_calendars_end_holds_up_nothing(make_bench: Make) -> None:
    """A minute after it there is no calendar; nobody waits for a node, or for another node's job, until then."""
    bench = make_bench(definition("orders"))
    post(bench, "reload", "17")
    request = post(bench, "trigger", "orders")
    with bench.database.write() as connection:
        connection.exec_driver_sql("UPDATE commands SET at = '9999-12-31 23:59:59.999999+00:00'")
    bench.inbox.once()
    assert outcome(bench, request) == "done"


@pytest.mark.parametrize("column", ["at", "arguments"])
def test_the_record_bears_a_row_that_cannot_be_read(sqlite_database: Database, column: str) -> None:
    """It stays there for as long as commands are kept; the others, and what became of it, are told all the same."""
    command, other = (Command(new_id(), utc_now(), "somebody", "trigger", "orders", {}) for _ in range(2))
    with sqlite_database.write() as connection:
        commands.post(connection, command)
        commands.post(connection, other)
        connection.exec_driver_sql(f"UPDATE commands SET {column} = 'now {{' WHERE id = {command.id}")
        commands.take(connection, command.id, 1, utc_now())
        commands.answer(connection, command.id, "refused: unknown verb (unreadable)")
        found = commands.listing(connection, "orders")
    assert [(one.id, one.verb, one.outcome) for one in found] == [
        (other.id, "trigger", None),
        (command.id, "(unreadable)", "refused: unknown verb (unreadable)"),
    ]
