"""From a token to the call that obtained it and the calls it made, on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from worker.model.records import Call, Purpose
from worker.store import calls, lineage
from worker.store.database import Database
from worker.store.lineage import Usage

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def row(number: int, purpose: Purpose = Purpose.READ, status: int = 200, used: int | None = None) -> Call:
    """Returns a call that ended; its number is its id and its minute."""
    at = AT + timedelta(minutes=number)
    return Call(number, "tangoe", purpose, at, "GET", "https://a.test/", status=status, ms=1.0, generation_used=used)


def trail(database: Database) -> None:
    """Stores a login, two calls, a rejection, the refresh it cost, and the call made again; another account's too."""
    rows = [
        row(1, Purpose.TOKEN),
        row(2, used=1),
        row(3, Purpose.WRITE, used=1),
        row(4, status=401, used=1),
        row(5, Purpose.VALIDATE, used=1),
        row(6, Purpose.REFRESH, used=1),
        row(7, used=2),
        replace(row(8, used=1), account="other"),
    ]
    with database.write() as connection:
        calls.record(connection, rows)
        calls.set_issued(connection, 1, 1)
        calls.set_issued(connection, 6, 2)


def test_each_generation_knows_its_origin_and_its_calls(database: Database) -> None:
    """Newest first; what is no call of a job is none of its use."""
    trail(database)
    with database.read() as connection:
        newer, older = lineage.of_account(connection, "tangoe", {401, 403})
    assert (newer.generation, older.generation) == (2, 1)
    assert newer.origin is not None
    assert older.origin is not None
    assert (newer.origin.call, newer.origin.purpose, newer.origin.generation_used) == (6, Purpose.REFRESH, 1)
    assert (older.origin.call, older.origin.purpose, older.origin.at) == (1, Purpose.TOKEN, AT + timedelta(minutes=1))
    assert newer.usage == Usage(1, AT + timedelta(minutes=7), AT + timedelta(minutes=7))
    assert older.usage == Usage(3, AT + timedelta(minutes=2), AT + timedelta(minutes=4), 1, 4)


def test_generation_that_no_call_brought_is_listed(database: Database) -> None:
    """A secret of the configuration, or a login whose call was pruned; and a token that nobody used yet."""
    with database.write() as connection:
        calls.record(connection, [row(1, used=4), row(2, Purpose.TOKEN)])
        calls.set_issued(connection, 2, 5)
    with database.read() as connection:
        newer, older = lineage.of_account(connection, "tangoe", {401})
        (newest,) = lineage.of_account(connection, "tangoe", {401}, limit=1)
    assert (older.generation, older.origin, older.usage.calls) == (4, None, 1)
    assert newer.usage == Usage()
    assert newest == newer


def test_lineage_reads_by_indexes(sqlite_database: Database) -> None:
    """The trail of a year is not read for the tokens of a day."""
    seen: list[str] = []

    def explain(connection: sa.Connection, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            plan = connection.connection.cursor()
            plan.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
            seen.append(str(plan.fetchall()))

    sa.event.listen(sqlite_database.engine, "before_cursor_execute", explain)
    with sqlite_database.read() as connection:
        lineage.of_account(connection, "tangoe", {401})
    sa.event.remove(sqlite_database.engine, "before_cursor_execute", explain)
    assert len(seen) == 2
    for plan in seen:
        assert "INDEX ix_calls_" in plan
        assert "SCAN calls" not in plan
        assert "TEMP B-TREE" not in plan
