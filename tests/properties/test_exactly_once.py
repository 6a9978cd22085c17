"""Whatever changes and whatever fails on the way, in the end the destination is as the source, and nothing is doubled.

Each case is a job of its own: a kind of paging, a cursor, a mode, a destination in the worker's database or in another
one; records that come, change and go between two requests; requests that fail; processes that die at any statement and
any commit, whose outcome may stay unknown; attempts that lost their right to write and do not know.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings

from tests.conftest import Server
from tests.examples import examples
from tests.properties.farend import Habits
from tests.properties.judging import assert_equal, assert_idle, assert_sound
from tests.properties.plans import Plan, plans
from tests.properties.reaper import Reaper
from tests.properties.world import World, emptied
from worker.model.records import AttemptState
from worker.store.database import Database, open_database
from worker.store.schema import upgrade

Pair = tuple[Database, Database, Reaper]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The worker's own file and another one; they are not to outlive the machine, so that nothing waits for a disk."""
    folder = tmp_path_factory.mktemp("once")
    own, other = _file(folder / "own.db"), _file(folder / "other.db")
    upgrade(own)
    yield own, other, Reaper(own, other)
    own.close()
    other.close()


def _file(path: Path) -> Database:
    database = open_database(f"sqlite:///{path}")
    sa.event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    database.engine.dispose()
    return database


@pytest.fixture(scope="module")
def servers(postgres_server: Server) -> Iterator[Pair]:
    """The worker's own database and another one on a PostgreSQL server."""
    own = open_database(postgres_server.database_url(migrated=True))
    other = open_database(postgres_server.database_url())
    yield own, other, Reaper(own, other)
    own.close()
    other.close()


def lived(pair: Pair, plan: Plan) -> None:
    """Plays a case to its end."""
    with emptied(pair[0], pair[1]):
        world = World(*pair, plan)
        world.live(assert_sound)
        while world.run is not None:
            assert world.make_attempt() is AttemptState.SUCCEEDED, world.errors[-1]
        for _ in range(2):  # with a cursor a first run takes nothing for gone, the next whole pass does
            world.shop.clock += 10
            assert world.make_attempt() is AttemptState.SUCCEEDED, world.errors[-1]
            assert_sound(world)
        assert_equal(world)
        assert_idle(world)


# Three that chance makes seldom: a record changed behind the walk, then one before it; one that leaves hidden ones; a
# whole pass in which records slip past, which is no whole pass.
SWEPT = Plan(Habits("token", "id", 2), "time", rows=7, upsets=((1, "tick", 0), (0, "sweep", 1)))
STEPPED = Plan(
    Habits("servicenow", hidden=(5, 36)),
    "time",
    "servicenow",
    rows=14,
    size=2,
    upsets=((0, "tick", 0), (4, "delete", 5)),
)

SLIPPED = Plan(
    Habits("page", "id", 1, total=True),
    "time",
    rows=2,
    size=1,
    mode="mirror",
    upsets=((1, "delete", 0), (0, "delete", 0)),
)

_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
FEW = settings(max_examples=examples(80), derandomize=True, suppress_health_check=_CHECKS)
MANY = settings(max_examples=1200, suppress_health_check=_CHECKS)


@given(plans())
@example(SWEPT)
@example(STEPPED)
@example(SLIPPED)
@FEW
def test_on_sqlite_the_destination_becomes_the_source(files: Pair, plan: Plan) -> None:
    """Some cases."""
    lived(files, plan)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@given(plans())
@MANY
def test_on_sqlite_in_many_cases_the_destination_becomes_the_source(files: Pair, plan: Plan) -> None:
    """More than a thousand."""
    lived(files, plan)


@pytest.mark.postgres
@given(plans())
@settings(FEW, max_examples=examples(20))
def test_on_postgresql_the_destination_becomes_the_source(servers: Pair, plan: Plan) -> None:
    """A few cases."""
    lived(servers, plan)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(1200)
@given(plans())
@settings(MANY, max_examples=250)
def test_on_postgresql_in_many_cases_the_destination_becomes_the_source(servers: Pair, plan: Plan) -> None:
    """More than two hundred."""
    lived(servers, plan)
