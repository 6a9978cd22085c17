"""kill -9 in the middle of syncs whose source changes all the time: once it lies still, all is there, each row once."""

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import Server
from tests.process.feeds import FEED, Served
from tests.process.house import House, wait_for
from worker.model.records import RunState
from worker.sandbox.calllog import CallRecord
from worker.sandbox.server import Sandbox
from worker.store.database import Database, open_database

pytestmark = pytest.mark.process

_TABLE = """
[jobs.incidents]
type = "sync"
schedule = { every = "1s" }
destination = { table = "incidents", guard = { max_delete = "100%" } }

[jobs.incidents.source]
account = "servicenow"
resource = "table/incident"
paging = { size = 6 }
deletions = { resource = "deleted/incident" }
"""

_IMPORT = """
[jobs.imports]
type = "sync"
schedule = { every = "1s" }
source = { table = "assets", key = "u_serial" }

[jobs.imports.destination]
account = "servicenow"
resource = "import_set/u_assets"
key = "u_serial"
in_doubt = "resend"
"""


@dataclass
class Churn:
    """Changes rows of a resource before requests to a path are answered, and says when so many were asked."""

    sandbox: Sandbox
    resource: str
    path: str
    chance: random.Random
    deletes: bool = False
    left: int = 25
    asked: int = 0
    at: int = -1  # the request over which somebody dies
    reached: Event = field(default_factory=Event)

    def __call__(self, record: CallRecord) -> None:
        """Changes a row, while there are changes left."""
        if not record.path.startswith(self.path):
            return
        self.asked += 1
        if self.asked >= self.at >= 0:
            self.reached.set()
        if self.left > 0 and record.method == "GET":
            self.left -= 1
            self._change()

    def _change(self) -> None:
        ids = self.sandbox.ids(self.resource)
        what = self.chance.choice(["update", "update", "insert", "delete" if self.deletes else "update"])
        if what == "insert":
            self.sandbox.insert(self.resource)
        elif what == "delete":
            self.sandbox.delete(self.resource, self.chance.choice(ids))
        else:
            self.sandbox.update(self.resource, self.chance.choice(ids))


def _die_and_recover(house: House, job: str, churn: Churn, deaths: int, is_there: Callable[[], bool]) -> None:
    """Kills one daemon after the other in the middle of a walk; the last one is left alone until all is there."""
    house.sandbox.on_request(churn)
    for _ in range(deaths):
        churn.reached.clear()
        churn.at = churn.asked + churn.chance.randint(1, 8)
        daemon = house.start()
        assert churn.reached.wait(20), "the daemon did not ask"
        Event().wait(churn.chance.random() * 0.03)  # into the page's transaction, or beyond it
        daemon.kill()
    churn.left = 0
    daemon = house.start()
    wait_for(is_there, "the destination as the source")
    before = len(house.runs(job, RunState.SUCCEEDED))
    wait_for(lambda: len(house.runs(job, RunState.SUCCEEDED)) > before, "one more run")
    daemon.stop()
    assert is_there()
    assert not house.runs(job, RunState.RUNNING, RunState.FAILED)


def _query(database: Database, text: str) -> list[Any]:
    with database.read() as connection:
        name = text.split(" FROM ")[1].split(maxsplit=1)[0]
        if not sa.inspect(connection).has_table(name):
            return []
        return [tuple(row) for row in connection.execute(sa.text(text))]


def _live(database: Database) -> list[tuple[str, int]]:
    """Returns keys and counters of the rows that bear no mark; the column of marks comes with the first of them."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table("incidents"):
            return []
        rows = connection.execute(sa.text("SELECT * FROM incidents")).mappings().all()
    return [(str(row["sys_id"]), int(row["sys_mod_count"])) for row in rows if row.get("_deleted_at") is None]


_SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 7))]
_MODES = [
    pytest.param('mode = "append"', id="append"),
    pytest.param('key = "id"', id="upsert", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_table_of_servicenow_in_motion(house: House, seed: int) -> None:
    """Rows change, come and go while it is read, and access rules hide some: none is missing, none too much."""
    house.configure(_TABLE)
    sandbox, chance = house.sandbox, random.Random(seed)
    hidden = set(chance.sample(sandbox.ids("incident"), 15))
    sandbox.trap(hide_keys=sorted(hidden))
    churn = Churn(sandbox, "incident", "/api/now/table/incident", chance, deletes=True)

    def is_there() -> bool:
        rows = [row for row in sandbox.rows("incident") if row["sys_id"] not in hidden]
        return sorted(_live(house.database)) == sorted(
            (str(row["sys_id"]), int(str(row["sys_mod_count"]))) for row in rows
        )

    _die_and_recover(house, "incidents", churn, 2, is_there)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def other_url(request: pytest.FixtureRequest, house: House) -> str:
    """The URL of a database beside the worker's own, with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{house.folder}/other.db"
    server: Server = request.getfixturevalue("postgres_server")
    return sa.make_url(server.database_url())._replace(password=None).render_as_string()


@pytest.mark.parametrize("seed", _SEEDS)
@pytest.mark.parametrize("mode", _MODES)
def test_rows_beside_another_database(
    house: House, other_url: str, mode: str, seed: int, served: Served, request: pytest.FixtureRequest
) -> None:
    """A feed of changes by opaque tokens: upserted, each row is there in its last state; appended, each answer once.

    The feed itself tells a state twice where a row changed ahead of a walk: in that walk, and after it.
    """
    who = house.sandbox.options.credentials
    house.secret("items", who.basic_password)
    house.configure(FEED.format(sandbox=house.sandbox, who=who, other=other_url, mode=mode))
    churn = Churn(house.sandbox, "items", "/basic/feed", random.Random(seed))
    other = open_database(other_url)
    request.addfinalizer(other.close)

    def states() -> list[Any]:
        return _query(other, "SELECT id, revision FROM feed")

    def is_there() -> bool:
        found, wanted = set(states()), {(row["id"], row["revision"]) for row in house.sandbox.rows("items")}
        return wanted == found if "key" in mode else wanted <= found

    _die_and_recover(house, "feed", churn, 2, is_there)
    [(token,)] = _query(other, "SELECT value FROM _sync_cursors WHERE job = 'feed' AND name = ''")
    assert Counter(states()) == (served.stored(json.loads(token)) if "append" in mode else Counter(set(states())))


@pytest.mark.parametrize("seed", _SEEDS)
def test_rows_of_a_table_on_their_way_into_an_import_set(house: House, seed: int) -> None:
    """What was on its way when the process died is sent again, which the transform map's coalesce makes harmless."""
    house.configure(_IMPORT)
    house.execute("CREATE TABLE assets (u_serial TEXT PRIMARY KEY, u_name TEXT)")
    for number in range(30):
        house.execute(f"INSERT INTO assets VALUES ('s{number:02}', 'n{number}')")
    churn = Churn(house.sandbox, "incident", "/api/now/import", random.Random(seed))

    def is_there() -> bool:
        if "u_assets" not in house.sandbox.counts():
            return False
        found = [(row["u_serial"], row["u_name"]) for row in house.sandbox.rows("u_assets")]
        return sorted(found) == [(f"s{number:02}", f"n{number}") for number in range(30)]

    _die_and_recover(house, "imports", churn, 2, is_there)
    assert _query(house.database, "SELECT DISTINCT state FROM deliveries") == [("delivered",)]
    assert _query(house.database, "SELECT reason FROM rejects") == []
