"""Two daemons on one PostgreSQL, and one of them is paused beyond its lease: once it goes on, it writes nothing."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from tests.conftest import Server
from tests.process.house import Daemon, House, wait_for
from tests.process.shims import shim
from worker.model.records import AttemptState, Health, Run, RunState
from worker.sandbox.faults import Fault
from worker.store.database import Database, open_database

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.timeout(300)]

_LEASE = "2s"
_WITHIN_S = 7.0  # a lease and five seconds
_DEVICES = """
[jobs.devices]
type = "sync"
schedule = "manual"
source = {{ account = "tangoe", resource = "devices", paging = {{ size = 10 }} }}
destination = {{ {database}table = "devices" }}
"""
_IMPORTS = """
[jobs.devices]
type = "sync"
schedule = "manual"
source = { table = "assets", key = "u_serial" }

[jobs.devices.destination]
account = "servicenow"
resource = "import_set/u_assets"
key = "u_serial"
in_doubt = "resend"
"""


def _nothing(_house: House) -> None:
    return


@dataclass(frozen=True)
class Hold:
    """What a daemon is at when it is paused: the answer that it waits for is of a time before the others went on."""

    name: str
    jobs: str
    path: str  # of the request whose answer comes drop by drop
    look: tuple[str, ...]  # what must be as it was
    drip_s: float = 0.001  # between two bytes
    after: int = 0
    elsewhere: tuple[str, ...] = ()  # the same in the other database
    prepare: Callable[[House], None] = field(default=_nothing)


def _assets(house: House) -> None:
    house.execute("CREATE TABLE assets (u_serial TEXT PRIMARY KEY, u_name TEXT)")
    for number in range(12):
        house.execute(f"INSERT INTO assets VALUES ('s{number:02}', 'n{number}')")


_LEDGER = (
    "SELECT run_id, number, state, read, written, pages FROM attempts ORDER BY 1, 2",
    "SELECT id, state, attempt, read, written, finished_at FROM runs ORDER BY 1",
    "SELECT job, name, version, run_id, moved_at FROM cursors ORDER BY 1, 2",
    "SELECT * FROM locks",
    "SELECT job, record_hash FROM rejects",
)
_TOKEN = ("SELECT account, generation, sealed, attempt_id, lease_until, failures FROM tokens ORDER BY 1",)
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'devices'::regclass"
_OTHER = '[databases.other]\nurl = "OTHER"\n'
HOLDS = [
    Hold("rows", _DEVICES.format(database=""), "/mobproc", ("SELECT * FROM devices ORDER BY id",), after=2),
    Hold(
        "rows elsewhere",
        _OTHER + _DEVICES.format(database='database = "other", '),
        "/mobproc",
        (),
        after=2,
        elsewhere=("SELECT * FROM devices ORDER BY id", "SELECT * FROM _sync_cursors", "SELECT * FROM _sync_tables"),
    ),
    Hold(
        "deliveries",
        _IMPORTS,
        "/api/now/import",
        ("SELECT job, key, state, fingerprint, run_id, changed_at FROM deliveries ORDER BY 2",),
        drip_s=0.005,
        prepare=_assets,
    ),
    Hold(
        "tokens", _DEVICES.format(database=""), "/as/token.oauth2", ("SELECT * FROM devices ORDER BY id",), drip_s=0.01
    ),
]


@pytest.fixture
def elsewhere(postgres_server: Server) -> Iterator[Database]:
    """Another database, with nothing in it."""
    opened = open_database(postgres_server.database_url())
    yield opened
    opened.close()


def _found(house: House, hold: Hold, other: Database) -> list[Any]:
    """Returns all that a paused daemon could have changed."""
    with house.database.read() as connection:
        own = [connection.execute(sa.text(one)).all() for one in (*_LEDGER, *_TOKEN, *hold.look)]
    if not hold.elsewhere:
        return own
    with other.read() as connection:
        return [*own, *(connection.execute(sa.text(one)).all() for one in hold.elsewhere)]


def _running(house: House, daemons: Sequence[Daemon]) -> tuple[Run, Daemon, Daemon]:
    """Returns the run, the daemon that performs it, and the other one."""
    (run,) = house.runs("devices", RunState.RUNNING)
    node = house.attempts(run)[0].node_id
    one, other = sorted(daemons, key=lambda daemon: daemon.lines("daemon.ready")[0]["node"] != node)
    return run, one, other


def _taken_over(house: House, paused: Daemon, other: Daemon, run: Run) -> None:
    """Pauses one daemon until the other has done its run."""
    paused.pause()
    house.sandbox.churn(20, "devices")
    wait_for(lambda: other.told("run.rescued", run=run.id), "a rescue", _WITHIN_S)
    house.execute("UPDATE tokens SET lease_until = lease_until - interval '1 hour'")  # its lease is not waited for
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "the end of the run")
    assert [one.state for one in house.attempts(run)] == [AttemptState.LOST, AttemptState.SUCCEEDED]


@pytest.mark.parametrize("hold", HOLDS, ids=lambda hold: hold.name)
def test_who_was_paused_beyond_its_lease_writes_nothing(postgres_house: House, hold: Hold, elsewhere: Database) -> None:
    """Ledger, cursor, rows here and elsewhere, deliveries and tokens are as the other daemon left them."""
    house = postgres_house
    url = elsewhere.engine.url._replace(password=None, drivername="postgresql").render_as_string()
    house.configure(hold.jobs.replace("OTHER", url), lease=_LEASE)
    hold.prepare(house)
    house.sandbox.fault(Fault("drip", path=hold.path, seconds=hold.drip_s, after=hold.after))
    daemons = [house.start(), house.start()]
    house.trigger("devices")
    wait_for(lambda: len(house.sandbox.calls(hold.path)) > hold.after, "the request that drips")
    run, one, other = _running(house, daemons)
    _taken_over(house, one, other, run)
    before, said = _found(house, hold, elsewhere), len(one.lines("call.finished"))
    one.go_on()
    wait_for(lambda: len(one.lines("call.finished")) > said, "the answer of long ago")
    one.stop()
    assert _found(house, hold, elsewhere) == before
    other.stop()
    assert house.token("servicenow" if "servicenow" in hold.jobs else "tangoe").health is Health.FRESH


def test_who_is_paused_in_mid_transaction_holds_nobody_up(postgres_house: House) -> None:
    """The server ends a transaction whose client says nothing for a lease; the other daemon gets the rows' locks."""
    house = postgres_house
    house.configure(_DEVICES.format(database=""), lease=_LEASE)
    daemons = [house.start(), house.start()]
    house.trigger("devices")
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a table")
    house.sandbox.churn(20, "devices")
    url = sa.make_url(house.url).render_as_string()
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as operator:
        holder.execute("LOCK TABLE devices IN EXCLUSIVE MODE")
        house.trigger("devices")
        wait_for(lambda: operator.execute(_WAITING).fetchone() != (0,), "a page whose rows are being written")
        [run] = house.runs("devices", RunState.RUNNING)
        one, other = _running(house, daemons)[1:]
        one.pause()
    wait_for(
        lambda: run.id in [found.id for found in house.runs("devices", RunState.SUCCEEDED)], "its end", 3 * _WITHIN_S
    )
    assert other.told("run.rescued", run=run.id)
    _wakes_and_writes_nothing(house, run, one)
    other.stop()


