"""One daemon on PostgreSQL whose connections are cut while it works, or that is away for a while."""

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from tests.process.house import DEVICES, House, wait_for
from tests.process.ledger import assert_every_second_once
from worker.model.records import RunState
from worker.sandbox.faults import Fault

pytestmark = [pytest.mark.process, pytest.mark.postgres]

_NOBODY, _ANYBODY = "ALTER DATABASE {} ALLOW_CONNECTIONS false", "ALTER DATABASE {} ALLOW_CONNECTIONS true"
_CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> %s
"""
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


def _operator(house: House, database: str | None = None) -> psycopg.Connection[tuple[int]]:
    """Opens a connection of somebody who may do as they like."""
    url = sa.make_url(house.url)
    return psycopg.connect(url.set(database=database or url.database).render_as_string(), autocommit=True)


def _cut_in_mid_transaction(house: House, table: str) -> None:
    """Ends every connection while one of them is in a transaction that writes to the table."""
    name = sa.make_url(house.url).database
    with _operator(house, "postgres") as operator, _operator(house) as holder, holder.transaction():
        holder.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(sql.Identifier(table)))
        wait_for(lambda: operator.execute(_WAITING, [name]).fetchone() != (0,), f"a transaction that writes {table}")
        operator.execute(_CUT, [name, holder.info.backend_pid])


def test_cut_connections_cost_no_row(postgres_house: House) -> None:
    """What was cut off is tried again: no run is left running, no tick and no row is lost or doubled."""
    house = postgres_house
    house.configure(DEVICES, attempts=10)
    house.sandbox.fault(Fault("delay", path="/mobproc", seconds=0.02, times=None))
    daemon = house.start()
    for table in ("runs", "attempts", "calls", "locks", "devices", "cursors", "jobs"):
        house.sandbox.churn(3, "devices")
        wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a first run")
        _cut_in_mid_transaction(house, table)
    wait_for(lambda: house.cursor() == house.newest(), "the cursor at the newest row")
    wait_for(lambda: not house.runs("devices", RunState.RUNNING, RunState.QUEUED), "the end of every run")
    daemon.stop()
    assert daemon.told("worker.failed", part="writer")
    assert daemon.told("run.retrying")
    assert not house.runs("devices", RunState.RUNNING, RunState.FAILED)
    assert_every_second_once(house.runs())
    assert house.rows() == house.rows_there()


def test_a_database_that_comes_back_finds_every_tick(postgres_house: House) -> None:
    """Ticks that fell due while it was away are recorded once it is back; the daemon needs nobody."""
    house = postgres_house
    house.configure(DEVICES, attempts=10)
    daemon = house.start()
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a first run")
    name = str(sa.make_url(house.url).database)
    with _operator(house, "postgres") as operator:
        operator.execute(sql.SQL(_NOBODY).format(sql.Identifier(name)))
        operator.execute(_CUT, [name, 0])
        wait_for(lambda: daemon.told("worker.failed", part="inbox"), "word of the database")
        house.sandbox.churn(10, "devices")
        told = len(daemon.lines("worker.failed"))
        wait_for(lambda: len(daemon.lines("worker.failed")) >= told + 3, "more of it")
        operator.execute(sql.SQL(_ANYBODY).format(sql.Identifier(name)))
    wait_for(lambda: house.cursor() == house.newest(), "the cursor at the newest row")
    daemon.stop()
    assert not house.runs("devices", RunState.RUNNING, RunState.FAILED)
    assert_every_second_once(house.runs())
    assert house.rows() == house.rows_there()
