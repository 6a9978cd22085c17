"""Daemons on either database through an ordeal; then all is healed, drains, and is judged by the checker.

Every due tick has a row of its own or a row with a reason, no two attempts of a job meet, nothing is there beside, and
the tables are as the far end.
"""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.checker import Fault, Ledger, check, told
from tests.conftest import Server
from tests.ledger import whole_ledger
from tests.oracle import Schedule, due
from tests.process.feeds import FEED, Served
from tests.process.house import House, wait_for
from tests.process.ordeal import Ordeal
from tests.process.shims import WallClock
from worker.model.records import AGAIN, RunState
from worker.store.database import Database, open_database
from worker.store.tables import jobs, runs

pytestmark = [pytest.mark.process, pytest.mark.timeout(1500)]

_SEED = 5
_DRAINS_WITHIN_S = 90.0
_JOBS = """
[jobs.devices]
type = "sync"
schedule = { every = "1s" }
catch_up = "last"
source = { account = "tangoe", resource = "devices", paging = { size = 20 } }
destination = { table = "devices" }

[jobs.orders]
type = "sync"
schedule = { after = ["devices"] }
source = { account = "tangoe", resource = "orders", paging = { size = 20 } }
destination = { table = "orders" }

[jobs.incidents]
type = "sync"
schedule = "* * * * *"
mutex = "one"
source = { account = "servicenow", resource = "table/incident" }
destination = { table = "incidents" }

[jobs.users]
type = "sync"
schedule = { every = "5s" }
overlap = "queue"
mutex = "one"
retry = { attempts = 5, backoff = "100ms", max = "1s" }
source = { account = "servicenow", resource = "table/incident", cursor = { lookback = "1m" } }
destination = { table = "users" }
"""
_SCHEDULES: dict[str, Schedule] = {
    "devices": {"every": "1s"},
    "incidents": "* * * * *",
    "users": {"every": "5s"},
    "feed": {"every": "1s"},
}


def _is_there(house: House, other: Database, served: Served) -> bool:
    """Tells whether the tables are as the far end."""
    if house.rows("devices") != house.rows_there("devices") or house.rows("orders") != house.rows_there("orders"):
        return False
    token = house.cursor("feed")
    return token is not None and Counter(_states(other)) == served.stored(token) and _ends(other) == _ends_there(house)


def _states(other: Database) -> list[tuple[object, ...]]:
    with other.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text("SELECT id, revision FROM feed"))]


def _ends(other: Database) -> set[tuple[object, object]]:
    with other.read() as connection:
        return {tuple(row) for row in connection.execute(sa.text("SELECT id, max(revision) FROM feed GROUP BY id"))}


def _ends_there(house: House) -> set[tuple[object, object]]:
    return {(row["id"], row["revision"]) for row in house.sandbox.rows("items")}


def _since(house: House) -> dict[str, datetime]:
    """Returns from when on each job's ticks are due."""
    with house.database.read() as connection:
        return {row.name: row.since for row in connection.execute(sa.select(jobs.c.name, jobs.c.since))}


def _due(house: House, ledger: Ledger) -> dict[str, Sequence[datetime]]:
    """Returns what was due from the beginning of each job to the last tick that its rows tell of."""
    since, found = _since(house), dict[str, Sequence[datetime]]()
    for job, schedule in _SCHEDULES.items():
        told = [run.tick_until or run.tick for run in ledger.runs if run.job == job and run.tick]
        last = max(told, default=since[job])  # in less than a minute there may be no tick of a minute
        found[job] = due(schedule, "UTC", (since[job].astimezone(UTC), last))
    return found


def _first_time(house: House, ledger: Ledger) -> Ledger:
    """Returns the ledger without what a wall clock that was set back showed again, or of a time before the job."""
    with house.database.read() as connection:
        again = set(connection.scalars(sa.select(runs.c.id).where(runs.c.cause.contains(AGAIN))))
    since = _since(house)
    left = [run for run in ledger.runs if run.id not in again and (run.tick is None or run.tick > since[run.job])]
    ids = {run.id for run in left}
    return Ledger(left, [attempt for attempt in ledger.attempts if attempt.run_id in ids])