@pytest.mark.parametrize("statement", ["COPY", "MERGE INTO"])
def test_who_is_paused_in_mid_statement_holds_nobody_up(postgres_house: House, statement: str) -> None:
    """The server waits for the rest of it, for ever; who takes the run over ends that session."""
    house = postgres_house
    house.configure(_DEVICES.format(database=""), lease=_LEASE)
    if statement != "COPY":  # which is for a table that the run made
        _once(house)
        house.sandbox.churn(20, "devices")
    house.environment = {"LD_PRELOAD": str(shim("stalls")), "STALLS_AT": statement}
    one = house.start()
    house.trigger("devices")
    wait_for(one.is_paused, "half a statement")
    [run] = house.runs("devices", RunState.RUNNING)
    house.environment = {}
    other = house.start()
    wait_for(lambda: other.told("run.finished", run=run.id), "its end", 3 * _WITHIN_S)
    assert other.told("transactions.ended")
    assert [found.state for found in house.attempts(run)] == [AttemptState.LOST, AttemptState.SUCCEEDED]
    _wakes_and_writes_nothing(house, run, one)
    other.stop()


def _wakes_and_writes_nothing(house: House, run: Run, paused: Daemon) -> None:
    before = house.rows(), house.attempts(run)
    assert house.rows() == house.rows_there()
    paused.go_on()
    paused.stop()
    assert (house.rows(), house.attempts(run)) == before


def _once(house: House) -> None:
    daemon = house.start()
    house.trigger("devices")
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a table")
    daemon.stop()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_dead_node_is_replaced_in_time_and_a_living_one_never(postgres_house: House) -> None:
    """Over 50 deaths: a lease and five seconds at most, and nobody takes anything from who still beats."""
    house = postgres_house
    house.configure(_DEVICES.format(database=""), lease=_LEASE)
    daemons = [house.start(), house.start()]
    house.trigger("devices")
    wait_for(lambda: house.runs("devices", RunState.SUCCEEDED), "a token, whose lease nobody has to wait out")
    house.sandbox.fault(Fault("delay", path="/mobproc", seconds=0.3, times=None))
    took_s = list[float]()
    for _ in range(50):
        before = len(house.runs("devices"))
        house.trigger("devices")
        wait_for(lambda before=before: len(house.runs("devices")) > before, "a run")  # type: ignore[misc]
        wait_for(lambda: house.runs("devices", RunState.RUNNING), "a run underway")
        run, one, other = _running(house, daemons)
        one.kill()
        died_s = time.monotonic()
        wait_for(lambda run=run, other=other: other.told("run.rescued", run=run.id), "a rescue")  # type: ignore[misc]
        took_s.append(time.monotonic() - died_s)
        wait_for(lambda: not house.runs("devices", RunState.RUNNING, RunState.QUEUED), "its end")
        daemons = [other, house.start()]
    for daemon in daemons:
        daemon.stop()
    assert max(took_s) <= _WITHIN_S, sorted(took_s)
    lost = [one.number for run in house.runs("devices") for one in house.attempts(run)[1:]]
    assert lost == [2] * 50  # each run died once, by our hand, and was attempted once more
