"""A table is delivered to an API over failures and deaths: each row once, in its last state, or told as in doubt."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from tests.examples import examples
from tests.properties.handover import Handing, Handover, handings
from tests.properties.reaper import Reaper
from tests.properties.world import emptied
from worker.store.database import Database, open_database
from worker.store.schema import upgrade

Ground = tuple[Database, Reaper]
_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large]
FEW = settings(max_examples=examples(50), derandomize=True, suppress_health_check=_CHECKS)
MANY = settings(max_examples=600, suppress_health_check=_CHECKS)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The worker's own file; it is not to outlive the machine, so that nothing waits for a disk."""
    path: Path = tmp_path_factory.mktemp("handed") / "own.db"
    own = open_database(f"sqlite:///{path}")
    sa.event.listen(own.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    own.engine.dispose()
    upgrade(own)
    yield own, Reaper(own)
    own.close()


def handed(ground: Ground, handing: Handing) -> None:
    """Plays a case to its end."""
    own, reaper = ground
    with emptied(own):
        case = Handover(own, reaper, handing)
        case.live()
        if handing.way == "hold":
            assert_delivered_or_told(case)
        else:
            assert case.far_end.names() == case.wanted()
            assert _rejects(own) == set()


def assert_delivered_or_told(case: Handover) -> None:
    """A row is there in its last state, or held with a reject that says so."""
    with case.own.read() as connection:
        found = connection.execute(sa.text("SELECT key, state FROM deliveries")).all()
    states = {str(key): str(state) for key, state in found}
    told = _rejects(case.own)
    for key, (rev,) in case.wanted().items():
        state = states[f'"{key}"']
        assert state == "delivered" or (state == "in_doubt" and key in told), (key, state)
        assert state == "in_doubt" or case.far_end.names()[key] == [rev]


def _rejects(own: Database) -> set[str]:
    """Returns the keys of rows that somebody is told of."""
    with own.read() as connection:
        found = connection.execute(sa.text("SELECT record FROM rejects WHERE reason LIKE 'in doubt%'")).scalars()
        return {str(record).partition('"id":"')[2].partition('"')[0] for record in found}


@given(handings())
@FEW
def test_each_row_is_handed_over_once(ground: Ground, handing: Handing) -> None:
    """Some cases."""
    handed(ground, handing)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@given(handings())
@MANY
def test_in_many_cases_each_row_is_handed_over_once(ground: Ground, handing: Handing) -> None:
    """Many."""
    handed(ground, handing)