def _judge(house: House, *, clock_jumped: bool) -> None:
    """Fails where the ledger does not account for every tick; after the last stop a run may still wait."""
    ledger = whole_ledger(house.database)
    if clock_jumped:
        ledger = _first_time(house, ledger)
    violations = [one for one in check(_due(house, ledger), ledger) if "is queued" not in one.what]
    if clock_jumped:  # what a wall clock shows again is told of again, and lengths by it mean nothing
        violations = [one for one in violations if one.fault not in (Fault.TWICE, Fault.OVERLAP)]
    assert not violations, told(violations)
    causes = Counter((run.job, run.trigger, run.tick) for run in ledger.runs if run.tick and not run.tick_until)
    if not clock_jumped:
        assert max(causes.values()) == 1


def _through(ordeal: Ordeal, served: Served, for_s: float) -> None:
    house = ordeal.house
    other = open_database(f"sqlite:///{house.folder}/other.db")
    try:
        ordeal.suffer(for_s)
        ordeal.heal()
        before = {run.id for job in ("devices", "feed", "users") for run in house.runs(job)}  # some of a later day
        for job in ("devices", "feed", "users"):
            wait_for(
                lambda job=job: [run for run in house.runs(job, RunState.SUCCEEDED) if run.id not in before],  # type: ignore[misc]
                f"a run of {job} after all was healed; done: {', '.join(ordeal.done)}",
                _DRAINS_WITHIN_S,
            )
        wait_for(lambda: _is_there(house, other, served), "the tables as the far end", _DRAINS_WITHIN_S)
        for daemon in ordeal.daemons:
            daemon.ask_to_leave()
        assert [daemon.left() for daemon in ordeal.daemons] == [0] * len(ordeal.daemons)
        assert _is_there(house, other, served)
    finally:
        other.close()
    _judge(house, clock_jumped=ordeal.clock is not None)


def _configured(house: House, lease: str) -> None:
    who = house.sandbox.options.credentials
    house.secret("items", who.basic_password)
    other = f"sqlite:///{house.folder}/other.db"
    feed = FEED.format(sandbox=house.sandbox, who=who, other=other, mode='mode = "append"')
    house.configure(_JOBS, feed, lease=lease, attempts=4)


_SHORT_S = 40.0  # a minute with the starts and the drain: on one database in make test, on the other in make test-slow
_LONG = pytest.param(600.0, id="long", marks=pytest.mark.soak)


@pytest.mark.parametrize("for_s", [pytest.param(_SHORT_S, id="short"), _LONG])
def test_one_daemon_on_sqlite(house: House, served: Served, tmp_path: Path, for_s: float) -> None:
    """Deaths, pauses, reloads, jumps of the wall clock by an hour and a day, locks, and a far end that errs."""
    clock = WallClock(tmp_path / "shift")
    house.environment = clock.environment
    _configured(house, "30s")
    _through(Ordeal(house, [house.start()], random.Random(_SEED), 4.0, clock=clock), served, for_s)


@pytest.mark.postgres
@pytest.mark.parametrize("for_s", [pytest.param(_SHORT_S, id="short", marks=pytest.mark.slow), _LONG])
def test_two_daemons_on_postgresql(
    postgres_house: House, postgres_server: Server, served: Served, for_s: float
) -> None:
    """Deaths, pauses beyond the lease, reloads, crashes of the server, cut connections, and a far end that errs."""
    _configured(postgres_house, "3s")
    daemons = [postgres_house.start(), postgres_house.start()]
    _through(Ordeal(postgres_house, daemons, random.Random(_SEED), 3.0, postgres_server), served, for_s)
