"""Houses for the process tests: on SQLite, on the session's PostgreSQL, or on either."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import Server
from tests.process.feeds import Served, noted
from tests.process.house import House
from worker.sandbox.options import SandboxOptions
from worker.sandbox.server import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Starts a far end with five pages of ten devices."""
    with Sandbox(SandboxOptions(rows=50)) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, sandbox: Sandbox) -> Iterator[House]:
    """A house on SQLite."""
    built = House(tmp_path / "house", sandbox)
    yield built
    built.close()


@pytest.fixture
def postgres_house(tmp_path: Path, sandbox: Sandbox, postgres_server: Server) -> Iterator[House]:
    """A house on PostgreSQL."""
    url = sa.make_url(postgres_server.database_url(migrated=True))._replace(password=None)
    built = House(tmp_path / "house", sandbox, url.render_as_string())
    yield built
    built.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either_house(request: pytest.FixtureRequest) -> House:
    """Runs the test on either."""
    name = "house" if request.param == "sqlite" else "postgres_house"
    built: House = request.getfixturevalue(name)
    return built


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """What the feed of the far end answered."""
    return noted(monkeypatch)
